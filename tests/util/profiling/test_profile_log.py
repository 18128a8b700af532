"""The profiler's file: its lines can be read back, and it is the one that is named at the time."""

import csv
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.util.profiling.profile_log import HEADER, get_logger_path, line, logger

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1)


@given(TEXT, st.none() | TEXT, st.none() | st.floats(), st.integers(0, 10**15), st.integers(0, 10**12))
def test_a_line_has_the_columns_of_the_header(
    source: str, topic: str | None, sample_time: float | None, start_ns: int, took_ns: int
) -> None:
    text = line(source, topic, sample_time, start_ns, start_ns + took_ns)
    ((now, *given, end, elapsed),) = csv.reader([text])
    assert len(given) + 3 == len(HEADER.split(","))
    assert given == [source, str(topic), str(sample_time)]
    assert float(end) == pytest.approx((start_ns + took_ns) / 1e9)
    assert float(elapsed) == pytest.approx(took_ns / 1e6, abs=1e-4)
    assert len(now) == len("2026-11-29T04:56:33+0530")


def write(text: str) -> None:
    logger.setLevel(logging.DEBUG)
    logger.debug("%s", text)


def test_the_file_is_made_with_the_first_line(home: Path) -> None:
    path = get_logger_path()
    assert path == home / ".ezmsg" / "profiler" / "ezprofiler.log"
    logger.debug("the logger is at INFO")
    assert not path.parent.exists()
    write("a")
    write("b")
    assert path.read_text() == f"{HEADER}\na\nb\n"


def test_another_name_is_another_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write("a")
    for name, path in (("mine.csv", home / ".ezmsg/profiler/mine.csv"), (str(home / "x/y"), home / "x" / "y")):
        monkeypatch.setenv("EZMSG_PROFILER", name)
        assert get_logger_path() == path
        write("b")
        assert path.read_text() == f"{HEADER}\nb\n"


def test_a_file_that_is_there_is_gone_on_with(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, becomes in ("", f"{HEADER}\na\n"), (f"{HEADER}\nold\n", f"{HEADER}\nold\na\n"):
        path = home / f"{len(text)}.log"
        path.write_text(text)
        monkeypatch.setenv("EZMSG_PROFILER", str(path))
        write("a")
        assert path.read_text() == becomes


def test_a_file_that_cannot_be_written_is_told_once(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("EZMSG_PROFILER", str(home))
    write("a")
    logger.debug("b")
    (told,) = [record.getMessage() for record in caplog.records if record.name == "ezmsg"]
    assert told.startswith("The profiler is off: ")
    assert str(home) in told
    assert told.endswith("Let EZMSG_PROFILER name a file that can be written.")


WRITER = """
import sys
from ezmsg.util.profiling.profile_log import logger
print("ready", flush=True)
sys.stdin.read()
for number in range(200):
    logger.debug("%s %d", sys.argv[1], number)
"""


def test_processes_share_a_file(home: Path) -> None:
    environment = {**os.environ, "EZMSG_LOGLEVEL": "DEBUG"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen([*command, name], env=environment, **pipes) for name in "abc"]
    assert [writer.stdout.readline() for writer in writers if writer.stdout] == ["ready\n"] * 3
    for writer in writers:
        writer.stdin.close()  # type: ignore[union-attr]
    for writer in writers:
        with writer:
            assert writer.wait(30) == 0
    header, *lines = get_logger_path().read_text().splitlines()
    assert header == HEADER
    assert sorted(lines) == sorted(f"{name} {number}" for name in "abc" for number in range(200))


@pytest.mark.parametrize(
    ("environment", "before", "level"),
    [
        ("DEBUG", "", "DEBUG"),
        ("debug", "", "DEBUG"),
        ("INFO", "", "INFO"),
        ("", "", "INFO"),
        ("DEBUG", "import logging; logging.getLogger('ezprofiler').setLevel('WARNING')", "WARNING"),
    ],
)
def test_the_level_is_that_of_ezmsg_unless_it_was_set(environment: str, before: str, level: str) -> None:
    script = f"{before}\nimport logging, ezmsg.util.profiler\nprint(logging.getLogger('ezprofiler').level)"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        env={"EZMSG_LOGLEVEL": environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stdout.split() == [str(logging.getLevelName(level))]
