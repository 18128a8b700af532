"""Whatever is wrong with what a verb is given or meets: a sentence, an exit code, nothing broken on the screen."""

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import make_dataclass
from typing import Any, Self

import pytest
from tests.tui import states
from tests.tui.conftest import _own_environment  # noqa: F401  nothing of the developer's machine is seen

from ezmsg.control import ControlConnection, ProcessControlClient, Session
from ezmsg.control.cli import main
from ezmsg.control.rendering.columns import places
from ezmsg.control.settingsmeta import settings_repr_value, settings_schema_from_value, settings_structured_value
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.settings import SettingsSnapshotValue

HANG = 60.0
LOOKS = (
    ["graph"],
    ["graph", "--dot"],
    ["topic"],
    ["topic", "hz"],
    ["topic", "info", "A"],
    ["topic", "echo", "A"],
    ["topic", "pub", "A", "1"],
    ["unit"],
    ["unit", "info", "A"],
    ["session"],
    ["session", "drop", "A"],
    ["events"],
    ["settings"],
    ["settings", "get", "A"],
    ["settings", "history", "A"],
    ["process"],
    ["process", "info", "A"],
    ["profile", "snapshot"],
    ["profile", "blame"],
    ["snapshot"],
    ["shutdown"],
)


@pytest.fixture
def server() -> Iterator[GraphServer]:
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


class Program(threading.Thread):
    """A program that describes units, and has one that has settings."""

    def __init__(self, server: GraphServer, components: dict[str, Any], settings: Any = None) -> None:
        super().__init__(daemon=True)
        self._address = Address(*server.address)
        self._components, self._settings = components, settings
        self._ready, self._end = threading.Event(), threading.Event()

    def __enter__(self) -> Self:
        self.start()
        assert self._ready.wait(HANG)
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self.join(HANG)
        assert not self.is_alive()

    def run(self) -> None:
        asyncio.run(self._live())

    async def _live(self) -> None:
        connection = await ControlConnection.open(self._address)
        session = Session(connection)
        await session.open()
        await session.register_metadata(GraphMetadata(1, None, self._components))
        client = ProcessControlClient(self._address)
        await client.register([next(iter(self._components))])
        if self._settings is not None:
            value = SettingsSnapshotValue(
                None,
                settings_repr_value(self._settings),
                settings_structured_value(self._settings),
                settings_schema_from_value(self._settings),
            )
            await client.report_settings_update(next(iter(self._components)), value)
        self._ready.set()
        await asyncio.to_thread(self._end.wait)
        await client.close()
        await session.close()
        await connection.close()


def worker(address: str) -> Any:
    return states.unit(address, "Worker", [f"{address}/INPUT", f"{address}/OUTPUT"])


def ran(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(words)
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return code, told.out, told.err


@pytest.mark.parametrize("verb", LOOKS, ids=" ".join)
def test_no_server(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    code, out, err = ran(capsys, *verb, "--address", address)
    assert (code, out) == (3, "")
    assert err.startswith("ezmsg: EZ-3001  No graph server answers")


@pytest.mark.parametrize("verb", LOOKS, ids=" ".join)
def test_a_wrong_token(
    verb: list[str], server: GraphServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EZMSG_TOKEN", "guessed")
    code, out, err = ran(capsys, *verb, "--address", str(Address(*server.address)), "--timeout", "30")
    assert (code, out) == (4, "")
    assert err.startswith("ezmsg: EZ-3003  Authentication failed")


@pytest.mark.parametrize("verb", LOOKS, ids=" ".join)
def test_an_address_that_is_none(verb: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(capsys, *verb, "--address", "nowhere")
    assert (code, out) == (2, "")
    assert "EZ-3006" in err


def test_a_server_that_goes_in_the_middle(server: GraphServer, capsys: pytest.CaptureFixture[str]) -> None:
    began_s = time.monotonic()
    seen = threading.Event()

    def stop_when_it_is_there() -> None:
        async def wait() -> None:
            connection = await ControlConnection.open(Address(*server.address))
            from ezmsg.control.graph.operations import take_peers

            while len(await take_peers(connection)) < 2:  # noqa: ASYNC110  nothing tells of it
                await asyncio.sleep(0.05)
            await connection.close()

        asyncio.run(asyncio.wait_for(wait(), HANG))
        server.stop()
        seen.set()

    thread = threading.Thread(target=stop_when_it_is_there)
    thread.start()
    code, out, err = ran(capsys, "topic", "hz", "--window", "300", "--address", str(Address(*server.address)))
    thread.join(HANG)
    assert seen.is_set()
    assert time.monotonic() - began_s < 2 * HANG
    assert (code, out) == (3, "")
    assert err.startswith("ezmsg: EZ-300")


@pytest.mark.parametrize(
    "words",
    [
        ["topic", "info", "BIG/UNTI0/INPUT"],
        ["topic", "hz", "BIG/UNTI0/INPUT"],
        ["unit", "info", "BIG/UNTI0"],
        ["process", "info", "BIG/UNTI0"],
        ["process", "ping", "BIG/UNTI0"],
        ["process", "stacks", "BIG/UNTI0"],
        ["session", "drop", "zzz"],
        ["settings", "get", "BIG/UNTI0"],
        ["settings", "undo", "BIG/UNTI0"],
    ],
    ids=" ".join,
)
def test_a_name_that_is_none(words: list[str], server: GraphServer, capsys: pytest.CaptureFixture[str]) -> None:
    with Program(server, {"BIG/UNIT0": worker("BIG/UNIT0")}, settings=None):
        code, out, err = ran(capsys, *words, "--timeout", "30")
    assert (code, out) == (2, "")
    assert "EZ-4008" in err


@pytest.mark.parametrize("count", [1, 2000])
def test_graphs_of_one_and_of_two_thousand_units(
    count: int, server: GraphServer, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"BIG/UNIT{number}" for number in range(count)]
    with Program(server, {name: worker(name) for name in names}):
        for words, least in ((["unit"], count), (["topic"], 2 * count), (["graph"], 2 * count)):
            code, out, _ = ran(capsys, *words, "--timeout", "30")
            assert code == 0
            assert len(out.splitlines()) >= least
        _, out, _ = ran(capsys, "unit", "--json", "--timeout", "30")
        assert [json.loads(line)["address"] for line in out.splitlines()] == sorted(names)


def test_settings_of_a_thousand_fields(server: GraphServer, capsys: pytest.CaptureFixture[str]) -> None:
    wide = make_dataclass("Wide", [(f"field_{number}", float, 1.0) for number in range(1000)])
    with Program(server, {"P": worker("P")}, wide()):
        code, out, _ = ran(capsys, "settings", "get", "P", "--timeout", "30")
        assert (code, len(out.splitlines())) == (0, 1001)
        code, out, _ = ran(capsys, "settings", "--timeout", "30")
        assert code == 0
        assert len(out) < 2000
        _, out, _ = ran(capsys, "settings", "get", "P", "--json", "--timeout", "30")
        assert len(json.loads(out)["value"]) == 1000


def test_a_unit_without_a_schema(server: GraphServer, capsys: pytest.CaptureFixture[str]) -> None:
    with Program(server, {"P": worker("P")}, settings=object()):
        code, out, _ = ran(capsys, "settings", "get", "P", "--timeout", "30")
        assert code == 0
        assert "object" in out
        code, _, err = ran(capsys, "settings", "set", "P", "a=1", "--timeout", "30")
        assert code in (2, 4)
        assert err.startswith("ezmsg: EZ-")


def test_wide_letters_take_two_places(server: GraphServer, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["実験/濾波器", "LAB/FILTER", "LAB/ÜBERGANG"]
    with Program(server, {name: worker(name) for name in names}):
        code, out, _ = ran(capsys, "unit", "--timeout", "30")
    assert code == 0
    ends = {places(line[: line.index(" Worker")]) for line in out.splitlines() if " Worker" in line}
    assert len(ends) == 1


def test_a_clock_that_went_back(
    server: GraphServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Program(server, {"P": worker("P")}):
        monkeypatch.setattr("time.time", lambda: 1.0)
        for words in (["session"], ["server"], ["process"], ["events"]):
            code, out, _ = ran(capsys, *words, "--timeout", "30")
            assert code == 0
            assert not re.search(r"-\d+ ?(s|ms|m\d\ds)\b", out), "it lasts for less than nothing"
