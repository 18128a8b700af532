"""Publishers and subscribers on two hosts, which are network namespaces: who is reached where, and what is said of
whom nobody reaches.

Where there can be none, tests/core/pubsub/test_addresses.py still sees on one host how addresses are tried.
"""

import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ezmsg.control.cli import main

Start = Callable[..., Any]

PUBLISHER = """
    async def main():
        async with ez.GraphContext({address}) as context:
            publisher = await context.publisher("SIGNAL", {options})
            say("publishing")
            number = 0
            while True:
                await publisher.broadcast(number)
                number += 1
                await asyncio.sleep(0.02)

    asyncio.run(main())
"""

SUBSCRIBER = """
    async def main():
        async with ez.GraphContext(("10.0.0.1", 25978)) as context:
            subscriber = await context.subscriber("SIGNAL")
            say("listening")
            while True:
                say("heard", await subscriber.recv())

    asyncio.run(main())
"""


SERVER = """
    from ezmsg.graphserver import GraphServer

    server = GraphServer()
    server.start(("{host}", 25978))
    say("serving")
    threading.Event().wait()
"""


READER = """
    import socket

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3)) as everything:
        everything.settimeout(30)
        say("reading")
        packets = 0
        secret = False
        while packets < 100 and not secret:
            packet = everything.recv(65536)
            packets += len(packet) > 100
            secret = b"a secret" in packet
    say("found", secret)
"""


class Hosts:
    """Programs on two machines, each with its user's folder; both know the token."""

    def __init__(self, start: Start, machines: list[str], folder: Path) -> None:
        self._start = start
        self._machines = machines
        self._folder = folder
        self.homes = [folder / f"home_{number}" for number in range(len(machines))]
        for home in self.homes:
            home.mkdir()
            (home / "token").write_text("what both machines know", encoding="utf-8")
            (home / "token").chmod(0o600)
        self._count = 0

    def on(self, machine: int, source: str, *, zenoh: str = "", **words: str) -> Any:
        """Start a program there, which goes by a configuration of Zenoh's if there is one."""
        self._count += 1
        path = self._folder / f"program_{self._count}.py"
        path.write_text("from run_units import *\n" + textwrap.dedent(source.format(**words)), encoding="utf-8")
        runtime = self._folder / f"run_{machine}"
        runtime.mkdir(mode=0o700, exist_ok=True)
        more = {"EZMSG_TOKEN_FILE": str(self.homes[machine] / "token"), "EZMSG_RUNTIME_DIR": str(runtime)}
        if zenoh:
            more["EZMSG_ZENOH_CONFIG"] = zenoh
        return self.command(machine, str(path), **more)

    def command(self, machine: int, *words: str, **more: str) -> Any:
        """Start Python there."""
        command = (*shlex.split(self._machines[machine]), sys.executable, *words)
        return self._start.command(*command, **more)  # type: ignore[attr-defined]

    def serve(self, host: str) -> None:
        """Have a graph server on the first of them."""
        self.on(0, SERVER, host=host).says("serving")

    def run(self, machine: int, command: str) -> None:
        subprocess.run([*shlex.split(self._machines[machine]), *command.split()], check=True)


@pytest.fixture
def hosts(start: Start, machines: list[str], tmp_path: Path) -> Hosts:
    return Hosts(start, machines, tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("", ""),  # as the announcement says, which is by loopback
        ('("127.0.0.1", 25978)', ""),
        ('("10.0.0.1", 25978)', ""),
        ('("127.0.0.1", 25978)', 'host="0.0.0.0"'),
    ],
)
def test_a_publisher_that_reaches_its_server_by_loopback_is_heard_on_another_host(
    hosts: Hosts, host: str, address: str, options: str
) -> None:
    hosts.serve(host)
    subscriber = hosts.on(1, SUBSCRIBER)
    subscriber.says("listening")
    publisher = hosts.on(0, PUBLISHER, address=address, options=options)
    assert subscriber.says("heard")[1] == "0"
    assert "cannot be heard" not in subscriber.errors, subscriber.story()
    assert "did not answer" not in publisher.errors, publisher.story()


def test_a_publisher_on_another_host_is_heard_on_the_servers(hosts: Hosts) -> None:
    hosts.serve("0.0.0.0")
    subscriber = hosts.on(0, SUBSCRIBER.replace("10.0.0.1", "127.0.0.1"))
    subscriber.says("listening")
    hosts.on(1, PUBLISHER, address='("10.0.0.1", 25978)', options="")
    subscriber.says("heard")


def test_who_cannot_be_reached_is_named_with_the_reason_and_tried_again(hosts: Hosts) -> None:
    hosts.serve("0.0.0.0")
    hosts.run(1, "ip route add unreachable 10.0.0.1/32 table 77")
    hosts.run(1, "ip rule add to 10.0.0.1 dport 25999 ipproto tcp table 77")
    subscriber = hosts.on(1, SUBSCRIBER)
    subscriber.says("listening")
    publisher = hosts.on(0, PUBLISHER, address="", options="port=25999")
    publisher.says("publishing")
    told = subscriber.complains("EZ-5022")
    for words in ("SIGNAL", f"/{publisher.pid}", "10.0.0.1:25999 (No route to host)", "host=, port="):
        assert words in told, subscriber.story()
    assert "heard" not in "".join(subscriber.out)
    hosts.run(1, "ip rule del to 10.0.0.1 dport 25999 ipproto tcp table 77")
    subscriber.says("heard")
    assert subscriber.complains("SIGNAL is heard here now")


# --- by TLS -------------------------------------------------------------------------------------------------------


def certify(hosts: Hosts, laboratory: Any, *machines: int) -> None:
    """Put beside the token of each host what is made for it; those that are not named only get the authority's."""
    for machine, home in enumerate(hosts.homes):
        made = laboratory.files(f"host{machine}", f"10.0.0.{machine + 1}")
        named = (made.authority, made.certificate, made.key) if machine in machines else (made.authority,)
        for file in named:
            shutil.copy(file, home)


@pytest.mark.parametrize("secretly", [True, False])
def test_who_reads_the_network_reads_nothing_if_hosts_have_certificates(
    hosts: Hosts, laboratory: Any, secretly: bool
) -> None:
    if secretly:
        certify(hosts, laboratory, 0, 1)
    hosts.serve("0.0.0.0")
    subscribers = [hosts.on(1, SUBSCRIBER), hosts.on(0, SUBSCRIBER)]
    for subscriber in subscribers:
        subscriber.says("listening")
    reader = hosts.on(0, READER)
    reader.says("reading")
    source = PUBLISHER.replace("broadcast(number)", "broadcast(f'a secret {{number}}')")
    for machine, address in ((0, ""), (1, '("10.0.0.1", 25978)')):
        hosts.on(machine, source, address=address, options="").says("publishing")
    for subscriber in subscribers:
        assert subscriber.says("heard")[1:3] == ["a", "secret"], subscriber.story()
    assert reader.says("found")[1] == str(not secretly)


def test_a_host_without_a_certificate_listens_and_keeps_what_it_publishes_to_itself(
    hosts: Hosts, laboratory: Any
) -> None:
    certify(hosts, laboratory, 0)
    hosts.serve("0.0.0.0")
    here, there = hosts.on(0, SUBSCRIBER), hosts.on(1, SUBSCRIBER)
    for subscriber in (here, there):
        subscriber.says("listening")
    hosts.on(0, PUBLISHER, address="", options="").says("publishing")
    there.says("heard")
    keeps = hosts.on(1, PUBLISHER.replace("SIGNAL", "OTHER"), address='("10.0.0.1", 25978)', options="")
    keeps.complains("on this host alone")
    beside = hosts.on(1, SUBSCRIBER.replace("SIGNAL", "OTHER"))
    beside.says("heard")
    elsewhere = hosts.on(0, SUBSCRIBER.replace("SIGNAL", "OTHER"))
    assert "OTHER" in elsewhere.complains("EZ-5022")


# --- through a router of Zenoh ------------------------------------------------------------------------------------


@pytest.mark.parametrize("secretly", [True, False])
def test_hosts_meet_at_a_router_and_who_reads_the_network_reads_nothing_if_they_have_certificates(
    hosts: Hosts, tmp_path: Path, secretly: bool
) -> None:
    certificates, files = tmp_path / "certificates", tmp_path / "files"
    both = ("--host", "lab,10.0.0.1", "--host", "desk,10.0.0.2")
    assert main(["server", "certificates", str(certificates), *both]) == 0
    by = ("--certificates", str(certificates)) if secretly else ()
    assert main(["zenoh", "config", str(files), "--router", "10.0.0.1", *by]) == 0
    lab, desk = (str(files / f"host{name if secretly else ''}.json5") for name in ("-lab", "-desk"))
    router = hosts.command(0, "-m", "ezmsg.control", "zenoh", "router", "--config", str(files / "router.json5"))
    assert f"{'tls' if secretly else 'tcp'}/10.0.0.1:7447" in router.complains("A router of Zenoh listens")
    hosts.serve("0.0.0.0")
    subscriber = hosts.on(0, SUBSCRIBER, zenoh=lab)
    subscriber.says("listening")
    reader = hosts.on(0, READER)
    reader.says("reading")
    source = PUBLISHER.replace("broadcast(number)", "broadcast(f'a secret {{number}}')")
    asked = {"address": '("10.0.0.1", 25978)', "options": 'transport="zenoh"'}
    publisher = hosts.on(1, source, zenoh=desk, **asked)
    publisher.says("publishing")
    assert subscriber.says("heard")[1:3] == ["a", "secret"], subscriber.story()
    assert reader.says("found")[1] == str(not secretly)
