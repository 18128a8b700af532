"""The course of a run, under any order of reports, deaths and signals."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ezmsg.core.runtime.lifecycle import Cause, Kill, Lifecycle, Phase, Tell
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
