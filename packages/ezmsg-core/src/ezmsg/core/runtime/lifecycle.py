"""The course of a run, as decisions: reports in, orders out. No pipe, no process and no clock in here.

::

    PREPARING --all Ready--> RUNNING --all Idle, or a reason to stop--> STOPPING --all gone--> ENDED
        └───────────────────── a reason to stop ──────────────────────────┘

A worker that dies while everything runs ends the run, or is started again, or is written off, as the policy says.
"""

import signal
from collections.abc import Collection, Sequence
from enum import Enum, auto

from ezmsg.core.runtime.policies import FAIL_FAST, WELL_AFTER_S, DeadWorkerPolicy, Kind
from ezmsg.core.runtime.words import (
    Busy,
    DriedUp,
    Failed,
    Go,
    Idle,
    Order,
    Ready,
    Report,
    Signalled,
    Stop,
    Stopped,
    Terminate,
)
from ezmsg.protocol.declared import declared


class Phase(Enum):
    """How far a run has come."""

    PREPARING = auto()
    RUNNING = auto()
    STOPPING = auto()
    ENDED = auto()


class Cause(Enum):
    """Why a run ended."""

    DONE = auto()
    FAILED = auto()
    INTERRUPTED = auto()
    TERMINATED = auto()
    HUNG_UP = auto()


URGENT = (Cause.INTERRUPTED, Cause.TERMINATED, Cause.HUNG_UP)
"""The causes that come from outside, by a signal."""

SIGNALS = {signal.SIGINT: Cause.INTERRUPTED, signal.SIGTERM: Cause.TERMINATED}
"""What each signal is the cause of; a hang-up is one where the system has it."""

if hasattr(signal, "SIGHUP"):
    SIGNALS[signal.SIGHUP] = Cause.HUNG_UP


@declared
class Tell:
    """Give an order to a worker."""

    worker: int
    order: Order


@declared
class Kill:
    """End a worker that does not end by itself."""

    worker: int


@declared
class Restart:
    """Start the process of a worker again, after so many seconds, if the run still goes on then."""

    worker: int
    delay_s: float


Instruction = Tell | Kill | Restart


@declared(frozen=False)
class _Worker:
    name: str
    restarts: int = 0
    again: bool = False  # it is, or is about to be, another process than at first
    written_off: bool = False  # it is dead, and the others go on
    ready: bool = False
    idle: bool = False
    gone: bool = False
    given_up: bool = False
    dried_up: DriedUp | None = None
    busy: Busy | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def last_words(self) -> str:
        """What it was doing when it was last heard of, for the end of a sentence."""
        return f"; the last that was heard of it is {self.busy.unit}: {self.busy.doing}" if self.busy else ""


class Lifecycle:
    """Decides when workers go and when they stop; ``failures`` are sentences, the first is the cause.

    ``losses`` are sentences about workers that died and did not end the run.

    :param workers: how each worker is named in those sentences.
    :param policy: what is done about one that dies while everything runs.
    :param vital: the workers without which nobody goes on, whatever the policy, as the end of a unit of theirs is
        the end of the run.
    """

    def __init__(
        self, workers: Sequence[str], policy: DeadWorkerPolicy = FAIL_FAST, vital: Collection[int] = ()
    ) -> None:
        self.phase = Phase.PREPARING
        self.cause: Cause | None = None
        self.ran = False
        self.failures: list[str] = []
        self.losses: list[str] = []
        self._policy = policy
        self._vital = frozenset(vital)
        self._workers = [_Worker(name) for name in workers]

    def receive(self, worker: int, report: Report) -> list[Instruction]:
        """Take a worker's report and return what follows from it."""
        state = self._workers[worker]
        match report:
            case Ready():
                state.ready = True
                return self._go_again(worker) if state.again else self._go_if_all_ready()
            case Idle():
                state.idle = True
                return self._stop_if_all_idle()
            case Terminate():
                return self.stop(Cause.DONE)
            case Failed(unit=unit, reason=reason) if self._fails_again(state):
                self.losses.append(f"{unit}: {reason}")
                return [Kill(worker)]  # its death is the next one
            case Failed(unit=unit, reason=reason):
                self.failures.append(f"{unit}: {reason}")
                return self.stop(Cause.FAILED)
            case Busy():
                state.busy = report
                return []
            case DriedUp():
                state.dried_up = report
                return []
            case Signalled(number=number):
                return self.stop(SIGNALS.get(signal.Signals(number), Cause.TERMINATED))
            case Stopped():
                return self._stopped(state)

    @property
    def awaited(self) -> list[int]:
        """The workers that the run waits for: those that are not ready yet, or not gone yet."""
        if self.phase is Phase.PREPARING:
            return [i for i, worker in enumerate(self._workers) if not (worker.ready or worker.gone)]
        if self.phase is Phase.STOPPING:
            return [i for i, worker in enumerate(self._workers) if not worker.gone]
        return []

    @property
    def dry_by_exception(self) -> list[str]:
        """What has ended by an exception in a run of which no function will begin anything by itself any more."""
        if self.phase is not Phase.RUNNING:
            return []
        there = [worker for worker in self._workers if not worker.written_off]
        dry = [worker.dried_up for worker in there if worker.dried_up is not None]
        return [name for each in dry for name in each.failed] if len(dry) == len(there) else []

    def doing(self, worker: int) -> str:
        """Return, for a sentence, a worker and what it was doing when it was last heard of."""
        state = self._workers[worker]
        return f"{state.busy.unit}: {state.busy.doing}, in {state}" if state.busy else str(state)

    def died(self, worker: int, how: str, lasted_s: float = 0.0) -> list[Instruction]:
        """A worker's process has ended; ``how`` says in which way, ``lasted_s`` after which time."""
        state = self._workers[worker]
        if state.gone:
            return []
        state.gone = True
        sentence = f"{state} {how}{state.last_words}"
        if self.phase is Phase.RUNNING:
            if lasted_s >= WELL_AFTER_S:
                state.restarts = 0
            if (delay_s := self._policy.delay_s(state.restarts)) is not None:
                state.restarts += 1
                state.again, state.ready, state.idle, state.dried_up = True, False, False, None
                which = f"{state.restarts} of at most {self._policy.restarts} times in a row"
                self.losses.append(f"{sentence}. It is started again in {delay_s:g} s, {which}")
                return [Restart(worker, delay_s)]
            if self._policy.kind is Kind.IGNORE and worker not in self._vital:
                state.written_off = True
                self.losses.append(f"{sentence}. The others go on without it")
                return self._stop_if_all_idle()
        if not state.given_up:
            tried = f", after {state.restarts} restarts in a row" if state.restarts else ""
            self.failures.append(f"{sentence}{tried}")
        return self._stop_without(Cause.FAILED)

    def restarted(self, worker: int, name: str) -> None:
        """A worker has another process now, which is named so; only while the run goes on."""
        state = self._workers[worker]
        state.name, state.gone, state.busy = name, False, None

    def restarts(self, worker: int) -> int:
        """Return how often in a row a worker was started again."""
        return self._workers[worker].restarts

    def cannot_restart(self, worker: int, reason: str) -> list[Instruction]:
        """A worker that is gone cannot be started again."""
        self.failures.append(f"{self._workers[worker]} could not be started again: {reason}")
        return self._stop_without(Cause.FAILED)

    def lingered(self, worker: int) -> None:
        """A worker said that everything is closed, and its process had to be ended nevertheless."""
        state = self._workers[worker]
        self.failures.append(f"{state} was done and did not leave{state.last_words}")

    def stop(self, cause: Cause) -> list[Instruction]:
        """Let everybody stop, for a cause; only the first counts."""
        if self.phase in (Phase.STOPPING, Phase.ENDED):
            return []
        self.phase, self.cause = Phase.STOPPING, cause
        order = Stop(urgent=cause in URGENT)
        orders: list[Instruction] = [Tell(i, order) for i, w in enumerate(self._workers) if not w.gone]
        self._end_if_all_gone()
        return orders

    def give_up(self) -> list[Instruction]:
        """The time for stopping is over: end whoever is still there."""
        late = [i for i, worker in enumerate(self._workers) if not worker.gone and not worker.given_up]
        for i in late:
            worker = self._workers[i]
            worker.given_up = True
            self.failures.append(f"{worker} did not stop in time{worker.last_words}")
        return [Kill(i) for i in late]

    def _fails_again(self, worker: _Worker) -> bool:
        """Whether a worker that was started again could not set up its units."""
        return worker.again and not worker.ready and self.phase is Phase.RUNNING

    def _go_again(self, worker: int) -> list[Instruction]:
        return [Tell(worker, Go())] if self.phase is Phase.RUNNING else []

    def _stop_if_all_idle(self) -> list[Instruction]:
        done = all(worker.idle or worker.written_off for worker in self._workers)
        return self.stop(Cause.DONE) if done else []

    def _go_if_all_ready(self) -> list[Instruction]:
        if self.phase is not Phase.PREPARING or not all(worker.ready for worker in self._workers):
            return []
        self.phase, self.ran = Phase.RUNNING, True
        return [Tell(i, Go()) for i in range(len(self._workers))]

    def _stopped(self, worker: _Worker) -> list[Instruction]:
        if worker.gone:
            return []
        worker.gone = True
        if self.phase in (Phase.PREPARING, Phase.RUNNING):  # nobody told it to
            self.failures.append(f"{worker} stopped of its own accord{worker.last_words}")
        return self._stop_without(Cause.FAILED)

    def _stop_without(self, cause: Cause) -> list[Instruction]:
        """A worker is gone, which ends the run if nothing has ended it yet."""
        orders = self.stop(cause)
        self._end_if_all_gone()
        return orders

    def _end_if_all_gone(self) -> None:
        if self.phase is Phase.STOPPING and all(worker.gone for worker in self._workers):
            self.phase = Phase.ENDED
