"""``ezmsg settings`` and ``ezmsg process`` as a user runs them, beside a process whose settings they change."""

import asyncio
import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import numpy as np
import numpy.typing as npt
import pytest

from ezmsg.control import ProcessControlClient
from ezmsg.control.cli import main
from ezmsg.control.settingsmeta import (
    patched,
    settings_repr_value,
    settings_schema_from_value,
    settings_structured_value,
)
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.snapshots.json_form import from_json_form

HANG = 30.0


@dataclass
class Filter:
    cutoff: float = field(
        default=40.0, metadata={"min": 0.1, "max": 500.0, "unit": "Hz", "description": "Its edge."}
    )
    name: str = "a"


class Owner(threading.Thread):
    """A process of two units; the settings of one can be changed, those of the other are stuck."""

    def __init__(self, server: GraphServer) -> None:
        super().__init__()
        self.settings: Any = Filter()
        self.registered = threading.Event()
        self._server = server

    def run(self) -> None:
        asyncio.run(self._live())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self.join(HANG)
        assert not self.is_alive()

    async def _live(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        client = ProcessControlClient(self._server.address)
        client.set_settings_handler(self._change)
        await client.register(["P/FILTER", "P/STUCK"])
        for unit in ("P/FILTER", "P/STUCK"):
            await client.report_settings_update(unit, self._value())
        self.registered.set()
        await self._end.wait()
        await client.close()

    async def _change(self, address: str, path: str, value: Any) -> SettingsSnapshotValue:
        if address == "P/STUCK":
            await self._end.wait()
        self.settings = patched(self.settings, path, value)
        return self._value()

    def _value(self) -> SettingsSnapshotValue:
        settings = self.settings
        return SettingsSnapshotValue(
            b"opaque",
            settings_repr_value(settings),
            settings_structured_value(settings),
            settings_schema_from_value(settings),
        )


@pytest.fixture
def owner(server: GraphServer) -> Iterator[Owner]:
    owner = Owner(server)
    owner.start()
    assert owner.registered.wait(HANG)
    yield owner
    owner.stop()


def ezmsg(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in this process, which is as good as one of its own and sooner there."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def said(*arguments: str) -> list[str]:
    """The lines of a command that went well."""
    done = ezmsg(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# The server of these tests is found by its announcement: no command is told where it is.


@pytest.mark.usefixtures("owner")
def test_settings_are_shown(server: GraphServer) -> None:
    done = ezmsg("settings")
    assert done.stdout.splitlines() == [
        "P/FILTER   Filter   revision 0   cutoff 40.0 Hz   name a",
        "P/STUCK    Filter   revision 0   cutoff 40.0 Hz   name a",
    ]
    assert done.stderr == f"2 components at {server.address}\n"
    assert said("settings", "get", "P/F") == [
        "P/FILTER   Filter   revision 0",
        "  cutoff   40.0 Hz   0.1 .. 500",
        "  name     a         a text",
    ]
    assert said("settings", "describe", "P/F")[1:3] == [
        "  cutoff   number   0.1 .. 500 Hz   default 40.0",
        "      Its edge.",
    ]


@pytest.mark.usefixtures("owner")
def test_settings_as_json(server: GraphServer) -> None:
    (line,) = said("settings", "--json")
    listed = json.loads(line)
    assert (listed["$schema"], listed["server"], listed["seq"]) == ("ezmsg.settings/1", str(server.address), 2)
    assert listed["components"]["P/FILTER"]["value"] == {"cutoff": 40.0, "name": "a"}
    (line,) = said("settings", "get", "P/F", "--json")
    assert json.loads(line)["component"] == "P/FILTER"
    (line,) = said("settings", "describe", "P/F", "--json")
    assert json.loads(line)["properties"]["cutoff"]["maximum"] == 500.0
    (line,) = said("settings", "set", "P/F", "cutoff=60", "--json")
    changed = json.loads(line)
    assert changed["$schema"] == "ezmsg.settings.change/1"
    assert (changed["before"]["revision"], changed["after"]["revision"]) == (0, 1)


def test_a_setting_is_changed(owner: Owner) -> None:
    done = ezmsg("settings", "set", "P/F", "cutoff=60")
    assert (done.returncode, done.stdout) == (0, "P/FILTER   0 -> 1   cutoff 40.0 -> 60.0\n")
    assert re.fullmatch(r"applied in [0-9.]+ ms\n", done.stderr)
    assert said("settings", "set", "P/F", "cutoff=70", "name=7", "--expect", "1") == [
        "P/FILTER   1 -> 2   cutoff 60.0 -> 70.0   name a -> 7"
    ]
    assert owner.settings == Filter(70.0, "7")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["P/F", "cutoff=900"], 4, r"EZ-4101  cutoff cannot be 900: it takes a number from 0.1 to 500\. "),
        (["P/F", "cutoff=high"], 4, "EZ-4101  cutoff cannot be 'high'"),
        (["P/F", "name=b", "cutoff=900"], 4, "EZ-4101  cutoff cannot be 900"),
        (["P/F", "nothing=1"], 4, "EZ-4102  .*its fields are: cutoff, name"),
        (["P/F", "cutoff=50", "--expect", "7"], 4, "EZ-2011  .* at revision 7, but they are at revision 0"),
        (["P/S", "cutoff=50", "--timeout", "1.5"], 5, "EZ-3007  .*may still be applied"),
        (["P/X", "cutoff=50"], 2, "EZ-4008  No component with settings has an address that is 'P/X' or "),
        (["P/", "cutoff=50"], 2, "EZ-4008  'P/' begins several"),
        (["P/F", "cutoff"], 2, "EZ-4010  "),
        (["P/F"], 2, "EZ-4010  Nothing says which field becomes what"),
        (["P/F", "cutoff=1", "cutoff=2"], 2, "EZ-4010  'cutoff=2' sets a field that is set already"),
        (["P/F", "cutoff=50", "--timeout", "-1"], 2, 'Invalid value "-1.0" for --timeout'),
    ],
)
def test_what_is_refused(owner: Owner, arguments: list[str], code: int, words: str) -> None:
    done = ezmsg("settings", "set", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert re.search(f"^ezmsg: {words}", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert owner.settings == Filter()


@pytest.mark.usefixtures("owner")
def test_a_refusal_says_what_is_allowed_and_what_there_is() -> None:
    refused = ezmsg("settings", "set", "P/F", "cutoff=900").stderr.splitlines()
    assert refused[1:] == ["       cutoff   now 40.0 Hz   allowed 0.1 .. 500 Hz   Its edge."]


@pytest.mark.usefixtures("owner")
def test_two_who_change_at_once_both_have_their_way() -> None:
    commands = [["cutoff=50"], ["name=b"]]
    with contextlib.ExitStack() as stack:
        running = [stack.enter_context(command("settings", "set", "P/F", *each)) for each in commands]
        for each in running:
            each.communicate(timeout=HANG)
        assert [each.returncode for each in running] == [0, 0]
    assert said("settings")[0] == "P/FILTER   Filter   revision 2   cutoff 50.0 Hz   name b"


@pytest.mark.usefixtures("owner")
def test_of_two_who_expect_the_same_one_is_refused() -> None:
    with contextlib.ExitStack() as stack:
        arguments = ("settings", "set", "P/F", "--expect", "0")
        running = [stack.enter_context(command(*arguments, each)) for each in ("cutoff=50", "name=b")]
        errors = [each.communicate(timeout=HANG)[1] for each in running]
        assert sorted(each.returncode for each in running) == [0, 4]
    assert sum("EZ-2011" in each for each in errors) == 1
    assert "revision 1 " in said("settings")[0]


@pytest.mark.usefixtures("owner")
def test_changes_are_watched() -> None:
    with command("settings", "watch", "P/F", "--count", "2") as watching:
        assert watching.stderr is not None
        assert watching.stderr.readline().startswith("Watching the settings of P/FILTER at ")
        for change in ("cutoff=50", "name=b"):
            said("settings", "set", "P/FILTER", change)
        out, _ = watching.communicate(timeout=HANG)
        assert watching.returncode == 0
    assert [line.partition("   ")[2] for line in out.splitlines()] == [
        "P/FILTER   revision 1   cutoff 40.0 -> 50.0",
        "P/FILTER   revision 2   name a -> b",
    ]


@pytest.mark.usefixtures("owner")
def test_watching_as_json_until_it_is_interrupted() -> None:
    with command("settings", "watch", "--json") as watching:
        assert watching.stderr is not None
        assert watching.stdout is not None
        assert "every component" in watching.stderr.readline()
        said("settings", "set", "P/F", "cutoff=50")
        event = json.loads(watching.stdout.readline())
        said("settings", "set", "P/F", "cutoff=60")
        assert "$schema" not in json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(HANG) == 130
    assert event["$schema"] == "ezmsg.settings.event/1"
    assert (event["event_type"], event["component_address"]) == ("SETTINGS_UPDATED", "P/FILTER")
    assert event["value"]["value"] == {"cutoff": 50.0, "name": "a"}


def test_who_watches_waits_for_a_server_that_is_gone() -> None:
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    with command("settings", "watch", "--address", str(server.address)) as watching:
        assert watching.stderr is not None
        assert watching.stderr.readline().startswith("Watching ")
        server.stop()
        assert watching.stderr.readline() == f"{server.address} is gone; waiting for it.\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(HANG) == 130


@pytest.mark.usefixtures("owner")
def test_processes_are_shown(server: GraphServer) -> None:
    done = ezmsg("process")
    assert done.returncode == 0
    head, row = done.stdout.splitlines()
    assert head.split()[:3] == ["PID", "HOST", "UNITS"]
    assert row.split()[0] == str(os.getpid())
    assert "P/FILTER STUCK" in row
    assert row.removesuffix("   -").endswith(("ms", "!"))
    *marks, note = done.stderr.splitlines()
    assert note == f"1 process at {server.address}"
    assert bool(marks) == ("!" in row), "a mark is explained where there is one"
    (line,) = said("process", "--json")
    fare = json.loads(line)
    assert (fare["$schema"], fare["pid"], fare["failure"]) == ("ezmsg.process/1", os.getpid(), None)
    assert fare["memory_bytes"] > 0


@pytest.mark.usefixtures("owner")
def test_a_process_is_pinged() -> None:
    (line,) = said("process", "ping", "P/F")
    assert re.fullmatch(rf"P/FILTER   pid {os.getpid()} on .*   answered in [0-9.]+ ms", line)
    (line,) = said("process", "ping", "P/F", "--json")
    assert json.loads(line)["unit"] == "P/FILTER"
    assert ezmsg("process", "ping", "Q").returncode == 2
    done = ezmsg("process", "ping", "P/F", "--timeout", "0")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.usefixtures("owner")
def test_what_a_noun_alone_lists_is_listed_by_list_too() -> None:
    assert said("settings", "list") == said("settings")
    assert said("process", "list")[0].split() == said("process")[0].split()


def test_help_names_the_verbs_inside() -> None:
    assert all(verb in "\n".join(said("settings", "--help")) for verb in ("get", "set", "describe", "watch"))
    assert "--expect" in "\n".join(said("settings", "set", "--help"))
    assert "ping" in "\n".join(said("process", "--help"))


def test_nobody_is_there() -> None:
    done = ezmsg("settings", "--address", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (3, "")
    assert ezmsg("process", "--address", "127.0.0.1:1").returncode == 3


def test_of_several_servers_one_has_to_be_named(server: GraphServer, monkeypatch: pytest.MonkeyPatch) -> None:
    other = GraphServer()
    other.start(("127.0.0.1", 0))
    try:
        done = ezmsg("settings")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(
            "ezmsg: EZ-4009  Several graphs of yours run here, and nobody said which one "
        )
        assert all(str(each.address) in done.stderr for each in (server, other))
        monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", str(other.address))
        assert ezmsg("settings").returncode == 0
    finally:
        other.stop()


def command(*arguments: str) -> "subprocess.Popen[str]":
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@dataclass
class Taps:
    taps: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))
    limit: float = float("inf")


def test_arrays_and_infinity_are_shown_and_set(server: GraphServer) -> None:
    owner = Owner(server)
    owner.settings = Taps()
    owner.start()
    assert owner.registered.wait(HANG)
    try:
        (_, taps, limit) = said("settings", "get", "P/F")
        assert taps.endswith(" [[0.0, 0.0], [0.0, 0.0]]   an array like [[1, 2], [3, 4]]")
        assert limit.split() == ["limit", "inf", "a", "number"]
        (line,) = said("settings", "set", "P/F", "taps=[[1,2],[3,4]]")
        assert line == "P/FILTER   0 -> 1   taps [[0.0, 0.0], [0.0, 0.0]] -> [[1.0, 2.0], [3.0, 4.0]]"
        np.testing.assert_array_equal(owner.settings.taps, [[1.0, 2.0], [3.0, 4.0]])
        assert owner.settings.taps.dtype == np.float64
        (line,) = said("settings", "get", "P/F", "--json")
        form = json.loads(line)["value"]
        assert form["limit"] == {"$number": "inf"}
        (line,) = said("settings", "describe", "P/F", "--json")
        jsonschema.validate(form, json.loads(line))
        assert from_json_form(form)["limit"] == float("inf")
        said("settings", "set", "P/F", "limit=nan")
        assert owner.settings.limit != owner.settings.limit
    finally:
        owner.stop()
