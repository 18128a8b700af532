"""The supervisor of a run: on a thread and event loop of its own, so that no unit can keep it from acting.

It holds the program's session at the graph server (edges and metadata live as long as the run), talks to the
workers over pipes, watches their processes, and carries out what :mod:`ezmsg.core.runtime.lifecycle` decides.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from ezmsg.core.context import GraphContext
from ezmsg.core.graph.crawl import ResolvedGraph
from ezmsg.core.graph.metadata import graph_metadata
from ezmsg.core.runtime.lifecycle import Cause, Instruction, Kill, Lifecycle, Phase, Tell
from ezmsg.core.runtime.words import Prepare

logger = logging.getLogger("ezmsg")

STOP_LIMIT_S = 10.0
"""How long the workers have to stop, in seconds; whoever is still there is named and ended."""

JOIN_LIMIT_S = 2.0
"""How long a worker's process may take to leave after it said that it is done, in seconds."""


class Supervisor(threading.Thread):
    """Carries a run from its start to its end. ``process`` is ``None`` for a worker in this very process."""

    def __init__(
        self,
        graph: ResolvedGraph,
        context: GraphContext,
        pipes: Sequence[Connection],
        processes: Sequence[BaseProcess | None],
    ) -> None:
        super().__init__(name="Supervisor", daemon=True)
        self.lifecycle = Lifecycle(len(pipes))
        self.error: Exception | None = None
        self.running = threading.Event()
        self._graph = graph
        self._context = context
        self._pipes = pipes
        self._processes = processes
        self._loop = asyncio.new_event_loop()
        self._ended = asyncio.Event()
        self._stopping = False

    def run(self) -> None:
        """The thread's own; start it with :meth:`start`."""
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._supervise())

    def stop(self, cause: Cause) -> None:
        """Let the run end; safe from any thread."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self._loop.call_soon_threadsafe(self._begin_stop, cause)

    def abort(self) -> None:
        """End the run at once, with force; safe from any thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._give_up)

    # --- its course -----------------------------------------------------------------------------------------

    async def _supervise(self) -> None:
        try:
            self._watch_workers()
            try:
                async with self._context:
                    await self._describe()
                    for pipe in self._pipes:
                        pipe.send(Prepare(self._context.graph_address))
                    await self._ended.wait()
            except Exception as error:  # no server, a refused edge, a collision: the caller of run() gets it
                self.error = error
                self._begin_stop(Cause.FAILED)
                await self._ended.wait()
            await self._join()
        finally:
            self.running.set()
            self._unwatch_workers()

    async def _describe(self) -> None:
        await self._context.register_metadata(graph_metadata(self._graph))
        for from_topic, to_topic in self._graph.edges:
            await self._context.connect(from_topic, to_topic)

    async def _join(self) -> None:
        for process in self._processes:
            if process is not None:
                await asyncio.to_thread(process.join, JOIN_LIMIT_S)
                if process.is_alive():
                    process.kill()
                    await asyncio.to_thread(process.join, JOIN_LIMIT_S)

    # --- what comes in --------------------------------------------------------------------------------------

    def _watch_workers(self) -> None:
        for worker, (pipe, process) in enumerate(zip(self._pipes, self._processes, strict=True)):
            self._loop.add_reader(pipe.fileno(), self._read, worker)
            if process is not None:
                self._loop.add_reader(process.sentinel, self._on_death, worker, process)

    def _unwatch_workers(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            self._loop.remove_reader(pipe.fileno())
            if process is not None:
                self._loop.remove_reader(process.sentinel)

    def _read(self, worker: int) -> None:
        pipe = self._pipes[worker]
        try:
            while pipe.poll():
                self._carry_out(self.lifecycle.receive(worker, pipe.recv()))
        except (EOFError, OSError):
            self._loop.remove_reader(pipe.fileno())  # its process is about to be reported dead
            if self._processes[worker] is None:
                self._carry_out(self.lifecycle.died(worker, "closed its pipe"))

    def _on_death(self, worker: int, process: BaseProcess) -> None:
        self._loop.remove_reader(process.sentinel)
        self._read(worker)  # its last words come first
        process.join(0)
        self._carry_out(self.lifecycle.died(worker, f"(pid {process.pid}) {_how(process.exitcode)}"))

    def _begin_stop(self, cause: Cause) -> None:
        self._carry_out(self.lifecycle.stop(cause))

    def _give_up(self) -> None:
        if self.lifecycle.phase is not Phase.ENDED:
            self._carry_out(self.lifecycle.stop(Cause.FAILED))
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
        self._note_phase()

    def _note_phase(self) -> None:
        match self.lifecycle.phase:
            case Phase.RUNNING:
                self.running.set()
            case Phase.STOPPING if not self._stopping:
                self._stopping = True
                self._loop.call_later(STOP_LIMIT_S, self._give_up)
            case Phase.ENDED:
                self._ended.set()

    def _kill(self, worker: int) -> None:
        process = self._processes[worker]
        if process is not None:
            process.kill()
        else:  # a thread cannot be ended from outside; it is left behind, and named
            self._carry_out(self.lifecycle.died(worker, "is left behind"))


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        return f"was ended by signal {-exit_code}"
    return f"left with exit status {exit_code}"
