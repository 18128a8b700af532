"""A router that lets in who has a certificate, by files of ``ezmsg zenoh config``; and how a router ends."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import zenoh
from tests.conftest import Laboratory
from tests.waiting import until
from tests.zenoh.conftest import HANG, Program, routed

import ezmsg.core as ez
from ezmsg.control.cli import main
from ezmsg.protocol.wire.tls.files import TlsFiles
from ezmsg.zenoh.hosts.configuring import client_configuration, text_of
from ezmsg.zenoh.hosts.preparing import place_of

OF_GRAPHS = ("ezmsg/default/**", "ezmsg/other/**", "**")
"""What is listened to: access control does not narrow down a wish, so that each is granted or not."""


class Lab:
    """Hosts with certificates, of which the graph has the first two, and configuration files for them."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.place = f"127.0.0.1:{port}"
        self.certificates = folder / "certificates"
        hosts = (word for host in ("lab,127.0.0.1", "desk", "stranger") for word in ("--host", host))
        assert main(["server", "certificates", str(self.certificates), *hosts]) == 0
        self.configure("default", "lab", "desk")

    def configure(self, graph: str, *names: str) -> Path:
        """Write the files of a graph of these hosts; return their folder."""
        made = self.folder / graph
        words = ["--router", self.place, "--graph", graph, "--certificates", str(self.certificates)]
        assert main(["zenoh", "config", str(made), *words, *(f"--host={name}" for name in names)]) == 0
        return made

    @property
    def router(self) -> str:
        return str(self.folder / "default" / "router.json5")

    def host(self, name: str) -> str:
        return str(self.folder / "default" / f"host-{name}.json5")

    def other(self, name: str, files: TlsFiles | None) -> str:
        """Return a configuration for somebody who has other certificates, or none."""
        path = self.folder / f"{name}.json5"
        path.write_text(text_of(client_configuration(place_of(self.place), files), []))
        return str(path)

    def stranger(self) -> str:
        """Return a configuration for a host of the same authority that is not of the graph."""
        place = self.certificates / "stranger"
        return self.other("stranger", TlsFiles(*(f"{place}/tls-{what}.pem" for what in ("ca", "cert", "key"))))


@pytest.fixture
def lab(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]) -> Lab:
    return Lab(tmp_path, port)


class Ear:
    """Somebody of Zenoh's own who subscribes to all of the keys, and to all who are there."""

    def __init__(self, config: str) -> None:
        self.session = zenoh.open(zenoh.Config.from_file(config))
        self.heard: list[str] = []
        liveliness = self.session.liveliness()
        for keys in OF_GRAPHS:
            self.session.declare_subscriber(keys, self._hear)
            liveliness.declare_subscriber(keys, self._hear, history=True)

    def _hear(self, sample: Any) -> None:
        self.heard.append(str(sample.key_expr))

    def asks(self) -> list[str]:
        """Return who is there, as an answer to a question."""
        ask = self.session.liveliness().get
        return [str(reply.ok.key_expr) for keys in OF_GRAPHS for reply in ask(keys, timeout=HANG)]


@pytest.fixture
def listen() -> Iterator[Callable[[str], Ear]]:
    ears: list[Ear] = []

    def listening(config: str) -> Ear:
        ears.append(Ear(config))
        return ears[-1]

    yield listening
    for ear in ears:
        ear.session.close()


# --- who is let in ----------------------------------------------------------------------------------------------


def test_hosts_of_the_graph_exchange_messages_and_nobody_else_hears_them(
    start: Callable[..., Program], server: str, lab: Lab, listen: Callable[[str], Ear]
) -> None:
    routed(start, "--config", lab.router)
    stranger, member = listen(lab.stranger()), listen(lab.host("lab"))
    sender = start("counting.py", "send", "500", "2000", config=lab.host("lab"), server=server)
    assert sender.says() == "ready"
    ears = [start("counting.py", "hear", "500", config=lab.host(name), server=server) for name in ("lab", "desk")]
    for ear in ears:
        assert ear.says() == "ready"
    sender.go()
    for ear in ears:
        ear.until("all")
    assert sender.says() == "sent 0"
    assert {key.rpartition("/")[2] for key in member.heard} >= {"data", "alive"}  # so would the stranger have
    assert stranger.asks() == stranger.heard == []


def test_a_message_that_a_stranger_puts_comes_to_nobody(
    start: Callable[..., Program], lab: Lab, listen: Callable[[str], Ear]
) -> None:
    routed(start, "--config", lab.router)
    ear = listen(lab.host("lab"))
    for config, key in ((lab.stranger(), "ezmsg/default/forged"), (lab.host("desk"), "ezmsg/other/forged")):
        with zenoh.open(zenoh.Config.from_file(config)) as forger:
            token = forger.liveliness().declare_token(key)
            forger.put(key, "forged")
            forger.put("ezmsg/default/**" if config == lab.stranger() else key, "forged")
            token.undeclare()
    with zenoh.open(zenoh.Config.from_file(lab.host("desk"))) as member:
        member.put("ezmsg/default/true", "true")
    _wait_for(lambda: ear.heard)
    assert set(ear.heard) == {"ezmsg/default/true"}


def test_who_publishes_in_another_graphs_name_is_not_heard(
    start: Callable[..., Program], server: str, lab: Lab, listen: Callable[[str], Ear]
) -> None:
    routed(start, "--config", lab.router)
    member = listen(lab.host("lab"))
    sender = start("counting.py", "send", "50", "2000", config=lab.host("desk"), server=server, graph="other")
    assert sender.says() == "ready"
    ear = start("counting.py", "hear", "50", config=lab.host("lab"), server=server)
    sender.go()
    assert sender.says() == "sent 0"
    ear.process.terminate()
    assert "heard" not in ear.process.communicate(timeout=HANG)[0].decode()
    assert not [key for key in member.heard if key.startswith("ezmsg/other")]


@pytest.fixture
def misfits(lab: Lab, laboratory: Laboratory) -> dict[str, str]:
    """Configurations of hosts that the router refuses."""
    at = lab.certificates
    authority = str(at / "desk" / "tls-ca.pem")
    foreign = laboratory.files("desk")
    theirs = Laboratory(lab.folder / "expiring")
    theirs.authority = _authority_of(at)
    expired = theirs.files("desk", begins_h=-48, ends_h=-1)
    return {
        "foreign": lab.other("foreign", TlsFiles(authority, foreign.certificate, foreign.key)),
        "trusts another": lab.other("trusts another", foreign),
        "expired": lab.other("expired", expired),
        "none": _without_certificate(lab, authority),
        "open": lab.other("open", None),
    }


def _authority_of(folder: Path) -> Any:
    from ezmsg.control.certifying.authority import Certified

    return Certified.from_pem(*((folder / name).read_bytes() for name in ("tls-ca.pem", "tls-ca-key.pem")))


def _without_certificate(lab: Lab, authority: str) -> str:
    configuration = client_configuration(place_of(lab.place), TlsFiles(authority))
    configuration["transport"]["link"]["tls"] = {"root_ca_certificate": authority}
    path = lab.folder / "none.json5"
    path.write_text(json.dumps(configuration))
    return str(path)


def test_who_has_no_good_certificate_is_told_and_hears_nothing(
    start: Callable[..., Program], server: str, lab: Lab, misfits: dict[str, str]
) -> None:
    """All at once, as each waits for seconds for a router that takes it."""
    routed(start, "--config", lab.router)
    sender = start("counting.py", "send", "100", "2000", config=lab.host("lab"), server=server)
    assert sender.says() == "ready"
    refused = [start("misfit.py", config=config, server=server) for config in misfits.values()]
    good = start("counting.py", "hear", "100", config=lab.host("desk"), server=server)
    assert good.says() == "ready"
    for each, name in zip(refused, misfits, strict=True):
        told = each.says()
        assert told.startswith("EZ-5030  Zenoh cannot be used"), (name, told)
        assert f"{name}.json5: Unable to connect" in told
        assert ("the clock of this machine says" in told) == (name == "expired"), told
    sender.go()
    good.until("all")
    assert sender.says() == "sent 0"
    for each in refused:
        each.go()
        assert each.says() == "nothing"
        each.process.kill()
        told = each.process.communicate(timeout=HANG)[1].decode()
        assert "NUMBERS cannot be heard here yet, and is tried again: EZ-5030" in told


def test_a_router_that_is_killed_and_started_again_costs_no_message(
    start: Callable[..., Program], server: str, lab: Lab
) -> None:
    router = routed(start, "--config", lab.router)
    sender = start("counting.py", "send", "1500", "1000", config=lab.host("lab"), server=server)
    assert sender.says() == "ready"
    ear = start("counting.py", "hear", "1500", config=lab.host("desk"), server=server)
    assert ear.says() == "ready"
    sender.go()
    ear.until("heard 300")
    router.kill()
    routed(start, "--config", lab.router)
    ear.until("all")
    assert sender.says() == "sent 0"


def test_a_program_may_be_started_before_its_router(start: Callable[..., Program], server: str, lab: Lab) -> None:
    sender = start("counting.py", "send", "10", "1000", config=lab.host("lab"), server=server)
    ear = start("counting.py", "hear", "10", config=lab.host("desk"), server=server)
    routed(start, "--config", lab.router)
    for each in (sender, ear):
        assert each.says() == "ready"
    sender.go()
    ear.process.wait(HANG)
    assert ear.says() == "all"


def test_a_host_that_says_nothing_any_more_holds_the_others_up_for_its_leases(
    start: Callable[..., Program], server: str, lab: Lab
) -> None:
    """Zenoh's, which the files set, and then ours; with Zenoh's own it would be 7 seconds more."""
    routed(start, "--config", lab.router)
    sender = start("counting.py", "send", "500", "500", config=lab.host("lab"), server=server)
    assert sender.says() == "ready"
    frozen, ear = (start("counting.py", "hear", "500", config=lab.host("desk"), server=server) for _ in range(2))
    for each in (frozen, ear):
        assert each.says() == "ready"
    sender.go()
    frozen.until("heard 100")
    frozen.process.send_signal(signal.SIGSTOP)
    ear.until("all")
    assert sender.says() == "sent 0"


# --- how a router begins and ends -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_router_ends_well_when_it_is_asked_to(start: Callable[..., Program], port: int, number: int) -> None:
    router = start("ezmsg", "zenoh", "router", "--listen", f"127.0.0.1:{port}")
    assert router.says() == f"ezmsg: A router of Zenoh listens at tcp/127.0.0.1:{port}, until Ctrl-C."
    router.process.send_signal(number)
    _, told = router.process.communicate(timeout=HANG)
    assert (router.process.returncode, told) == (0, b"")


def test_a_router_that_all_may_come_to_says_so(start: Callable[..., Program], port: int) -> None:
    router = routed(start, "--listen", f"0.0.0.0:{port}")
    assert "not encrypted" in router.says()


def ended(*words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "ezmsg.control", "zenoh", "router", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    return done.returncode, done.stderr


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        code, told = ended("--listen", place)
    assert code == 4
    assert f"ezmsg: EZ-5031  No router can be opened at tcp/{place}, with no configuration file" in told
    assert "Address already in use" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "No such file or directory"),
        ("{", "expected"),
        ("{mode: 'rooter'}", "unknown variant `rooter`"),
        ("{mode: 'client'}", "its mode is client"),
        ("{listen: {endpoints: ['tls/127.0.0.1:0']}}", "TLS"),
        ("{listen: {endpoints: {router: ['pigeon/127.0.0.1:0']}}}", "pigeon"),
    ],
)
def test_a_file_that_is_none_for_a_router_is_a_sentence(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "router.json5"
    if text is not None:
        path.write_text(text)
    code, told = ended("--config", str(path))
    assert code == 4
    assert "EZ-5031  No router can be opened" in told
    assert str(path) in told
    assert said in told
    assert "Traceback" not in told


def test_a_place_and_a_file_are_one_too_many(tmp_path: Path) -> None:
    code, told = ended("--config", str(tmp_path / "router.json5"), "--listen", "127.0.0.1:7447")
    assert (code, told.count("\n")) == (1, 1)
    assert "leave --listen out, or the file" in told


# --- what ends beside it ----------------------------------------------------------------------------------------


async def test_who_ends_while_it_holds_a_message_holds_nobody_up(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a word, and not by a lease that ends."""
    config = tmp_path / "alone.json"
    config.write_text(json.dumps({"mode": "peer", "scouting": {"multicast": {"enabled": False}}, "listen": {}}))
    monkeypatch.setenv("EZMSG_ZENOH_CONFIG", str(config))
    monkeypatch.setattr("ezmsg.zenoh.transport.LEASE_S", 1000.0)
    async with asyncio.timeout(HANG), ez.GraphContext(server) as context:
        publisher: Any = await context.publisher("OUT", transport="zenoh", force_tcp=True, num_buffers=2)
        subscriber = await context.subscriber("OUT")
        await publisher.broadcast("held")
        loan = subscriber.recv_zero_copy()
        assert await loan.__aenter__() == "held"
        assert publisher.window.busy == 1
        for hearing in list(publisher._exchange._plugs._transports["zenoh"]._hearings):
            hearing.give_up()  # as when its event loop closes
        await until(lambda: not publisher.window.busy and not publisher.senders)
        await loan.__aexit__(None, None, None)


def _wait_for(condition: Callable[[], object]) -> None:
    async def waiting() -> None:
        async with asyncio.timeout(HANG):
            await until(condition)

    asyncio.run(waiting())
