"""The state file: what was written is there after a kill, whatever else happens; and one server has one file."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.deciding.effects import KeepEdge, KeepSettings
from ezmsg.graphserver.deciding.standing import Standing
from ezmsg.graphserver.files.state import Kept, StateFile
from ezmsg.protocol import errors
from ezmsg.protocol.model.snapshot import Edge

P1 = UUID(int=11)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state")


def reopened(path: str) -> Kept:
    file = StateFile(path)
    file.close()
    return file.kept


def test_a_new_one_is_empty_and_private(path: str) -> None:
    assert reopened(path) == Kept([], {})
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert reopened(path) == Kept([], {})


def test_what_is_written_last_is_read(path: str) -> None:
    file = StateFile(path)
    for change in (
        KeepEdge(Edge("A", "B"), True),
        KeepEdge(Edge("A", "C"), True),
        KeepEdge(Edge("A", "B"), True),
        KeepEdge(Edge("A", "C"), False),
        KeepEdge(Edge("N", "N2"), False),
        KeepSettings("U", Standing({"a": 1}, "me", P1)),
        KeepSettings("U", Standing({"b": 2, "a": [1]}, "you", None)),
        KeepSettings("V", Standing({"c": 3}, "me", P1)),
        KeepSettings("V", Standing()),
    ):
        file.keep(change)
    file.close()
    assert reopened(path) == Kept([Edge("A", "B")], {"U": Standing({"b": 2, "a": [1]}, "you", None)})


@given(values=st.dictionaries(st.text(min_size=1), PLAIN, min_size=1, max_size=4))
def test_every_plain_value_comes_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, Any]) -> None:
    path = str(tmp_path_factory.mktemp("state") / "state")
    file = StateFile(path)
    file.keep(KeepSettings("U", Standing(values, "me", P1)))
    file.close()
    assert reopened(path).settings["U"].values == values


WRITER = """
import os, sys
from ezmsg.graphserver.deciding.effects import KeepEdge
from ezmsg.graphserver.files.state import StateFile
from ezmsg.protocol.model.snapshot import Edge
file = StateFile(sys.argv[1])
for number in range(1_000_000):
    file.keep(KeepEdge(Edge("A", f"B{number:07}"), True))
    os.write(1, b".")
"""


@pytest.mark.parametrize("after", [0, 1, 100, 3000])
def test_who_is_killed_has_written_all_that_it_said(path: str, after: int) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        said = 0
        while said < after:
            said += len(writer.stdout.read(1))
        writer.send_signal(signal.SIGKILL)
        said += len(writer.stdout.read())
    kept = reopened(path).edges
    assert said <= len(kept) <= said + 1
    assert kept == [Edge("A", f"B{number:07}") for number in range(len(kept))]


def test_one_server_has_one_file(path: str) -> None:
    file = StateFile(path)
    code = "import sys; from ezmsg.graphserver.files.state import StateFile; StateFile(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "another server has it" in ran.stderr
    file.keep(KeepEdge(Edge("A", "B"), True))
    file.close()
    assert reopened(path).edges == [Edge("A", "B")]


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be one" * 100, b"SQLite format 3\x00" + b"\xff" * 4096]
)
def test_what_is_no_state_file_is_left_as_it_is(path: str, content: bytes) -> None:
    Path(path).write_bytes(content)
    with pytest.raises(errors.StateUnusable, match="cannot be used"):
        StateFile(path)
    assert Path(path).read_bytes() == content


def test_another_programs_database_and_a_later_form_are_left_as_they_are(path: str) -> None:
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE photos (name TEXT)")
    database.close()
    with pytest.raises(errors.StateUnusable, match="it is of form 0"):
        StateFile(path)
    Path(path).unlink()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 7")
    database.close()
    with pytest.raises(errors.StateUnusable, match="it is of form 7"):
        StateFile(path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(errors.StateUnusable, match=f"its folder {tmp_path / 'none'} is not there"):
        StateFile(str(tmp_path / "none" / "state"))


def test_what_could_not_be_written_is_written_later_and_only_the_last_of_it(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = StateFile(path)
    full = True
    execute = file._connection.execute

    class Connection:
        def execute(self, statement: str, *arguments: Any) -> Any:
            if full and statement.startswith("INSERT"):
                raise sqlite3.OperationalError("database or disk is full")
            return execute(statement, *arguments)

    monkeypatch.setattr(file, "_connection", Connection())
    for held in (True, False, True):
        if held:
            with pytest.raises(errors.StateUnusable, match="disk is full"):
                file.keep(KeepEdge(Edge("A", "B"), held))
        else:
            file.keep(KeepEdge(Edge("A", "B"), held))
    assert file.is_behind
    full = False
    file.catch_up()
    assert not file.is_behind
    monkeypatch.undo()
    file.close()
    assert reopened(path).edges == [Edge("A", "B")]


def test_a_server_with_another_ones_file_does_not_start(spawn: Any, path: str) -> None:
    spawn("--address", "127.0.0.1:0", "--state", path).wait_ready()
    status, log = spawn("--address", "127.0.0.1:0", "--state", path).wait()
    assert status == 1
    assert log.startswith("EZ-3014")
    assert "Traceback" not in log
    assert os.path.exists(path)  # noqa: PTH110
