"""The course of a run, as decisions: reports in, orders out. No pipe, no process and no clock in here.

::

    PREPARING --all Ready--> RUNNING --all Idle, or a reason to stop--> STOPPING --all gone--> ENDED
        └───────────────────── a reason to stop ──────────────────────────┘
"""

from enum import Enum, auto

from attrs import define, frozen

from ezmsg.core.runtime.words import Busy, Failed, Go, Idle, Order, Ready, Report, Stop, Stopped, Terminate


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


@frozen
class Tell:
    """Give an order to a worker."""

    worker: int
    order: Order


@frozen
class Kill:
    """End a worker that does not end by itself."""

    worker: int


Instruction = Tell | Kill


@define
class _Worker:
    ready: bool = False
    idle: bool = False
    gone: bool = False
    busy: Busy | None = None


class Lifecycle:
    """Decides when workers go and when they stop; ``failures`` are sentences, the first is the cause."""

    def __init__(self, workers: int) -> None:
        self.phase = Phase.PREPARING
        self.cause: Cause | None = None
        self.failures: list[str] = []
        self.stuck: list[int] = []
        self._workers = [_Worker() for _ in range(workers)]

    def receive(self, worker: int, report: Report) -> list[Instruction]:
        """Take a worker's report and return what follows from it."""
        state = self._workers[worker]
        match report:
            case Ready():
                state.ready = True
                return self._go_if_all_ready()
            case Idle():
                state.idle = True
                return self.stop(Cause.DONE) if all(w.idle for w in self._workers) else []
            case Terminate():
                return self.stop(Cause.DONE)
            case Failed(unit=unit, reason=reason):
                self.failures.append(f"{unit}: {reason}")
                return self.stop(Cause.FAILED)
            case Busy():
                state.busy = report
                return []
            case Stopped():
                return self._gone(worker)

    def died(self, worker: int, how: str) -> list[Instruction]:
        """A worker's process has ended; ``how`` says in which way."""
        if self._workers[worker].gone:
            return []
        if worker not in self.stuck:
            self.failures.append(f"worker {worker} {how}{self._what(worker)}")
        return [*self.stop(Cause.FAILED), *self._gone(worker)]

    def stop(self, cause: Cause) -> list[Instruction]:
        """Let everybody stop, for a cause; only the first counts."""
        if self.phase in (Phase.STOPPING, Phase.ENDED):
            return []
        self.phase, self.cause = Phase.STOPPING, cause
        orders: list[Instruction] = [Tell(i, Stop()) for i, w in enumerate(self._workers) if not w.gone]
        self._end_if_all_gone()
        return orders

    def give_up(self) -> list[Instruction]:
        """The time for stopping is over: end whoever is still there."""
        for i, worker in enumerate(self._workers):
            if not worker.gone:
                self.stuck.append(i)
                self.failures.append(f"worker {i} did not stop in time{self._what(i)}")
        return [Kill(i) for i in self.stuck]

    def _go_if_all_ready(self) -> list[Instruction]:
        if self.phase is not Phase.PREPARING or not all(worker.ready for worker in self._workers):
            return []
        self.phase = Phase.RUNNING
        return [Tell(i, Go()) for i in range(len(self._workers))]

    def _gone(self, worker: int) -> list[Instruction]:
        self._workers[worker].gone = True
        self._end_if_all_gone()
        return []

    def _end_if_all_gone(self) -> None:
        if self.phase is Phase.STOPPING and all(worker.gone for worker in self._workers):
            self.phase = Phase.ENDED

    def _what(self, worker: int) -> str:
        busy = self._workers[worker].busy
        return f"; the last that was heard of it is {busy.unit}: {busy.doing}" if busy else ""
