"""A run and who may end it: :class:`GraphRunner` starts the processes, then the threads, and turns signals into ends."""

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import FrameType

from ezmsg.core.context import GraphContext
from ezmsg.core.errors import GraphRunnerStartError, InvalidOption, RunFailed, RunnerMisused, SecondMain
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.crawl import ResolvedGraph, resolve_graph
from ezmsg.core.graph.streams import Stream
from ezmsg.core.graph.unit import Unit
from ezmsg.core.pubsub.options import flag
from ezmsg.core.runtime.lifecycle import Cause, Phase
from ezmsg.core.runtime.supervisor import Supervisor
from ezmsg.core.runtime.worker import run_units
from ezmsg.protocol.addresses import Address, AddressType

logger = logging.getLogger("ezmsg")

Connections = Iterable[tuple[Stream | str, Stream | str]]

SIGINT_STATUS = 128 + signal.SIGINT
SIGTERM_STATUS = 128 + signal.SIGTERM


class GraphRunner:
    """Runs components once; a second run needs another runner and other components.

    See :func:`ezmsg.core.run` for the arguments.
    """

    def __init__(
        self,
        components: Mapping[str, Component] | None = None,
        root_name: str | None = None,
        connections: Connections | None = None,
        process_components: Collection[Component] | None = None,
        graph_address: AddressType | None = None,
        force_single_process: bool = False,
        profiler_log_name: str | None = None,
        auto_start: bool | None = None,
        **components_kwargs: Component,
    ) -> None:
        if components is not None and components_kwargs:
            raise InvalidOption(
                option="components", value="...", reason="give components as a mapping or by keyword, not both"
            )
        named = dict(components or components_kwargs)
        self._force_single_process = force_single_process
        self._graph: ResolvedGraph = resolve_graph(
            named, root_name, connections, process_components, force_single_process
        )
        _check_mains(self._graph.processes)
        if profiler_log_name is not None:
            os.environ["EZMSG_PROFILER"] = profiler_log_name
        self._context = GraphContext(graph_address, auto_start)
        self._processes: list[BaseProcess] = []
        self._supervisor: Supervisor | None = None

    @property
    def graph_address(self) -> Address:
        """Where the graph server is; after the start, where it really is."""
        return self._context.graph_address

    @property
    def graph_server_spawned(self) -> bool:
        """Whether this run started the graph server."""
        return self._context.server_spawned

    @property
    def connections(self) -> list[tuple[str, str]]:
        """The edges of the graph."""
        return list(self._graph.edges)

    @property
    def processes(self) -> list[BaseProcess]:
        """The worker processes that were started."""
        return list(self._processes)

    @property
    def running(self) -> bool:
        """Whether the run has started and not ended."""
        return self._supervisor is not None and self._supervisor.is_alive()

    @property
    def strict_shutdown(self) -> bool:
        """Whether an exception in a task ends the run; kept in ``EZMSG_STRICT_SHUTDOWN``."""
        return flag("EZMSG_STRICT_SHUTDOWN", False)

    @strict_shutdown.setter
    def strict_shutdown(self, strict: bool) -> None:
        os.environ["EZMSG_STRICT_SHUTDOWN"] = "1" if strict else ""

    def start(self) -> None:
        """Start every process and return when all units run.

        :raises InvalidOption: with ``force_single_process``, which needs the caller's own process.
        :raises RunnerMisused: if it was started before.
        :raises GraphRunnerStartError: if a unit cannot be set up.
        """
        if self._force_single_process:
            raise InvalidOption(
                option="force_single_process", value="True", reason="start() runs units in processes of their own"
            )
        supervisor = self._launch(self._graph.processes, here=None)
        if supervisor is None:
            return
        supervisor.running.wait()
        if supervisor.lifecycle.phase is not Phase.RUNNING:
            supervisor.join()
            if supervisor.error is not None:
                raise supervisor.error
            raise GraphRunnerStartError(failures=supervisor.lifecycle.failures)

    def stop(self) -> None:
        """End the run and wait for it; bounded. A run that has ended, or not begun, is left as it is."""
        if self._supervisor is not None:
            self._supervisor.stop(Cause.DONE)
            self._supervisor.join()

    def run_blocking(self) -> None:
        """Run until all tasks are done, a unit raises NormalTermination, or a signal comes.

        The first process's units run in this process. The first SIGINT ends the run in good order; after a second
        one, or after SIGTERM, the interpreter leaves with status 130 or 143.

        :raises RunnerMisused: if it was started before.
        :raises RunFailed: if a worker died, or a unit could not be set up.
        :raises EzmsgError: if there is no graph server, or it refuses an edge or the metadata.
        """
        processes = self._graph.processes
        if not processes:
            logger.warning("There is nothing to run: no component has units.")
            return
        ours, theirs = multiprocessing.Pipe()
        supervisor = self._launch(processes[1:], here=ours)
        assert supervisor is not None
        with _sigterm_stops(supervisor):
            interrupted_twice = _run_here(processes[0], theirs, supervisor)
        if interrupted_twice:
            raise SystemExit(SIGINT_STATUS)
        _raise_outcome(supervisor)

    def _launch(self, groups: list[list[Unit]], here: Connection | None) -> Supervisor | None:
        """Start the processes, then the supervisor's thread: no thread of ours exists when a process forks."""
        if self._supervisor is not None:
            raise RunnerMisused(reason="This runner was started before; make another one for another run")
        pipes = [] if here is None else [here]
        placed: list[BaseProcess | None] = [] if here is None else [None]
        for units in groups:
            pipe, process = _start_process(units, pipes)
            pipes.append(pipe)
            placed.append(process)
            self._processes.append(process)
        if not pipes:
            return None
        self._supervisor = Supervisor(self._graph, self._context, pipes, placed)
        self._supervisor.start()
        return self._supervisor


def _run_here(units: list[Unit], pipe: Connection, supervisor: Supervisor) -> bool:
    """Run the first process's units and wait for the end; return whether a second SIGINT came."""
    try:
        try:
            run_units(units, pipe)
            supervisor.join()
        except KeyboardInterrupt:
            logger.info("Interrupted: the graph is being stopped. Interrupt once more to end it with force.")
            supervisor.stop(Cause.INTERRUPTED)
            supervisor.join()
    except KeyboardInterrupt:
        supervisor.abort()
        supervisor.join()
        return True
    return False


def _raise_outcome(supervisor: Supervisor) -> None:
    if supervisor.error is not None:
        raise supervisor.error
    lifecycle = supervisor.lifecycle
    if lifecycle.cause is Cause.TERMINATED:
        raise SystemExit(SIGTERM_STATUS)
    if lifecycle.failures and lifecycle.cause is Cause.INTERRUPTED:
        logger.error("%s", RunFailed(failures=lifecycle.failures))
        raise SystemExit(SIGINT_STATUS)
    if lifecycle.failures:
        raise RunFailed(failures=lifecycle.failures)


@contextlib.contextmanager
def _sigterm_stops(supervisor: Supervisor) -> Iterator[None]:
    """While the graph runs, SIGTERM ends it in good order. Only the main thread can take signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_signum: int, _frame: FrameType | None) -> None:
        supervisor.stop(Cause.TERMINATED)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start_process(units: list[Unit], others: list[Connection]) -> tuple[Connection, BaseProcess]:
    ours, theirs = multiprocessing.Pipe()
    # A forked child holds copies of our ends. It closes them, so that our death shows as the end of its pipe.
    inherited = [*others, ours] if multiprocessing.get_start_method() == "fork" else []
    process = multiprocessing.Process(target=_work, args=(units, theirs, inherited), name=units[0].address)
    process.start()
    theirs.close()
    return ours, process


def _work(units: list[Unit], pipe: Connection, inherited: list[Connection]) -> None:
    """The whole life of a worker process."""
    for other in inherited:
        other.close()
    # A terminal sends SIGINT to every process; the supervisor's is the one that counts.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    run_units(units, pipe)


def _check_mains(processes: list[list[Unit]]) -> None:
    for units in processes:
        mains = [f"{unit.address}:{unit.main.__name__}" for unit in units if unit.main is not None]
        if len(mains) > 1:
            raise SecondMain(component="a process", mains=mains)
