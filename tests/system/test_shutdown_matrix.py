"""How a run ends, times how its processes are started and how many there are: in time, and with nothing left.

Every case is one program, programs/shutdown_matrix.py: ``SOURCE`` sends to ``SINK``, and a probe ends the run,
fails, waits to be ended, or refuses to end. ``Program`` of conftest.py sees from outside that it ends, that no
process, socket or segment is left, and that nothing is said of a task, a coroutine or a resource forgotten. Here it
is seen with which exit status it ends, who is shut down, what the program finds left in its own process, that
nothing is in the runtime folder, and that errors are told where there are some, and only there.
"""

import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

PROGRAM = Path(__file__).parent / "programs" / "shutdown_matrix.py"
ALONE = "alone"
METHODS = ("fork", "spawn")
"""The third one is tried with every kind of ending in test_endings_matrix, and here where it differs."""
LIMIT_S = 1.0
"""What is given to those who do not end, in seconds; they end only because of it."""
NO_LIMIT_S = 1000.0
"""Where nothing may wait for the limit."""

GO = 0
"""In place of a signal: the source ends the run in good order."""

HOWEVER_STARTED = pytest.mark.parametrize("method", [ALONE, *METHODS])
IN_THREE_PROCESSES = pytest.mark.parametrize("method", METHODS)


class Case:
    """A program with its graph, and what happens to it."""

    def __init__(self, start, folder, go):
        self.program = None
        self.names = ()
        self._start = start
        self._folder = folder
        self._go = go

    def begin(self, *probes, method="fork", place="worker", strict=False, **options):
        """Start it.

        :param probes: classes of the program; if it is one, it is named ``PROBE``, else each has its class's name.
        :param method: how processes are started, or that there are no others.
        """
        flags = ["--alone"] if method == ALONE else ["--method", method, "--place", place]
        for name, value in options.items():
            flags += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        command = (sys.executable, str(PROGRAM), str(self._go), *flags, "--probes", *probes)
        self.program = self._start.command(*command, EZMSG_STRICT_SHUTDOWN="1" if strict else "")
        self.names = ["PROBE"] if len(probes) == 1 else probes

    def flow(self, *probes, **options):
        """Start it, and wait until messages flow and the probes act."""
        self.begin(*probes, **options)
        self.program.says("got SINK 3")
        self.probes_act()

    def probes_act(self):
        """Wait for it; return the process of the last."""
        pids = [int(self.program.says(f"acting {name}")[2]) for name in self.names]
        self.program.note_belongings()
        return pids[-1]

    def go(self):
        """Tell the probe, or the source, to do what it is for."""
        self._go.touch()

    def end(self, number):
        """Let the run be ended by a signal, or by the source."""
        if number == GO:
            self.go()
        else:
            self.program.signal(number)

    def ends(self, status, *, errors=(), shut_down=("SOURCE", "SINK"), returns=None):
        """See that it ends with this status, and that its errors say this, or that it has none.

        :param returns: whether the program goes on after its run; if not given, only where its status is 0.
        """
        program = self.program
        assert program.ends() == status, program.story()
        for unit in shut_down:
            assert f"shutdown {unit}\n" in program.out, program.story()
        for words in errors:
            assert words in program.errors, program.story()
        assert "never retrieved" not in program.errors, program.story()
        if not errors:
            assert not {"ERROR", "Traceback"} & set(program.errors.replace(":", " ").split()), program.story()
        assert ("after\n" in program.out) == (status == 0 if returns is None else returns), program.story()

    def leaves(self, *threads):
        """See that after the run its process had these threads of it, nothing else, and no server announced."""
        assert self.program.says("left")[1:] == list(threads), self.program.story()
        self.leaves_no_announcement()

    def leaves_no_announcement(self):
        """See that nothing is in the runtime folder."""
        assert not [path for path in self._folder.rglob("*") if path.is_file()], self.program.story()


@pytest.fixture
def case(start, tmp_path):
    return Case(start, tmp_path / "run", tmp_path / "go")


# --- it ends by itself --------------------------------------------------------------------------------------------


@HOWEVER_STARTED
def test_every_task_is_complete(case, method):
    case.flow("Completes", method=method, source="completes")
    case.go()
    case.ends(0, shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


@HOWEVER_STARTED
def test_a_task_ends_the_run(case, method):
    case.flow("Terminates", method=method)
    case.go()
    case.ends(0, shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


@pytest.mark.parametrize("method", [ALONE, "spawn"])
def test_main_ends_the_run(case, method):
    case.flow("MainTerminates", method=method)
    case.go()
    case.ends(0, shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


def test_a_thread_that_the_program_had_before_may_outlive_the_run(case):
    case.flow("Terminates", method=ALONE, own_thread=True, limit=LIMIT_S)
    case.go()
    case.ends(0)
    case.leaves()


# --- something fails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [ALONE, "spawn"])
def test_a_task_that_died_is_told_and_the_others_go_on(case, method):
    case.flow("FailsAndGoesOn", method=method)
    case.go()
    case.ends(0, errors=["Exception in Task: PROBE:act", "OSError: no amplifier"])
    case.leaves()
    assert "went on\n" in case.program.out


@HOWEVER_STARTED
def test_a_task_that_died_ends_a_strict_run(case, method):
    case.flow("Fails", method=method, strict=True)
    case.go()
    case.ends(1, errors=["EZ-6201", "PROBE:act: OSError: no amplifier"], shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


@pytest.mark.parametrize("method", [ALONE, "fork", "spawn"])
def test_a_unit_that_cannot_be_set_up_ends_the_run_before_it_began(case, method):
    case.begin("FailsToStart", method=method)
    case.ends(1, errors=["EZ-6201", "PROBE: it could not be started: OSError: no amplifier"], shut_down=())
    case.leaves()
    assert not any(line.startswith(("running", "shutdown PROBE")) for line in case.program.out)


@pytest.mark.parametrize("method", [ALONE, "forkserver"])
def test_an_exception_in_main_ends_the_run(case, method):
    case.flow("MainFails", method=method)
    case.go()
    case.ends(1, errors=["EZ-6201", "PROBE:show: OSError: no display"], shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


@IN_THREE_PROCESSES
def test_a_worker_that_is_killed_ends_the_run(case, method):
    case.flow("Waits", method=method)
    victim = psutil.Process(case.probes_act())
    victim.kill()
    case.ends(1, errors=[f"the process of PROBE (pid {victim.pid}) was ended by SIGKILL"])
    case.leaves()


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_worker_that_is_killed_while_it_is_set_up_ends_the_run(case, method):
    case.begin("DiesAtStart", method=method)
    case.ends(1, errors=["the process of PROBE (pid", "was ended by SIGKILL"], shut_down=())
    case.leaves()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_that_is_killed_while_it_is_shut_down_makes_the_end_a_failure(case, method):
    case.flow("DiesAtShutdown", method=method, source="terminates")
    case.go()
    case.ends(1, errors=["the process of PROBE (pid", "was ended by SIGKILL"])
    case.leaves()


@HOWEVER_STARTED
def test_when_the_program_is_killed_its_workers_leave_by_themselves(case, method):
    case.flow("Waits", method=method)
    case.program.signal(signal.SIGKILL)
    case.ends(128 + signal.SIGKILL, shut_down=() if method == ALONE else ("SINK", "PROBE"))


# --- somebody ends it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "group"),  # to the program only, or to all its processes, as a terminal does
    [(ALONE, False), ("fork", False), ("fork", True), ("spawn", True), ("forkserver", False), ("forkserver", True)],
)
def test_one_sigint_is_a_good_end(case, method, group):
    case.flow("Waits", method=method)
    case.program.signal(signal.SIGINT, group=group)
    case.ends(0, shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


@pytest.mark.parametrize("method", [ALONE, "fork"])
def test_a_sigint_that_does_not_wake_the_main_thread_is_a_good_end(case, method):
    case.flow("IsInterrupted", method=method, place="here")
    case.go()
    case.ends(0)
    case.leaves()


@HOWEVER_STARTED
def test_sigint_while_units_are_set_up_is_a_good_end(case, method):
    case.begin("WaitsAtStart", method=method)
    case.probes_act()
    case.program.signal(signal.SIGINT, group=True)
    case.ends(0, shut_down=())
    case.leaves()


@HOWEVER_STARTED
def test_a_second_sigint_ends_it_with_force(case, method):
    case.flow("KeepsTask", method=method, limit=NO_LIMIT_S)
    case.program.signal(signal.SIGINT, group=True)
    case.program.says("acting PROBE", times=2)
    time.sleep(0.6)  # so that it is a second wish, and not the same one twice
    case.program.signal(signal.SIGINT, group=True)
    case.ends(128 + signal.SIGINT, errors=["PROBE:act: being cancelled"], shut_down=())
    case.leaves_no_announcement()


@HOWEVER_STARTED
def test_sigterm_to_the_program_ends_all_of_it(case, method):
    case.flow("Waits", method=method)
    case.program.signal(signal.SIGTERM)
    case.ends(128 + signal.SIGTERM, shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


# --- a unit does not end ------------------------------------------------------------------------------------------

NAMED = {
    "KeepsLoop": "PROBE:act: it keeps the event loop busy",
    "KeepsExecutor": "PROBE:act",
    "KeepsThread": "acquisition",
    "KeepsMain": "PROBE:act",
    "KeepsTask": "PROBE:act: being cancelled",
    "KeepsShutdown": "PROBE: shutdown()",
    "KeepsLoopAtShutdown": "PROBE: shutdown()",
    "KeepsExit": "the process of PROBE",
}
"""What is said of each probe that does not end."""


@pytest.mark.parametrize(
    ("probe", "method", "number"),
    [
        ("KeepsLoop", "fork", GO),
        ("KeepsLoop", "spawn", signal.SIGINT),
        ("KeepsExecutor", "fork", GO),
        ("KeepsExecutor", "spawn", signal.SIGINT),
        ("KeepsThread", "fork", signal.SIGTERM),
        ("KeepsThread", "spawn", GO),
        ("KeepsMain", "forkserver", signal.SIGINT),
        ("KeepsTask", "fork", GO),
        ("KeepsShutdown", "fork", signal.SIGINT),
        ("KeepsLoopAtShutdown", "spawn", signal.SIGTERM),
        ("KeepsExit", "spawn", GO),
    ],
)
def test_a_unit_in_a_worker_that_does_not_end_is_named_and_its_process_ended(case, probe, method, number):
    case.flow(probe, method=method, source="terminates", limit=LIMIT_S)
    case.end(number)
    case.ends(128 + number if number else 1, errors=["the process of PROBE (pid", NAMED[probe]])
    case.leaves()


@pytest.mark.parametrize(
    ("probe", "method", "number"),
    [
        ("KeepsLoop", "fork", GO),
        ("KeepsLoop", ALONE, signal.SIGINT),
        ("KeepsExecutor", "spawn", GO),
        ("KeepsExecutor", ALONE, signal.SIGINT),
        ("KeepsMain", "fork", GO),
        ("KeepsMain", ALONE, signal.SIGTERM),
        ("KeepsTask", "fork", signal.SIGTERM),
        ("KeepsShutdown", ALONE, signal.SIGINT),
        ("KeepsLoopAtShutdown", "forkserver", signal.SIGINT),
    ],
)
def test_a_unit_in_the_programs_own_process_that_does_not_end_is_named(case, probe, method, number):
    case.begin(probe, method=method, place="here", source="terminates", limit=LIMIT_S)
    case.probes_act()
    others = () if method == ALONE else ("SOURCE", "SINK")
    if others:  # else the probe may have kept them from ever having a turn
        case.program.says("got SINK 3")
    case.end(number)
    case.ends(128 + number if number else 1, errors=[NAMED[probe]], shut_down=others)
    case.leaves_no_announcement()


@pytest.mark.parametrize(("method", "number"), [(ALONE, signal.SIGINT), ("spawn", GO)])
def test_a_thread_that_a_unit_left_in_the_programs_own_process_is_named_and_the_process_ended(case, method, number):
    case.flow("KeepsThread", method=method, place="here", source="terminates", limit=LIMIT_S)
    case.end(number)
    case.ends(128 + number if number else 1, errors=["acquisition of PROBE"], returns=True)
    left = case.program.says("left")
    assert "acquisition" in left
    assert not [name for name in left if name.startswith(("socket:", "/memfd:"))]
    case.leaves_no_announcement()


@pytest.mark.parametrize("place", ["here", "worker"])
def test_nobody_waits_for_a_thread_function(case, place):
    case.flow("KeepsUnitThread", place=place, limit=NO_LIMIT_S)
    case.program.signal(signal.SIGINT)
    case.ends(0)
    case.leaves(*(["PROBE:act"] if place == "here" else []))


@pytest.mark.parametrize("place", ["here", "worker"])
def test_a_unit_that_keeps_the_loop_while_it_is_set_up_is_named(case, place):
    case.begin("KeepsLoopAtStart", place=place, limit=LIMIT_S)
    case.probes_act()
    case.program.signal(signal.SIGINT, group=True)
    case.ends(128 + signal.SIGINT, errors=["PROBE: initialize()"], shut_down=())
    case.leaves_no_announcement()


@pytest.mark.parametrize(
    ("method", "probes"),  # a process that was not forked leaves in another way, after its loop has ended
    [
        ("fork", ["KeepsLoop", "KeepsExecutor", "KeepsThread", "KeepsMain", "KeepsTask", "KeepsShutdown"]),
        ("spawn", ["KeepsExecutor", "KeepsThread", "KeepsExit"]),
    ],
)
def test_when_the_program_is_killed_workers_that_do_not_end_are_ended(case, method, probes):
    case.flow(*probes, method=method, limit=LIMIT_S)
    case.program.signal(signal.SIGKILL)
    case.ends(128 + signal.SIGKILL, errors=["that started this process is gone"], shut_down=("SINK",))


def test_those_that_do_not_end_have_ten_seconds_all_together(case):
    case.flow("KeepsLoop", "KeepsExecutor", "KeepsMain", "KeepsShutdown")
    case.program.signal(signal.SIGINT)
    began_s = time.monotonic()
    case.ends(128 + signal.SIGINT, errors=[f"the process of {name}" for name in case.names])
    case.leaves()
    assert time.monotonic() - began_s > 9


# --- a program that starts and stops a runner ---------------------------------------------------------------------


@IN_THREE_PROCESSES
def test_a_runner_is_stopped(case, method):
    case.flow("Waits", method=method, runner=True)
    case.go()
    case.ends(0, shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


def test_a_runner_with_a_unit_that_does_not_end_is_stopped(case):
    case.flow("KeepsLoop", runner=True, limit=LIMIT_S)
    case.go()
    case.ends(0, errors=["the process of PROBE (pid"])
    case.leaves()


def test_a_program_with_a_runner_that_is_interrupted_can_stop_it(case):
    case.flow("Waits", runner=True)
    case.program.signal(signal.SIGINT, group=True)
    case.ends(128 + signal.SIGINT, errors=["KeyboardInterrupt"], shut_down=("SOURCE", "SINK", "PROBE"))
    case.leaves()


def test_a_program_with_a_runner_that_is_terminated_leaves_no_worker(case):
    case.flow("Waits", method="spawn", runner=True)
    case.program.signal(signal.SIGTERM)
    case.ends(128 + signal.SIGTERM, shut_down=("SOURCE", "SINK", "PROBE"))
