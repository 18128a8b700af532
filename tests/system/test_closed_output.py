"""Programs that print for a reader that has had enough, as ``python first.py | head -2`` does."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

HANG = 30.0

PROGRAM = """
    from run_units import *

    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def count(self):
            for number in range(100_000):
                yield self.OUTPUT, number
                await asyncio.sleep(0.001)

    class Show(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def show(self, number):
            print(number, flush={flush})

    class Task(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.task
        async def show(self):
            for number in range(100_000):
                print(number, flush={flush})
                await asyncio.sleep(0.001)

    class Publisher(Task):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def show(self):
            for number in range(100_000):
                print(number, flush={flush})
                yield self.OUTPUT, number
                await asyncio.sleep(0.001)

    class Beside(ez.Unit):
        '''Is not hindered by it, and ends the run.'''

        INPUT = ez.InputStream(int)
        got = 0

        @ez.subscriber(INPUT)
        async def take(self, number):
            self.got += 1
            if pathlib.Path(sys.argv[1]).exists():
                raise ez.NormalTermination

    if __name__ == "__main__":
        import pathlib
        start_as("{method}" or "spawn")
        source, show, beside = Source(), {what}(), Beside()
        ez.run(
            SOURCE=source, SHOW=show, BESIDE=beside,
            connections=((source.OUTPUT, show.INPUT), (source.OUTPUT, beside.INPUT)),
            process_components=(show,) if "{method}" else (),
        )
"""


@pytest.mark.parametrize(
    ("what", "method", "flush"),
    [
        ("Show", "", True),
        ("Show", "", False),
        ("Show", "fork", True),
        ("Show", "spawn", True),
        ("Show", "spawn", False),
        ("Show", "forkserver", True),
        ("Task", "", True),
        ("Publisher", "spawn", True),
    ],
)
def test_what_prints_ends_with_one_word_and_all_else_goes_on(
    tmp_path: Path, environment: dict[str, str], what: str, method: str, flush: bool
) -> None:
    path, told, done = tmp_path / "first.py", tmp_path / "told", tmp_path / "done"
    path.write_text(textwrap.dedent(PROGRAM.format(what=what, method=method, flush=flush)), encoding="utf-8")
    environment.pop("PYTHONUNBUFFERED", None)
    with told.open("w", encoding="utf-8") as errors:
        program = subprocess.Popen(
            [sys.executable, str(path), str(done)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        assert program.stdout is not None
        assert [program.stdout.readline() for _ in range(2)] == ["0\n", "1\n"]
        program.stdout.close()
        follow(told, "SHOW:show, which prints, is not called any more; all else goes on", program)
        done.touch()
        assert program.wait(HANG) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        program.wait(HANG)
    text = told.read_text(encoding="utf-8")
    assert text.count("which prints") == 1
    for words in ("BrokenPipe", "Traceback", "Exception ignored"):
        assert words not in text, text


def follow(log: Path, words: str, program: "subprocess.Popen[str]") -> None:
    """Wait until a program's log has these words."""
    deadline_s = time.monotonic() + HANG
    while words not in log.read_text(encoding="utf-8"):
        assert program.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline_s, log.read_text(encoding="utf-8")
        time.sleep(0.02)
