"""The supervisor of a run: on a thread and event loop of its own, so that no unit can keep it from acting.

It holds the program's session at the graph server (edges and metadata live as long as the run), talks to the
workers over pipes, watches their processes, and carries out what :mod:`ezmsg.core.runtime.lifecycle` decides.
"""

import asyncio
import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.errors import GraphRunnerStartError
from ezmsg.core.graph.crawl import ResolvedGraph
from ezmsg.core.graph.metadata import graph_metadata
from ezmsg.core.runtime.deaths import Death
from ezmsg.core.runtime.lifecycle import Cause, Instruction, Kill, Lifecycle, Phase, Restart, Tell
from ezmsg.core.runtime.limits import TELL_S
from ezmsg.core.runtime.nursery import Nursery, WorkerProcess
from ezmsg.core.runtime.policies import FAIL_FAST, DeadWorkerPolicy
from ezmsg.core.runtime.words import Look, Prepare
from ezmsg.core.support.garbage import no_look_for_garbage
from ezmsg.core.support.last_words import LastWords
from ezmsg.core.support.many import outcomes

logger = logging.getLogger("ezmsg")

LEAVE_LIMIT_S = 2.0
"""How long a worker's process has at least to leave after it said that it is done, in seconds."""

LOOK_S = 0.5
"""How long workers have to say what they are doing, in seconds."""

_SAID = {
    Cause.INTERRUPTED: "Interrupted",
    Cause.TERMINATED: "Told to end by SIGTERM",
    Cause.HUNG_UP: "The terminal is gone (SIGHUP)",
}


class Supervisor(threading.Thread):
    """Carries a run from its start to its end.

    :param processes: those of the workers; ``None`` for a worker in this very process.
    :param leave_behind: called when that one does not stop.
    :param stop_limit_s: how long the end may take, in seconds.
    :param policy: what is done about a worker that dies while everything runs; where it may be started again,
        ``nursery`` does that.
    :param vital: the workers without which nobody goes on.
    """

    def __init__(
        self,
        graph: ResolvedGraph,
        context: GraphContext,
        pipes: Sequence[Connection],
        processes: Sequence[BaseProcess | None],
        leave_behind: Callable[[], None],
        stop_limit_s: float,
        policy: DeadWorkerPolicy = FAIL_FAST,
        vital: Collection[int] = (),
        nursery: Nursery | None = None,
    ) -> None:
        super().__init__(name="Supervisor", daemon=True)
        self.lifecycle = Lifecycle([_name(process) for process in processes], policy, vital)
        self.error: Exception | None = None
        self.started = threading.Event()
        self.left_behind = False
        self._graph = graph
        self._context = context
        self._pipes = list(pipes)
        self._processes: list[WorkerProcess | None] = list(processes)
        self._policy = policy
        self._nursery = nursery
        self._since_s = [time.monotonic()] * len(pipes)
        self._leave_behind = leave_behind
        self._stop_limit_s = stop_limit_s
        self._words = LastWords()
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._left = [asyncio.Event() for _ in processes]
        self._deaths: dict[int, Death] = {}
        self._deadline_s: float | None = None
        self._told = 0
        self._losses_told = 0
        self._dry_told = False
        self._nurse_gone = False

    def run(self) -> None:
        """The thread's own; start it with :meth:`start`."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._supervise())
        except Exception as error:  # noqa: BLE001  a fault of ours; who waits for the run's end must see it
            self._words.say(logging.ERROR, "The supervisor of the run failed", error=error)
            self.error = self.error or error
        finally:
            for pipe in self._pipes:  # whoever still listens takes this as Stop
                pipe.close()
            if self._nursery is not None:
                self._nursery.close()
            self._words.finish()
            self.started.set()

    def stop(self, cause: Cause) -> None:
        """Let the run end; safe from any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._begin_stop, cause)

    def abort(self) -> None:
        """End the run at once, with force; safe from any thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._abort)

    # --- its course -----------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        self._watch_workers()
        self._loop.call_later(TELL_S, self._tell_awaited, Phase.PREPARING, 1)
        try:
            try:
                await self._begin()
            except Exception as error:  # noqa: BLE001  no server, a refused edge, ...: run() raises it
                if self.lifecycle.phase is Phase.PREPARING:
                    self.error = error
                self._begin_stop(Cause.FAILED)
            await self._ended.wait()
            await self._see_off()
        finally:
            self._unwatch_workers()
            await self._context.revert()

    async def _begin(self) -> None:
        await self._context.__aenter__()
        with no_look_for_garbage():
            await self._context.register_metadata(graph_metadata(self._graph))
            connect = self._context.connect
            async for _, outcome in outcomes(lambda edge: connect(*edge), self._graph.edges):
                if isinstance(outcome, BaseException):
                    raise outcome
        for worker in range(len(self._pipes)):
            self._let_prepare(worker)

    def _let_prepare(self, worker: int) -> None:
        when_dead = str(self._policy) if self._processes[worker] is not None else ""  # we die with our own
        order = Prepare(self._context.graph_address, when_dead, self.lifecycle.restarts(worker))
        with contextlib.suppress(OSError):  # its death is reported by its sentinel
            self._pipes[worker].send(order)

    async def _see_off(self) -> None:
        """Wait until every process has left, and end those that do not."""
        assert self._deadline_s is not None
        limit_s = max(self._deadline_s, self._loop.time() + LEAVE_LIMIT_S)
        for worker, process in enumerate(self._processes):
            if process is None:
                continue
            try:
                async with asyncio.timeout_at(limit_s):
                    await self._left[worker].wait()
            except TimeoutError:
                process.kill()
                self.lifecycle.lingered(worker)
                self._tell_failures()
                with contextlib.suppress(TimeoutError):  # the operating system holds it, and will let go of it
                    async with asyncio.timeout(LEAVE_LIMIT_S):
                        await self._left[worker].wait()

    # --- what comes in --------------------------------------------------------------------------------------

    def _watch_workers(self) -> None:
        for worker in range(len(self._pipes)):
            self._watch(worker)
        if self._nursery is not None and (descriptor := self._nursery.fileno()) is not None:
            self._loop.add_reader(descriptor, self._on_nursery, self._nursery, descriptor)

    def _watch(self, worker: int) -> None:
        process = self._processes[worker]
        self._loop.add_reader(self._pipes[worker].fileno(), self._read, worker)
        if isinstance(process, BaseProcess):  # else it is this process, or the nurse tells
            self._deaths[worker] = death = Death(process)
            self._loop.add_reader(death.fileno(), self._on_death, worker, process)

    def _unwatch_workers(self) -> None:
        for pipe in self._pipes:
            self._loop.remove_reader(pipe.fileno())
        for death in self._deaths.values():
            self._loop.remove_reader(death.fileno())
            death.close()
        if self._nursery is not None and (descriptor := self._nursery.fileno()) is not None:
            self._loop.remove_reader(descriptor)

    def _on_nursery(self, nursery: Nursery, descriptor: int) -> None:
        try:
            for process in nursery.deaths():
                self._on_death(self._processes.index(process), process)
        except (EOFError, OSError):
            self._loop.remove_reader(descriptor)  # the nurse is gone; what she told of is known by its pipe
            self._nurse_gone = True

    def _read(self, worker: int) -> None:
        pipe = self._pipes[worker]
        try:
            while pipe.poll():
                self._carry_out(self.lifecycle.receive(worker, pipe.recv()))
        except (EOFError, OSError):
            self._loop.remove_reader(pipe.fileno())  # its process is about to be reported dead
            process = self._processes[worker]
            if process is None or (self._nurse_gone and not isinstance(process, BaseProcess)):
                self._left[worker].set()
                self._carry_out(self.lifecycle.died(worker, "closed its pipe", self._lasted_s(worker)))

    def _on_death(self, worker: int, process: WorkerProcess) -> None:
        death = self._deaths.pop(worker, None)
        if death is not None:
            self._loop.remove_reader(death.fileno())
            death.close()
        self._read(worker)  # its last words come first
        if process.exitcode is None:
            process.join(LEAVE_LIMIT_S)  # it is at its end, and what remains is to fetch its status
        self._left[worker].set()
        self._carry_out(self.lifecycle.died(worker, _how(process.exitcode), self._lasted_s(worker)))

    def _lasted_s(self, worker: int) -> float:
        return time.monotonic() - self._since_s[worker]

    def _restart(self, worker: int) -> None:
        """Give a worker another process, with its units as they were before they ran."""
        if self.lifecycle.phase is not Phase.RUNNING:
            return
        assert self._nursery is not None, "who restarts has one"
        try:
            pipe, process = self._nursery.start(worker)
        except (OSError, EOFError, GraphRunnerStartError) as error:
            self._carry_out(self.lifecycle.cannot_restart(worker, str(error) or type(error).__name__))
            return
        self._loop.remove_reader(self._pipes[worker].fileno())
        self._pipes[worker].close()
        self._pipes[worker], self._processes[worker] = pipe, process
        self._left[worker] = asyncio.Event()
        self._since_s[worker] = time.monotonic()
        self._watch(worker)
        self.lifecycle.restarted(worker, _name(process))
        self._let_prepare(worker)

    def _begin_stop(self, cause: Cause) -> None:
        is_first = self.lifecycle.phase in (Phase.PREPARING, Phase.RUNNING)
        self._carry_out(self.lifecycle.stop(cause))
        if is_first and cause in _SAID:
            self._words.say(
                logging.INFO, "%s: the graph is being stopped. %s", _SAID[cause], "Once more ends it with force."
            )

    def _abort(self) -> None:
        if self.lifecycle.phase is not Phase.ENDED:
            self._words.say(logging.WARNING, "Asked once more: what has not stopped by now is ended with force.")
        self._give_up()

    def _give_up(self) -> None:
        if self.lifecycle.phase is not Phase.ENDED:
            self._carry_out(self.lifecycle.stop(Cause.FAILED))
            for worker in range(len(self._pipes)):
                self._read(worker)  # what they have said by now names who is stuck
            self._carry_out(self.lifecycle.give_up())

    # --- what goes out --------------------------------------------------------------------------------------

    def _carry_out(self, instructions: list[Instruction]) -> None:
        for instruction in instructions:
            match instruction:
                case Tell(worker=worker, order=order):
                    with contextlib.suppress(OSError):  # its death is reported by its sentinel
                        self._pipes[worker].send(order)
                case Kill(worker=worker):
                    self._kill(worker)
                case Restart(worker=worker, delay_s=delay_s):
                    self._loop.call_later(delay_s, self._restart, worker)
        self._tell_failures()
        self._tell_if_dry()
        self._note_phase()

    def _note_phase(self) -> None:
        if self.lifecycle.ran:
            self.started.set()
        if self.lifecycle.cause is not None and self._deadline_s is None:
            self._deadline_s = self._loop.time() + self._stop_limit_s
            self._loop.call_at(self._deadline_s, self._give_up)
            self._loop.call_later(TELL_S, self._tell_awaited, Phase.STOPPING, 1)
        if self.lifecycle.phase is Phase.ENDED:
            self._ended.set()

    def _kill(self, worker: int) -> None:
        process = self._processes[worker]
        if process is not None:
            process.kill()
        else:  # a thread cannot be ended from outside; it is left behind, and named
            self._carry_out(self.lifecycle.died(worker, "is left behind"))
            self.left_behind = True
            self._leave_behind()

    def _tell_failures(self) -> None:
        """Log each failure when it is known: who called start() has no other way to hear of it."""
        for failure in self.lifecycle.failures[self._told :]:
            self._words.say(logging.ERROR, "%s", failure)
        self._told = len(self.lifecycle.failures)
        for loss in self.lifecycle.losses[self._losses_told :]:
            self._words.say(logging.WARNING, "%s.", loss)
        self._losses_told = len(self.lifecycle.losses)

    def _tell_if_dry(self) -> None:
        if not self._dry_told and (failed := self.lifecycle.dry_by_exception):
            self._dry_told = True
            self._words.say(
                logging.WARNING,
                "Every source of this graph has ended, by an exception: %s. Unless another program publishes into "
                "it, nothing will come any more. Ctrl-C ends the run; EZMSG_STRICT_SHUTDOWN=1 ends it by itself.",
                ", ".join(failed),
            )

    # --- who is waited for ----------------------------------------------------------------------------------

    def _tell_awaited(self, phase: Phase, count: int) -> None:
        """Name who has not started yet, or not ended; while a run starts, more and more rarely."""
        if self.lifecycle.phase is not phase:
            return
        for worker in self.lifecycle.awaited:
            if phase is Phase.PREPARING:  # what stops says by itself what it does; what starts has to be asked
                with contextlib.suppress(OSError):
                    self._pipes[worker].send(Look())
        self._loop.call_later(LOOK_S, self._tell_after_look, phase, count)

    def _tell_after_look(self, phase: Phase, count: int) -> None:
        awaited = self.lifecycle.awaited
        if self.lifecycle.phase is not phase or not awaited:
            return
        doing = "; ".join(self.lifecycle.doing(worker) for worker in awaited)
        starts = phase is Phase.PREPARING
        what = "The graph cannot start before this is done" if starts else "The end waits for this"
        self._words.say(logging.WARNING, "%s: %s.", what, doing)
        self._loop.call_later(TELL_S * (count if starts else 1), self._tell_awaited, phase, 2 * count)


def _name(process: WorkerProcess | None) -> str:
    return "this process" if process is None else f"the process of {process.name} (pid {process.pid})"


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-exit_code).name}"
        return f"was ended by signal {-exit_code}"
    return f"left with exit status {exit_code}"
