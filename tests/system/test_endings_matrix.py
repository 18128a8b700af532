"""Every kind of program times every way to end: in time, with the status that is documented, and nothing left.

Of the 7380 combinations that can be some fifty are run, in which any two values meet that can: the same ones each
time, and others with a number in ``EZMSG_TEST_ENDINGS_SEED``. The whole product runs with
``EZMSG_TEST_ENDINGS=all``, and one in so many of it with a number there. Each is a program of its own,
programs/endings_matrix.py; several run at once, as they mostly wait.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ports import unused_port
from tests.system.pairwise import Case, covering, pairs, product

PROGRAM = Path(__file__).parent / "programs" / "endings_matrix.py"
MARK = "EZMSG_TEST_ENDING"
HANG = 30.0
LIMIT_S = 3.0
"""What the program has for its end; those whose unit gives no turns take all of it."""

AT_ONCE = 5
BATCH = 10

TABLE = {
    "method": ("fork", "spawn", "forkserver"),
    "called": ("main", "thread", "daemon"),
    "streams": ("pipe", "terminal", "closed"),
    "memory": ("memfd", "files"),
    "probe": ("program", "worker"),
    "state": ("idle", "in_task", "in_initialize", "in_shutdown"),
    "turns": ("given", "kept"),
    "ending": (
        *("done", "exception", "leaves"),
        *("interrupt", "two interrupts", "terminate", "terminate group", "hang up"),
        *("kill program", "kill worker", "terminate worker"),
    ),
}
"""How processes start, in which thread run() is called, what the standard streams are, where segments live, where
the probe is, what it does, whether others have a turn meanwhile, and what ends it all."""

IMPOSSIBLE: dict[str, Callable[[Case], bool]] = {
    "nothing is done before it runs": lambda case: case["ending"] == "done" and case["state"] == "in_initialize",
    "a worker that was done is not there to be hurt": lambda case: (
        case["state"] == "in_shutdown"
        and case["probe"] == "program"
        and case["ending"] in ("kill worker", "terminate worker")
    ),
    "who does nothing keeps no turn": lambda case: case["state"] == "idle" and case["turns"] == "kept",
    "a program leaves only over daemons": lambda case: case["ending"] == "leaves" and case["called"] != "daemon",
}

STATUSES = {"interrupt": 130, "two interrupts": 130, "terminate": 143, "terminate group": 143, "hang up": 129}
UNTIDY = ("Task was destroyed", "never awaited", "Exception ignored", "resource_tracker", "Fatal Python error")
"""What nobody says whose program cleans up."""


def possible(case: Case) -> bool:
    return not any(rule(case) for rule in IMPOSSIBLE.values())


def chosen() -> list[Case]:
    asked = os.environ.get("EZMSG_TEST_ENDINGS", "")
    if asked:
        return product(TABLE, possible)[:: 1 if asked == "all" else int(asked)]
    return covering(TABLE, possible, int(os.environ.get("EZMSG_TEST_ENDINGS_SEED", "0")))


# --- what is right, for each case ---------------------------------------------------------------------------------


def killed(case: Case) -> str:
    """Return which process has no time for last words, if one has none."""
    if case["ending"] == "kill worker":
        return "worker"
    dies = case["ending"] == "kill program" or (
        # Only a main thread can take signals. Who calls run() in another one has the system's own answer to them.
        case["called"] != "main" and case["ending"] in ("terminate", "terminate group", "hang up")
    )
    return "program" if dies else ""


def stuck(case: Case) -> str:
    """Return which process has units that keep it from its end, if one has."""
    ends_by_itself = case["state"] == "in_initialize" and case["ending"] == "exception"
    keeps = case["turns"] == "kept" and case["state"] in ("in_task", "in_initialize") and not ends_by_itself
    return case["probe"] if keeps else ""


def statuses(case: Case) -> set[int]:
    """Return with what the program may end."""
    by_force = bool(stuck(case))
    was_ending = case["state"] == "in_shutdown"
    match case["ending"]:
        case "kill program":
            return {137}
        case "exception" | "kill worker":
            return {1}
        case "leaves":
            return {0}
        case "done":
            return {1} if by_force else {0}
        case "interrupt" if case["called"] == "main" and not by_force:
            return {0}
        case "two interrupts" if case["called"] == "main" and not by_force:
            return {130} if was_ending else {0, 130}  # it may have ended before the second
        case "terminate worker":
            return {0, 143} if was_ending else {143}
    return {STATUSES[case["ending"]]}


def shut_down(case: Case, words: list[list[str]]) -> set[str]:
    """Return whose ``shutdown()`` has to have run: who was initialized, in a process whose code could still run."""
    where = {"NEAR": "program", "FAR": "worker", "PROBE": case["probe"]}
    lost = {killed(case), stuck(case)}
    if case["state"] == "in_shutdown" and case["ending"] == "two interrupts":
        lost.add(case["probe"])  # the second is force against what the first waits for
    initialized = {name for what, name, _ in words if what == "initialized"}
    return {name for name in initialized if where[name] not in lost}


# --- a program, and what happens to it ----------------------------------------------------------------------------


class Streams:
    """What a program's standard streams lead to, and what came out of them."""

    def __init__(self, kind: str) -> None:
        self.output = b""
        self._ours, self.theirs = os.openpty() if kind == "terminal" else os.pipe()
        terminal = os.ttyname(self.theirs) if kind == "terminal" else ""
        self.redirection = {
            "pipe": "",
            "closed": "<&- >&- 2>&-",
            # Opened by the first of a session, it is the session's: its keys are signals, and so is its end.
            "terminal": f'<"{terminal}" >"{terminal}" 2>&1',
        }[kind]
        self._over = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def hand_over(self) -> None:
        """Leave the other end to the program alone."""
        os.close(self.theirs)
        self.theirs = -1

    def press_interrupt(self) -> None:
        os.write(self._ours, termios.tcgetattr(self._ours)[6][termios.VINTR])

    def close(self) -> None:
        """Close our end; a terminal hangs up. May be called again."""
        if self.theirs >= 0:
            self.hand_over()
        self._over.set()
        self._reader.join(HANG)  # a descriptor that is being read is not closed
        if self._ours >= 0:
            os.close(self._ours)
            self._ours = -1

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # a terminal that nobody has open any more
            while not self._over.is_set():
                if select.select([self._ours], [], [], 0.05)[0]:
                    chunk = os.read(self._ours, 65536)
                    if not chunk:
                        return
                    self.output += chunk


class Ending:
    """One run of the program, from its start to its end."""

    def __init__(self, case: Case, folder: Path) -> None:
        folder.mkdir()
        self.case = case
        self._mark = uuid4().hex
        self._words = folder / "words"
        self._go = folder / "go"
        os.mkfifo(self._go)
        self._sign = os.open(self._go, os.O_RDWR)  # open as long as anybody may look
        self._runtime = folder / "run"
        self._runtime.mkdir(mode=0o700)
        self._sockets: set[str] = set()
        self._streams = Streams(case["streams"])
        self._program = subprocess.Popen(
            ["sh", "-c", f'exec "$0" "$@" {self._streams.redirection}', sys.executable, PROGRAM, json.dumps(case)],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._streams.theirs,
            stderr=self._streams.theirs,
            start_new_session=True,
        )

    def story(self) -> str:
        """Let it happen; return what was wrong, and all that is known of it, or nothing."""
        try:
            self._reach_state()
            self._streams.hand_over()
            self._note_sockets()
            self._end()
            status = self._program.wait(HANG)
            self._see_processes_end()
            faults = self._faults(status if status >= 0 else 128 - status)
        except (AssertionError, subprocess.TimeoutExpired) as error:
            faults = [str(error), f"status so far {self._program.poll()}"]
        finally:
            self._program.kill()
            for pid in self._processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._program.wait(HANG)
            self._streams.close()
            os.close(self._sign)
        if not faults:
            return ""
        told = (", ".join(self.case.values()), *faults, "; ".join(map(" ".join, self._said())), self._output())
        return "\n  ".join(told)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
        port = unused_port()
        return {
            **kept,
            MARK: self._mark,
            "EZMSG_TEST_WORDS": str(self._words),
            "EZMSG_TEST_GO": str(self._go),
            "EZMSG_RUNTIME_DIR": str(self._runtime),
            "EZMSG_SERVER_PORT_START": str(port),  # clients that look for a server again find nobody else's
            "EZMSG_SHUTDOWN_TIMEOUT": str(LIMIT_S),
            "EZMSG_STRICT_SHUTDOWN": "1" if self.case["ending"] == "exception" else "",
            "EZMSG_PORTABLE": "1" if self.case["memory"] == "files" else "",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(PROGRAM.parent), os.environ.get("PYTHONPATH")))),
        }

    # --- into its state, and to its end ---

    def _reach_state(self) -> None:
        state = self.case["state"]
        if state in ("idle", "in_shutdown"):
            self._hears("flowing NEAR", "flowing PROBE")
        if state == "in_shutdown":
            self._give_sign()
        if state != "idle":
            self._hears(f"{state} PROBE")

    def _end(self) -> None:
        ending, began_s = self.case["ending"], time.monotonic()
        match ending:
            case "done" | "exception" | "leaves":
                self._give_sign()
            case "interrupt" | "two interrupts":
                self._interrupt()
            case "terminate":
                self._program.terminate()
            case "terminate group":
                os.killpg(self._program.pid, signal.SIGTERM)
            case "hang up" if self.case["streams"] == "terminal":
                self._streams.close()
            case "hang up":
                os.killpg(self._program.pid, signal.SIGHUP)
            case "kill program":
                self._program.kill()
            case "kill worker":
                os.kill(self._worker(), signal.SIGKILL)
            case "terminate worker":
                os.kill(self._worker(), signal.SIGTERM)
        if ending == "two interrupts":
            for name in shut_down(self.case, self._said()):
                self._hears(f"shutdown {name}")
            time.sleep(max(0.0, began_s + 0.6 - time.monotonic()))  # so that it is another wish
            self._interrupt()

    def _give_sign(self) -> None:
        os.write(self._sign, b"!")

    def _interrupt(self) -> None:
        if self.case["streams"] == "terminal":
            self._streams.press_interrupt()
        elif self._program.poll() is None:
            self._program.send_signal(signal.SIGINT)

    def _worker(self) -> int:
        self._hears("initialized FAR")
        return next(int(pid) for _, name, pid in self._said() if name == "FAR")

    def _hears(self, *beginnings: str) -> None:
        deadline_s = time.monotonic() + HANG
        while missing := [each for each in beginnings if each.split() not in [w[:2] for w in self._said()]]:
            assert time.monotonic() < deadline_s, f"no word of {missing}"
            # While it is being exchanged for another program, a process shows no environment.
            assert self._program.poll() is None or self._processes(), f"it ended without a word of {missing}"
            time.sleep(0.02)

    def _said(self) -> list[list[str]]:
        text = self._words.read_text(encoding="utf-8") if self._words.exists() else ""
        return [line.split() for line in text.splitlines()]

    # --- what is left of it ---

    def _processes(self) -> list[int]:
        """Return those of its processes that live, by what they inherited from it."""
        mark, found = f"{MARK}={self._mark}".encode(), []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):  # it is gone, or somebody else's
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def _note_sockets(self) -> None:
        for pid in self._processes():
            with contextlib.suppress(OSError):
                for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                    name = str(descriptor.readlink())
                    if name.startswith("socket:["):
                        self._sockets.add(name[len("socket:[") : -1])

    def _see_processes_end(self) -> None:
        deadline_s = time.monotonic() + HANG
        while (left := self._processes()) or (sockets := self._sockets & held_sockets()):
            assert time.monotonic() < deadline_s, f"processes {left}, sockets {sockets} are left"
            time.sleep(0.02)

    def _faults(self, status: int) -> list[str]:
        faults = []
        if status not in statuses(self.case):
            faults.append(f"status {status}, not {statuses(self.case)}")
        said = self._said()
        done = {name for what, name, _ in said if what == "shutdown"}
        if missing := shut_down(self.case, said) - done:
            faults.append(f"no shutdown() of {missing}")
        # A process that is killed leaves what has a name to the next start, which sweeps it.
        by_force = killed(self.case) or stuck(self.case) or self.case["ending"] == "two interrupts"
        left = [path.name for path in self._runtime.rglob("*") if not path.is_dir()]
        if left and not by_force:
            faults.append(f"files {left} are left")
        return faults + [f"it said {words!r}" for words in UNTIDY if words in self._output() and not by_force]

    def _output(self) -> str:
        return self._streams.output.decode(errors="replace")


def held_sockets() -> set[str]:
    """Return the numbers of all sockets that somebody holds."""
    numbers = set()
    for table, column in (("tcp", 9), ("tcp6", 9), ("unix", 6)):
        with contextlib.suppress(FileNotFoundError):
            _, *lines = Path(f"/proc/net/{table}").read_text(encoding="utf-8").splitlines()
            numbers |= {line.split()[column] for line in lines}
    return numbers - {"0"}


# --- the tests ----------------------------------------------------------------------------------------------------

CASES = chosen()


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for in /proc")
@pytest.mark.timeout(10 * HANG)
@pytest.mark.parametrize("batch", range(0, len(CASES), BATCH))
def test_every_program_ends_well_however_it_is_ended(batch: int, tmp_path: Path) -> None:
    def story(number: int) -> str:
        return Ending(CASES[number], tmp_path / str(number)).story()

    with ThreadPoolExecutor(AT_ONCE) as executor:
        stories = list(executor.map(story, range(batch, min(batch + BATCH, len(CASES)))))
    assert not any(stories), "\n\n".join(filter(None, stories))


def test_few_cases_hold_every_pair_that_can_be() -> None:
    whole, few = product(TABLE, possible), covering(TABLE, possible)
    assert {pair for case in few for pair in pairs(case)} == {pair for case in whole for pair in pairs(case)}
    assert 40 <= len(few) <= 60 < len(whole) == 7380


def test_a_seed_chooses_other_cases_and_the_same_ones_again() -> None:
    first, other = covering(TABLE, possible, 1), covering(TABLE, possible, 2)
    assert first == covering(TABLE, possible, 1) != other
    assert {pair for case in first for pair in pairs(case)} == {pair for case in other for pair in pairs(case)}
    assert max(len(first), len(other)) <= 70


tables = st.dictionaries(
    st.sampled_from("abcde"), st.lists(st.sampled_from("12345"), min_size=1, unique=True), min_size=2
)
forbidden_pairs = st.sets(st.tuples(*[st.tuples(st.sampled_from("abcde"), st.sampled_from("12345"))] * 2))


@given(tables, forbidden_pairs)
def test_a_covering_meets_every_possible_pair_and_no_impossible_one(
    table: dict[str, list[str]], forbidden: set[tuple[tuple[str, str], tuple[str, str]]]
) -> None:
    def may_be(case: Case) -> bool:
        return not any(case.get(a) == x and case.get(b) == y for (a, x), (b, y) in forbidden)

    whole, few = product(table, may_be), covering(table, may_be)
    assert {pair for case in few for pair in pairs(case)} == {pair for case in whole for pair in pairs(case)}
    assert all(may_be(case) for case in few)
    assert len(few) <= len(whole)
    assert few == covering(table, may_be)
