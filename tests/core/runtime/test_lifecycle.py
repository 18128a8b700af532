"""The course of a run, under any order of reports, deaths and signals."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ezmsg.core.errors import InvalidOption
from ezmsg.core.runtime.lifecycle import Cause, Kill, Lifecycle, Phase, Restart, Tell
from ezmsg.core.runtime.policies import WELL_AFTER_S, policy_named
from ezmsg.core.runtime.words import Busy, Failed, Go, Idle, Ready, Stop, Stopped, Terminate

UNITS = st.sampled_from(["A", "B/C"])
WORKERS = st.integers(0, 3)
ORDER = list(Phase)


class Runs(RuleBasedStateMachine):
    """Workers of a model that may do anything at any time, except speak after their death."""

    @initialize(count=st.integers(1, 4))
    def begin(self, count):
        self.count = count
        self.lifecycle = Lifecycle([f"worker {i}" for i in range(count)])
        self.ready, self.idle, self.gone, self.given_up = set(), set(), set(), set()
        self.told = {i: [] for i in range(count)}
        self.killed = []
        self.first_cause = None
        self.busy = {}
        self.phases = [Phase.PREPARING]

    def worker(self, number):
        return number % self.count

    def carry_out(self, instructions):
        for instruction in instructions:
            match instruction:
                case Tell(worker, order):
                    assert worker not in self.gone
                    self.told[worker].append(order)
                case Kill(worker):
                    assert worker not in self.gone
                    self.killed.append(worker)
        self.phases.append(self.lifecycle.phase)

    def ends_with(self, cause):
        if self.first_cause is None:
            self.first_cause = cause

    @rule(number=WORKERS)
    def is_ready(self, number):
        worker = self.worker(number)
        if worker not in self.gone and worker not in self.ready:
            self.ready.add(worker)
            self.carry_out(self.lifecycle.receive(worker, Ready()))

    @rule(number=WORKERS)
    def is_idle(self, number):
        worker = self.worker(number)
        if worker not in self.gone and Go() in self.told[worker]:
            self.idle.add(worker)
            if len(self.idle) == self.count:
                self.ends_with(Cause.DONE)
            self.carry_out(self.lifecycle.receive(worker, Idle()))

    @rule(number=WORKERS, unit=UNITS)
    def is_busy(self, number, unit):
        worker = self.worker(number)
        if worker not in self.gone:
            self.busy[worker] = unit
            self.carry_out(self.lifecycle.receive(worker, Busy(unit, "thinking")))

    @rule(number=WORKERS, unit=UNITS)
    def terminates(self, number, unit):
        worker = self.worker(number)
        if worker not in self.gone:
            self.ends_with(Cause.DONE)
            self.carry_out(self.lifecycle.receive(worker, Terminate(unit)))

    @rule(number=WORKERS, unit=UNITS)
    def fails(self, number, unit):
        worker = self.worker(number)
        if worker not in self.gone:
            self.ends_with(Cause.FAILED)
            self.carry_out(self.lifecycle.receive(worker, Failed(unit, "broken")))
            assert self.lifecycle.failures[-1] == f"{unit}: broken"

    @rule(number=WORKERS)
    def has_stopped(self, number):
        worker = self.worker(number)
        if worker not in self.gone:
            of_its_own_accord = self.first_cause is None
            self.ends_with(Cause.FAILED)
            self.gone.add(worker)
            before = len(self.lifecycle.failures)
            self.carry_out(self.lifecycle.receive(worker, Stopped()))
            assert len(self.lifecycle.failures) - before == of_its_own_accord

    @rule(number=WORKERS)
    def dies(self, number):
        worker = self.worker(number)
        known, before = worker in self.gone, len(self.lifecycle.failures)
        if not known:
            self.ends_with(Cause.FAILED)
            self.gone.add(worker)
        self.carry_out(self.lifecycle.died(worker, "was ended by SIGKILL"))
        told = self.lifecycle.failures[before:]
        if known or worker in self.given_up:
            assert told == []
        else:
            assert told[0].startswith(f"worker {worker} was ended by SIGKILL")
            self.names_what_it_did(told[0], worker)

    @rule(cause=st.sampled_from(Cause))
    def is_stopped_from_outside(self, cause):
        self.ends_with(cause)
        self.carry_out(self.lifecycle.stop(cause))

    @precondition(lambda self: self.first_cause is not None)
    @rule()
    def time_is_over(self):
        before = len(self.lifecycle.failures)
        late = set(range(self.count)) - self.gone - self.given_up
        self.killed.clear()
        self.carry_out(self.lifecycle.give_up())
        assert set(self.killed) == late
        told = self.lifecycle.failures[before:]
        assert len(told) == len(late)
        for worker, sentence in zip(sorted(late), told, strict=True):
            self.names_what_it_did(sentence, worker)
        self.given_up |= late

    def names_what_it_did(self, sentence, worker):
        unit = self.busy.get(worker)
        assert sentence.endswith(f"the last that was heard of it is {unit}: thinking") == (unit is not None)

    @invariant()
    def go_is_told_once_to_all_and_only_when_all_are_ready(self):
        if not hasattr(self, "lifecycle"):
            return
        goes = [orders.count(Go()) for orders in self.told.values()]
        assert set(goes) in ({0}, {1})
        assert self.lifecycle.ran == (goes[0] == 1)
        if self.lifecycle.ran:
            assert len(self.ready) == self.count

    @invariant()
    def stop_is_told_once_and_nothing_after_it(self):
        if not hasattr(self, "lifecycle"):
            return
        for worker, orders in self.told.items():
            stops = [order for order in orders if isinstance(order, Stop)]
            assert len(stops) <= 1
            assert not stops or orders[-1] is stops[0]
            if self.first_cause is None:
                assert not stops
            elif worker not in self.gone:
                assert len(stops) == 1
            for stop in stops:
                assert stop.urgent == (self.first_cause in (Cause.INTERRUPTED, Cause.TERMINATED, Cause.HUNG_UP))

    @invariant()
    def the_cause_is_the_first_and_the_end_comes_when_all_are_gone(self):
        if not hasattr(self, "lifecycle"):
            return
        assert self.lifecycle.cause is self.first_cause
        stopping = self.lifecycle.phase in (Phase.STOPPING, Phase.ENDED)
        assert stopping == (self.first_cause is not None)
        assert (self.lifecycle.phase is Phase.ENDED) == (len(self.gone) == self.count)
        assert self.phases == sorted(self.phases, key=ORDER.index)

    def teardown(self):
        """Whatever happened: killing those that stay is always enough."""
        if not hasattr(self, "lifecycle"):
            return
        self.is_stopped_from_outside(Cause.TERMINATED)
        self.time_is_over()
        for worker in set(self.given_up) - self.gone:
            self.dies(worker)
        assert self.lifecycle.phase is Phase.ENDED


TestRuns = Runs.TestCase


def test_who_lingered_is_named():
    lifecycle = Lifecycle(["the process of A (pid 1)"])
    lifecycle.receive(0, Busy("thread WRITER of A", "still running"))
    lifecycle.lingered(0)
    (failure,) = lifecycle.failures
    assert failure.startswith("the process of A (pid 1) was done and did not leave; ")
    assert "thread WRITER of A: still running" in failure


# --- workers that die while everything runs ----------------------------------------------------------------------


def running(count, policy, vital=()):
    lifecycle = Lifecycle([f"worker {i}" for i in range(count)], policy_named(policy), vital)
    for worker in range(count):
        lifecycle.receive(worker, Ready())
    assert lifecycle.phase is Phase.RUNNING
    return lifecycle


def test_a_worker_is_started_again_ever_later_and_then_no_more():
    lifecycle = running(2, "restart(8)")
    delays = []
    for number in range(8):
        (restart,) = lifecycle.died(1, "was ended by SIGKILL")
        assert isinstance(restart, Restart)
        delays.append(restart.delay_s)
        lifecycle.restarted(1, f"worker 1.{number}")
        assert lifecycle.receive(1, Ready()) == [Tell(1, Go())]
    assert delays == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    assert lifecycle.failures == []
    assert lifecycle.died(1, "was ended by SIGKILL") == [Tell(0, Stop())]
    assert lifecycle.cause is Cause.FAILED
    assert lifecycle.failures == ["worker 1.7 was ended by SIGKILL, after 8 restarts in a row"]


def test_who_ran_well_for_long_begins_a_new_row():
    lifecycle = running(1, "restart(1)")
    for _ in range(5):
        (restart,) = lifecycle.died(0, "was ended by SIGSEGV", lasted_s=WELL_AFTER_S)
        assert restart.delay_s == 0.2
        lifecycle.restarted(0, "worker 0")
        lifecycle.receive(0, Ready())
        assert lifecycle.restarts(0) == 1
    assert lifecycle.died(0, "was ended by SIGSEGV", lasted_s=WELL_AFTER_S - 1) == []
    assert lifecycle.phase is Phase.ENDED


def test_who_cannot_be_set_up_again_is_ended_and_tried_again():
    lifecycle = running(2, "restart(2)")
    lifecycle.died(1, "left with exit status 1")
    lifecycle.restarted(1, "worker 1")
    assert lifecycle.receive(1, Failed("B", "it could not be started")) == [Kill(1)]
    (restart,) = lifecycle.died(1, "was ended by SIGKILL")
    assert restart == Restart(1, 0.4)
    assert lifecycle.failures == []


def test_the_end_comes_while_one_is_about_to_come_back():
    lifecycle = running(2, "restart(2)")
    lifecycle.died(1, "was ended by SIGKILL")
    assert lifecycle.stop(Cause.INTERRUPTED) == [Tell(0, Stop(urgent=True))]
    lifecycle.receive(0, Stopped())
    assert lifecycle.phase is Phase.ENDED
    assert lifecycle.failures == []


def test_one_that_is_written_off_is_not_waited_for():
    lifecycle = running(3, "ignore")
    assert lifecycle.receive(0, Idle()) == []
    assert lifecycle.died(1, "was ended by SIGKILL") == []
    assert lifecycle.phase is Phase.RUNNING
    assert lifecycle.receive(2, Idle()) == [Tell(0, Stop()), Tell(2, Stop())]
    assert lifecycle.cause is Cause.DONE
    assert lifecycle.failures == []
    assert len(lifecycle.losses) == 1


def test_without_one_with_which_the_run_ends_nobody_goes_on():
    lifecycle = running(2, "ignore", vital=[1])
    assert lifecycle.died(1, "was ended by SIGKILL") == [Tell(0, Stop())]
    assert lifecycle.cause is Cause.FAILED


@pytest.mark.parametrize("policy", ["fail_fast", "ignore", "restart(3)"])
def test_before_everything_runs_a_death_ends_the_run(policy):
    lifecycle = Lifecycle(["worker 0", "worker 1"], policy_named(policy))
    lifecycle.receive(0, Ready())
    assert lifecycle.died(1, "was ended by SIGKILL") == [Tell(0, Stop())]
    assert lifecycle.cause is Cause.FAILED


@pytest.mark.parametrize("text", ["", "restart", "restart(0)", "restart(-1)", "restart(x)", "Ignore", 3, None])
def test_what_is_no_policy_is_refused(text):
    with pytest.raises(InvalidOption, match="dead_worker"):
        policy_named(text)


@pytest.mark.parametrize("text", ["fail_fast", "ignore", "restart(12)"])
def test_a_policy_is_told_as_it_is_written(text):
    assert str(policy_named(text)) == text
