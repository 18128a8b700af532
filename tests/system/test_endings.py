"""Endings as a machine brings them: signals to a whole group, a closed terminal, twice the same Ctrl-C, a log that
nobody reads, streams that are closed; every unit's ``shutdown()`` runs wherever its code still can.
"""

import contextlib
import logging
import logging.handlers
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

HANG = 30.0
METHODS = ["fork", "spawn", "forkserver"]
SHUTDOWNS = ("PAIR/TICKER", "PAIR/LISTENER", "HERE")

Start = Callable[..., Any]

THREE = """
    if __name__ == "__main__":
        start_as("{method}")
        ez.run(PAIR=Pair(), HERE=Here())
        say("after")
"""


def flowing(start: Start, method: str, **more: str) -> Any:
    """Return a program of three processes through which messages flow."""
    program = start(THREE.format(method=method), **more)
    program.says("running HERE")
    program.says("got PAIR/LISTENER 3")
    return program


def shut_down(program: Any) -> None:
    for address in SHUTDOWNS:
        program.says(f"shutdown {address}")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_ends_every_unit_in_good_order(
    start: Start, method: str, number: signal.Signals
) -> None:
    program = flowing(start, method)
    program.signal(number, group=True)
    assert program.ends() == 128 + number
    shut_down(program)
    assert "Traceback" not in program.errors
    assert "did not stop" not in program.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_one_worker_ends_the_run_in_good_order(start: Start, number: signal.Signals) -> None:
    program = flowing(start, "spawn")
    pid = int(program.says("running PAIR/TICKER")[2])
    program.note_belongings()
    os.kill(pid, number)
    assert program.ends() == 128 + number
    shut_down(program)


def test_nohup_is_respected(start: Start) -> None:
    program = start(
        """
        if __name__ == "__main__":
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            start_as("spawn")
            ez.run(PAIR=Pair(), HERE=Here())
        """
    )
    program.says("running HERE")
    program.says("got PAIR/LISTENER 3")
    program.signal(signal.SIGHUP, group=True)
    ticks = len([line for line in program.out if line.startswith("got")])
    assert ticks
    program.signal(signal.SIGTERM, group=True)
    assert program.ends() == 143
    shut_down(program)


def test_two_interrupts_at_once_are_one(start: Start) -> None:
    program = flowing(start, "spawn")
    # Both from a shell, one right behind the other: between two of its own, this test would look at all processes.
    program.note_belongings()
    both = f"kill -s INT -- -{program.pid} {program.pid}"
    subprocess.run(["sh", "-c", both], check=True)
    # If the shell was not, the second one finds the program behind run().
    assert program.ends() in (0, 130)
    shut_down(program)
    program.says("after")
    assert "force" not in program.errors.replace("Once more ends it with force", "")


def test_a_second_wish_is_force_and_is_said(start: Start) -> None:
    program = start(
        """
        a = Blocker()
        ez.run(A=a, PAIR=Pair(), process_components=(a,))
        """
    )
    program.says("blocking A")
    program.signal(signal.SIGINT, group=True)
    program.says("shutdown PAIR/TICKER")
    time.sleep(0.6)  # so that it is another wish: it is the time between the two that this is about
    program.signal(signal.SIGINT, group=True)
    assert program.ends() == 130
    assert "Asked once more: what has not stopped by now is ended with force" in program.errors


# --- a log that nobody reads --------------------------------------------------------------------------------

WORDY = """
    class Wordy(ez.Unit):
        @ez.task
        async def talk(self):
            say("running", self.address, os.getpid())
            while True:
                ez.logger.info("x" * 1000)
                await asyncio.sleep(0)

        async def shutdown(self):
            say("shutdown", self.address)

    if __name__ == "__main__":
        start_as("{method}")
        a, b = Wordy(), Wordy()
        ez.run(A=a, B=b, process_components=(b,), shutdown_timeout=5.0)
"""


@pytest.fixture
def unread(tmp_path: Path, environment: dict[str, str]) -> Any:
    """Start a program whose standard error is a pipe that is full, and that nobody reads."""
    started: list[subprocess.Popen[str]] = []
    ends: list[int] = []

    def start_unread(source: str) -> subprocess.Popen[str]:
        path = tmp_path / "program.py"
        path.write_text("from run_units import *\n" + textwrap.dedent(source), encoding="utf-8")
        read, write = os.pipe()
        ends.extend((read, write))
        os.set_blocking(write, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(write, b"." * 4096)
        os.set_blocking(write, True)
        started.append(
            subprocess.Popen(
                [sys.executable, str(path)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=write,
                text=True,
                start_new_session=True,
            )
        )
        return started[-1]

    yield start_unread
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(HANG)
        assert process.stdout is not None
        process.stdout.close()
    for end in ends:
        os.close(end)


def lines_until(process: subprocess.Popen[str], *beginnings: str) -> list[str]:
    assert process.stdout is not None
    wanted, lines = set(beginnings), []
    while wanted:
        line = process.stdout.readline()
        assert line, lines
        lines.append(line)
        wanted -= {each for each in wanted if line.startswith(each)}
    return lines


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_log_that_nobody_reads_holds_up_no_ending(unread: Any, method: str) -> None:
    program = unread(WORDY.format(method=method))
    lines_until(program, "running A", "running B")
    os.killpg(program.pid, signal.SIGTERM)
    lines_until(program, "shutdown A", "shutdown B")
    assert program.wait(HANG) == 143


def test_a_worker_whose_log_nobody_reads_does_not_outlive_its_runner(unread: Any) -> None:
    program = unread(WORDY.format(method="spawn"))
    lines = lines_until(program, "running A", "running B")
    worker = psutil.Process(next(int(line.split()[2]) for line in lines if line.startswith("running B")))
    program.kill()
    lines_until(program, "shutdown B")
    _, alive = psutil.wait_procs([worker], HANG)
    assert not alive


# --- streams, threads, slow beginnings and slow ends --------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_program_whose_streams_are_closed_runs(tmp_path: Path, environment: dict[str, str], closed: str) -> None:
    path, told = tmp_path / "program.py", tmp_path / "told"
    path.write_text(
        f"""
import multiprocessing, os
import ezmsg.core as ez

class Teller(ez.Unit):
    @ez.task
    async def tell(self):
        assert os.fstat(0) and os.fstat(1) and os.fstat(2)
        with open({str(told)!r}, "a") as file:
            file.write(self.address + "\\n")

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    a, b = Teller(), Teller()
    ez.run(A=a, B=b, process_components=(b,))
""",
        encoding="utf-8",
    )
    command = ["sh", "-c", f'exec "$0" "$1" {closed}', sys.executable, str(path)]
    environment.pop("PYTHONWARNINGS")
    assert subprocess.run(command, env=environment, timeout=HANG, check=False).returncode == 0
    assert sorted(told.read_text(encoding="utf-8").split()) == ["A", "B"]


def test_a_server_whose_streams_are_closed_serves(tmp_path: Path, environment: dict[str, str]) -> None:
    command = f"exec '{sys.executable}' -m ezmsg.graphserver --address 127.0.0.1:0 <&- >&- 2>&-"
    server = subprocess.Popen(["sh", "-c", command], env=environment)
    deadline_s = time.monotonic() + HANG
    while not list((tmp_path / "run").glob("server-*.json")):
        assert server.poll() is None
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    server.send_signal(signal.SIGHUP)
    assert server.wait(HANG) == 0


def test_a_program_may_end_over_a_run_in_a_daemon_thread(start: Start) -> None:
    program = start(
        """
        if __name__ == "__main__":
            start_as("spawn")
            threading.Thread(target=ez.run, kwargs=dict(PAIR=Pair(), HERE=Here()), daemon=True).start()
            sys.stdin.readline()
        """,
        stdin=subprocess.PIPE,
    )
    program.says("running HERE")
    program.says("got PAIR/LISTENER 3")
    program.note_belongings()
    program.process.stdin.write("\n")
    program.process.stdin.flush()
    assert program.ends() == 0
    shut_down(program)


@pytest.mark.parametrize("wait", ["await asyncio.Event().wait()", "time.sleep(60)"])
def test_who_is_waited_for_at_the_start_is_named(start: Start, wait: str) -> None:
    program = start(
        f"""
        import time
        import ezmsg.core.runtime.supervisor as supervisor

        class Slow(ez.Unit):
            async def initialize(self):
                say("initializing")
                {wait}  # the line in question

        if __name__ == "__main__":
            supervisor.TELL_S = 0.2
            start_as("fork")
            slow = Slow()
            ez.run(SLOW=slow, HERE=Here(), process_components=(slow,), shutdown_timeout=1.0)
        """
    )
    program.says("initializing")
    deadline_s = time.monotonic() + HANG
    while "cannot start before this is done: SLOW: initialize() at" not in program.errors:
        assert time.monotonic() < deadline_s, program.story()
        time.sleep(0.02)
    assert "program_0.py:9, in Slow.initialize, in the process of SLOW (pid" in program.errors
    program.signal(signal.SIGINT, group=True)
    program.ends()


SLOW_END = """
    class Recorder(ez.Unit):
        {more}

        @ez.task
        async def record(self):
            say("running", self.address)
            await asyncio.Event().wait()

        async def shutdown(self):
            await asyncio.sleep(2.0)
            say("shutdown", self.address)

    if __name__ == "__main__":
        recorder = Recorder()
        ez.run(RECORDER=recorder, HERE=Here(), process_components=(recorder,){argument})
"""


@pytest.mark.parametrize(
    ("more", "argument", "variable", "enough"),
    [
        ("", ", shutdown_timeout=20.0", "0.5", True),
        ("SHUTDOWN_TIMEOUT = 20.0", "", "0.5", True),
        ("", "", "20", True),
        ("", "", "0.5", False),
    ],
)
def test_an_end_has_the_time_that_it_was_given(
    start: Start, more: str, argument: str, variable: str, enough: bool
) -> None:
    program = start(SLOW_END.format(more=more, argument=argument), EZMSG_SHUTDOWN_TIMEOUT=variable)
    program.says("running RECORDER")
    program.says("running HERE")
    program.signal(signal.SIGINT)
    assert program.ends() == (0 if enough else 130)
    assert any(line.startswith("shutdown RECORDER") for line in program.out) == enough
    assert ("RECORDER: shutdown()" in program.errors) == (not enough)


@pytest.mark.parametrize("asked", [0, -1, float("nan"), "soon"])
def test_a_time_that_is_none_is_refused(asked: Any) -> None:
    import ezmsg.core as ez
    from ezmsg.core.errors import InvalidOption

    class Quiet(ez.Unit):
        pass

    with pytest.raises(InvalidOption, match="shutdown_timeout"):
        ez.run(A=Quiet(), shutdown_timeout=asked)


# --- workers log as their parent does -----------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_workers_log_as_their_parent_does(start: Start, tmp_path: Path, method: str) -> None:
    log = tmp_path / "ours.log"
    program = start(
        f"""
        import logging

        class Speaker(ez.Unit):
            @ez.task
            async def speak(self):
                ez.logger.debug("a debug word of %s", self.address)
                ez.logger.info("a word of %s", self.address)
                raise ez.NormalTermination

        if __name__ == "__main__":
            start_as("{method}")
            logging.getLogger("ezmsg").setLevel(logging.DEBUG)
            handler = logging.FileHandler({str(log)!r})
            handler.setFormatter(logging.Formatter("%(levelname)s|%(message)s"))
            handler.setLevel(logging.INFO)
            logging.getLogger("ezmsg").addHandler(handler)
            speaker = Speaker()
            ez.run(SPEAKER=speaker, HERE=Here(), process_components=(speaker,))
        """
    )
    assert program.ends() == 0
    assert "a debug word of SPEAKER" in program.errors
    assert log.read_text(encoding="utf-8").count("INFO|a word of SPEAKER") == 1
    assert "a debug word" not in log.read_text(encoding="utf-8")


LOUD = """
    import logging
    import logging.handlers

    class Formatter(logging.Formatter):
        def format(self, record):
            return "FORMATTED " + super().format(record)

    class Filter(logging.Filter):
        def filter(self, record):
            return "secret" not in record.getMessage()

    class Speaker(ez.Unit):
        @ez.task
        async def speak(self):
            ez.logger.debug("a debug word of %s", self.address)
            ez.logger.info("a secret of %s", self.address)
            ez.logger.warning("a word of %s", self.address)
            logging.getLogger("ezmsg.lab").warning("a child's word of %s", self.address)
            logging.getLogger("lab").warning("another's word of %s", self.address)
            raise ez.NormalTermination

    if __name__ == "__main__":
        start_as("{method}")
        ours, log = logging.getLogger("ezmsg"), sys.argv[1]
        file = logging.FileHandler(log)
        {setting}
        speaker = Speaker()
        ez.run(SPEAKER=speaker, HERE=Here(), process_components=(speaker,))
"""


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("setting", "written", "not_written"),
    [
        ("file.setFormatter(Formatter()); ours.addHandler(file)", "FORMATTED a word of", "\na word of"),
        ("file.addFilter(Filter()); ours.addHandler(file)", "a word of", "a secret"),
        ("ours.addHandler(file); logging.getLogger('ezmsg.lab').setLevel(50)", "a word of", "a child's"),
        ("logging.getLogger('lab').addHandler(file)", "another's word of", "a word of"),
        ("ours.setLevel(10); logging.disable(logging.INFO); ours.addHandler(file)", "a word of", "a debug"),
        ("ours.addHandler(logging.handlers.RotatingFileHandler(log))", "a word of", "a debug"),
    ],
    ids=["formatter", "filter", "child", "another", "disable", "rotating"],
)
def test_the_whole_log_is_the_parents(
    start: Start, tmp_path: Path, method: str, setting: str, written: str, not_written: str
) -> None:
    log = tmp_path / "ours.log"
    program = start(LOUD.format(method=method, setting=setting), str(log))
    assert program.ends() == 0
    text = log.read_text(encoding="utf-8")
    assert text.count(f"{written} SPEAKER") == 1, text
    assert f"{not_written} SPEAKER" not in text


@pytest.mark.parametrize("method", METHODS)
def test_standard_streams_are_written_to_as_the_parent_does(start: Start, tmp_path: Path, method: str) -> None:
    setting = "ours.handlers[:] = [logging.StreamHandler(sys.stdout)]"
    program = start(LOUD.format(method=method, setting=setting), str(tmp_path / "ours.log"))
    assert program.ends() == 0
    assert program.says("a word of SPEAKER")
    assert "a word of SPEAKER" not in program.errors


def test_a_file_that_is_put_aside_is_put_aside_by_the_program_alone(tmp_path: Path) -> None:
    from ezmsg.core.support.log_setup import LogSetup

    logger, path = logging.getLogger("ezmsg.rotating"), tmp_path / "a.log"
    logger.addHandler(logging.handlers.RotatingFileHandler(path, maxBytes=100, backupCount=1))
    try:
        setup = LogSetup.taken()
        setup.apply()  # as in a forked process, which has inherited the handler
        (handler,) = logger.handlers
        logger.warning("a" * 200)
        assert not (tmp_path / "a.log.1").exists()
        path.rename(tmp_path / "a.log.1")  # as the program does it
        logger.warning("b" * 200)
        assert "b" in path.read_text(encoding="utf-8")
    finally:
        logger.handlers.clear()
        handler.close()


def test_last_words_wait_for_nobody() -> None:
    from ezmsg.core.support.last_words import LastWords

    class Stuck(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())
            release.wait(HANG)

    seen: list[str] = []
    release = threading.Event()
    logger = logging.getLogger("ezmsg")
    handler = Stuck()
    logger.addHandler(handler)
    try:
        words = LastWords()
        words.say(logging.ERROR, "one of %d", 2)
        words.say(logging.ERROR, "two of %d", 2)
        assert not words.finish(0.05)
        release.set()
        assert words.finish(HANG)
        assert seen == ["one of 2", "two of 2"]
    finally:
        logger.removeHandler(handler)
