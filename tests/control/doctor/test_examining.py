"""All examinations together: a broken one is a finding, and the command tells what was found."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from ezmsg.control.cli import main
from ezmsg.control.doctor.examination import GROUP, Examination, Surroundings
from ezmsg.control.doctor.examining import examine, known_examinations
from ezmsg.control.doctor.findings import Verdict, ok
from ezmsg.control.doctor.server import SERVER
from ezmsg.control.doctor.tokens import TOKENS

HANG = 30.0
HERE = sys.modules[__name__]


async def broken(_: Surroundings) -> None:
    raise OSError(5, "the disk is gone")


async def seen(surroundings: Surroundings) -> Surroundings:
    return surroundings


BROKEN = Examination("a broken thing", broken, lambda _: [ok("never said")])
SEEN = Examination("a look", seen, lambda record: [ok(f"{record.connection is not None} {record.named}")])


def point(name: str, place: str) -> EntryPoint:
    return EntryPoint(name, place, GROUP)


async def run(address: Any, **places: str) -> dict[str, list[Any]]:
    points = {name: point(name, place) for name, place in places.items()}
    return {name: findings async for name, findings in examine(address, HANG, points)}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "of_this_test", HERE)


async def test_what_breaks_is_a_finding_and_the_others_go_on(server: Any) -> None:
    found = await run(
        server.address, first="nowhere_at_all:THING", second="of_this_test:BROKEN", third="of_this_test:SEEN"
    )
    (first,), (second,), (third,) = found.values()
    assert first.verdict is second.verdict is Verdict.FAIL
    assert first.text.startswith("the examination 'first' cannot be loaded: ModuleNotFoundError")
    assert second.text == "the examination of a broken thing broke off: OSError: [Errno 5] the disk is gone"
    assert third == ok("True True")


async def test_without_a_server_what_needs_none_is_examined(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "127.0.0.1:1")
    found = await run(None, seen="of_this_test:SEEN", server="ezmsg.control.doctor.server:SERVER")
    assert found["seen"] == [ok("False True")]
    assert [finding.verdict for finding in found["server"]] == [Verdict.FAIL]


async def test_a_real_server_and_its_peers(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EZMSG_INSECURE")
    found = await run(server.address, server="ezmsg.control.doctor.server:SERVER")
    of_server, of_peers = found["server"]
    assert of_server.verdict is of_peers.verdict is Verdict.OK
    assert "; up 0 s" in of_server.text or "; up " in of_server.text
    assert of_peers.text.endswith("is spoken by 1 of 1 peer")


def test_ours_come_first_and_cannot_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = [point("server", "of_this_test:BROKEN"), point("zeta", "of_this_test:SEEN")]
    monkeypatch.setattr("ezmsg.control.doctor.examining.entry_points", lambda group: theirs)
    known = known_examinations()
    assert list(known) == ["installation", "server", "processes", "tokens", "zeta"]
    assert known["server"].load() is SERVER
    assert known["tokens"].load() is TOKENS


def test_the_command(server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EZMSG_INSECURE")
    assert main(["doctor", "--address", str(server.address)]) == 0
    said = capsys.readouterr()
    assert f" ok    server {server.address} answers in" in said.out
    assert " ok    shared memory: " in said.out  # the core's own
    assert said.err.startswith("0 failed, ")


def test_the_command_for_programs_ends_with_1_if_something_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--address", "127.0.0.1:1"]) == 1
    first, *more = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["$schema"] == "ezmsg.doctor/1"
    assert [each["verdict"] for each in (first, *more) if each["examination"] == "server"] == ["fail"]


def test_python_m_is_a_way_in_that_no_other_package_owns(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ezmsg.control", "doctor", "--address", "127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.returncode == 1
    assert " FAIL  no graph server: EZ-3001" in done.stdout
