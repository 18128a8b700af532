"""What becomes of a run when a worker process is killed: it ends, or goes on, or has the process again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

PROGRAM = Path(__file__).parent / "programs" / "dead_workers.py"
HOWEVER_STARTED = pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])


class Run:
    """The program, and what is done to it."""

    def __init__(self, start: Any, folder: Path, environment: dict[str, str]) -> None:
        self._start = start
        self._environment = environment
        self.folder = folder
        self.program: Any = None
        self.births = 0

    def begin(self, method: str, policy: str, *ends_with: str) -> None:
        self.program = self._start.command(sys.executable, str(PROGRAM), method, policy, *ends_with)
        self.flows()

    def flows(self, gain: int = 1) -> int:
        """Wait until what was born next is heard; return its pid."""
        self.births += 1
        pid = int(self.program.says("born", self.births)[1])
        self.program.says(f"heard {pid} {gain}")
        return pid

    def victim(self) -> int:
        return int(self.program.says("born", self.births)[1])

    def kill(self) -> None:
        os.kill(self.victim(), signal.SIGKILL)

    def verb(self, *words: str) -> str:
        command = [sys.executable, "-m", "ezmsg.control", *words]
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env=self._environment, check=False
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout


@pytest.fixture
def run(start: Any, tmp_path: Path, environment: dict[str, str]) -> Run:
    return Run(start, tmp_path, environment)


@HOWEVER_STARTED
def test_a_killed_worker_is_started_again_and_heard_again(run: Run, method: str) -> None:
    run.begin(method, "restart(2)")
    for _ in range(2):
        before = run.victim()
        run.kill()
        assert run.flows() != before
    run.program.complains("was ended by SIGKILL")
    run.kill()
    assert run.program.ends() == 1
    assert "after 2 restarts in a row" in run.program.errors
    assert "RunFailed" in run.program.errors


@HOWEVER_STARTED
def test_a_restarted_run_ends_in_good_order(run: Run, method: str) -> None:
    run.begin(method, "restart(5)")
    run.kill()
    run.flows()
    run.program.signal(signal.SIGINT, group=True)
    assert run.program.ends() == 0
    assert "Traceback" not in run.program.errors


@HOWEVER_STARTED
def test_the_end_may_come_while_a_worker_is_about_to_come_back(run: Run, method: str) -> None:
    run.begin(method, "restart(5)")
    run.kill()
    run.program.complains("It is started again in 0.2 s, 1 of at most 5 times in a row")
    run.program.signal(signal.SIGTERM)
    assert run.program.ends() == 143


@HOWEVER_STARTED
def test_the_others_go_on_without_one_that_is_ignored(run: Run, method: str) -> None:
    run.begin(method, "ignore")
    run.kill()
    run.program.complains("The others go on without it")
    (run.folder / "go").touch()
    run.program.says("ticked")
    run.program.signal(signal.SIGINT)
    assert run.program.ends() == 0
    assert run.program.says("returned")


def test_the_end_comes_when_all_that_are_left_are_done(run: Run) -> None:
    run.begin("fork", "ignore", "OTHER")
    run.kill()
    run.program.complains("The others go on without it")
    (run.folder / "go").touch()
    assert run.program.ends() == 0
    assert run.program.says("returned")


def test_the_end_of_a_named_unit_ends_the_run(run: Run) -> None:
    run.begin("fork", "fail_fast", "OTHER")
    (run.folder / "go").touch()
    assert run.program.ends() == 0
    assert run.program.says("returned")


def test_a_unit_with_which_the_run_ends_is_not_done_without(run: Run) -> None:
    run.begin("fork", "ignore", "VICTIM")
    run.kill()
    assert run.program.ends() == 1
    assert "RunFailed" in run.program.errors


def test_by_default_the_run_ends(run: Run) -> None:
    run.begin("fork", "fail_fast")
    run.kill()
    assert run.program.ends() == 1


@HOWEVER_STARTED
def test_one_that_cannot_be_set_up_again_is_tried_until_its_restarts_are_over(run: Run, method: str) -> None:
    run.begin(method, "restart(2)")
    (run.folder / "broken").touch()
    run.kill()
    assert run.program.ends() == 1
    assert "VICTIM: it could not be started: OSError: no amplifier" in run.program.errors
    assert "after 2 restarts in a row" in run.program.errors


def test_one_that_can_be_set_up_the_second_time_goes_on(run: Run) -> None:
    run.begin("fork", "restart(3)")
    first = run.victim()
    (run.folder / "broken").touch()
    run.kill()
    run.program.complains("no amplifier")
    (run.folder / "broken").unlink()
    assert int(run.program.says("heard", 2)[1]) != first  # whichever of those born since can be set up
    run.program.signal(signal.SIGINT)
    assert run.program.ends() == 0


def test_without_who_starts_them_the_run_ends_and_says_so(run: Run) -> None:
    run.begin("fork", "restart(3)")
    known = {run.victim(), run.program.pid}
    families = [process for process in psutil.Process(run.program.pid).children() if process.pid not in known]
    nurse = next(process for process in families if process.num_threads() == 1)
    nurse.kill()
    run.kill()
    assert run.program.ends() == 1
    assert "could not be started again" in run.program.errors


def test_a_killed_program_leaves_nobody_behind(run: Run) -> None:
    run.begin("fork", "restart(3)")
    run.kill()
    run.flows()
    run.program.signal(signal.SIGKILL)
    assert run.program.ends() == 128 + signal.SIGKILL


@HOWEVER_STARTED
def test_what_an_operator_had_set_is_set_again(run: Run, method: str) -> None:
    run.begin(method, "restart(3)")
    run.verb("settings", "set", "VICTIM", "gain=3")
    run.program.says(f"heard {run.victim()} 3")
    run.kill()
    run.flows(gain=3)
    run.program.signal(signal.SIGINT)
    assert run.program.ends() == 0


def test_what_would_be_done_and_was_done_is_seen(run: Run) -> None:
    run.begin("fork", "restart(3)")
    run.kill()
    pid = run.flows()
    found = {each["pid"]: each for each in map(json.loads, run.verb("process", "--json").splitlines())}
    assert (found[pid]["when_dead"], found[pid]["restarts"]) == ("restart(3)", 1)
    assert found[run.program.pid]["when_dead"] is None
    (line,) = [line for line in run.verb("process").splitlines() if line.startswith(str(pid))]
    assert line.rstrip().endswith("running; restart(3), 1 used")
    assert "when dead: restart(3), 1 used" in run.verb("process", "info", str(pid)).splitlines()[0]
    run.program.signal(signal.SIGINT)
    assert run.program.ends() == 0
