"""A run and who may end it: :class:`GraphRunner` starts the processes, then the threads, and tells how it went."""

import atexit
import logging
import multiprocessing
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler

from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.errors import GraphRunnerStartError, InvalidOption, RunFailed, RunnerMisused, SecondMain
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.crawl import ResolvedGraph, resolve_graph
from ezmsg.core.graph.processes import ProcessPlan
from ezmsg.core.graph.streams import Stream
from ezmsg.core.graph.unit import Unit
from ezmsg.core.pubsub.options import flag
from ezmsg.core.runtime.backend import BackendProcess, checked_backend
from ezmsg.core.runtime.leaving import OwnProcess, stopped_with_program
from ezmsg.core.runtime.lifecycle import Cause, Lifecycle
from ezmsg.core.runtime.limits import stop_limit
from ezmsg.core.runtime.main_call import MainCall
from ezmsg.core.runtime.main_thread import join, wait_for
from ezmsg.core.runtime.nursery import Nurse, Nursery, Spawning, nurse
from ezmsg.core.runtime.policies import Kind, policy_named
from ezmsg.core.runtime.signals import STATUSES, Signals, held_back
from ezmsg.core.runtime.supervisor import LEAVE_LIMIT_S, Supervisor
from ezmsg.core.runtime.warm_up import warm_up
from ezmsg.core.runtime.worker import SAID_IN_FULL, Worker, run_units
from ezmsg.core.runtime.worker_process import work
from ezmsg.core.support.log_setup import LogSetup
from ezmsg.protocol.addresses import Address, AddressType

logger = logging.getLogger("ezmsg")

Connections = Iterable[tuple[Stream | str, Stream | str]]


class GraphRunner:
    """Runs components once; a second run needs another runner and other components.

    The components are asked for their networks and settings when it starts, which raises what is wrong with them.
    See :func:`ezmsg.core.run` for the arguments.
    """

    def __init__(
        self,
        components: Mapping[str, Component] | None = None,
        root_name: str | None = None,
        connections: Connections | None = None,
        process_components: Collection[Component] | None = None,
        backend_process: type[BackendProcess] | None = None,
        graph_address: AddressType | None = None,
        force_single_process: bool = False,
        profiler_log_name: str | None = None,
        auto_start: bool | None = None,
        *,
        shutdown_timeout: float | None = None,
        dead_worker: str = "fail_fast",
        ends_with: Unit | str | Iterable[Unit | str] = (),
        transport: str | None = None,
        **components_kwargs: Component,
    ) -> None:
        if components is not None and components_kwargs:
            raise InvalidOption(
                option="components", value="...", reason="give components as a mapping or by keyword, not both"
            )
        named = dict(components or components_kwargs)
        self._force_single_process = force_single_process
        self._declared = (named, root_name, connections, process_components, force_single_process)
        self._resolved: ResolvedGraph | None = None
        self._shutdown_timeout = shutdown_timeout
        self._stop_limit_s = stop_limit(shutdown_timeout, ())
        self._backend = checked_backend(backend_process)
        self._policy = policy_named(dead_worker)
        self._ends_with = [ends_with] if isinstance(ends_with, Unit | str) else list(ends_with)
        self._transport = transport
        self._profiler_log_name = profiler_log_name
        self._context = GraphContext(graph_address, auto_start, apart=True)
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
        """The edges of the graph; none before the start, which asks the collections for theirs."""
        return [] if self._resolved is None else list(self._resolved.edges)

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
        :raises GraphRunnerStartError: if a unit cannot be set up, or not be pickled for a process of its own.
        """
        if self._force_single_process:
            raise InvalidOption(
                option="force_single_process", value="True", reason="start() runs units in processes of their own"
            )
        graph = self._resolve()
        if not graph.processes:
            logger.warning("There is nothing to run: no component has units.")
            return
        supervisor = self._launch(graph, graph.processes, None, lambda: None)
        atexit.register(self.stop)  # else a program that forgets to would wait for its workers for ever
        try:
            wait_for(supervisor.started)
        except BaseException:
            self.stop()
            raise
        if not supervisor.lifecycle.ran:
            self.stop()
            if supervisor.error is not None:
                raise supervisor.error
            raise GraphRunnerStartError(failures=supervisor.lifecycle.failures)

    def stop(self) -> None:
        """End the run and wait for it; bounded. A run that has ended, or not begun, is left as it is."""
        if self._supervisor is not None:
            self._supervisor.stop(Cause.DONE)
            join(self._supervisor)
            atexit.unregister(self.stop)

    def run_blocking(self) -> None:
        """Run until all tasks are done, a unit raises NormalTermination, or a signal comes.

        The first process's units run in this process. The first SIGINT ends the run in good order; after a second
        one, or after SIGTERM, the interpreter leaves with status 130 or 143.

        :raises RunnerMisused: if it was started before.
        :raises RunFailed: if a worker died, or something in its process failed.
        :raises Exception: what a unit of this process raised in ``initialize``, ``shutdown`` or ``main``; in a
            task, too, if that was asked for by ``EZMSG_STRICT_SHUTDOWN``.
        :raises EzmsgError: if there is no graph server, or it refuses an edge or the metadata.
        """
        graph = self._resolve()
        processes = graph.processes
        if not processes:
            logger.warning("There is nothing to run: no component has units.")
            return
        ours, theirs = multiprocessing.Pipe()
        main_call = MainCall(processes[0].units)
        signals = Signals(main_call)
        own_process = OwnProcess(lambda: self._forced_status(signals))
        worker: Worker | None = None

        def leave_behind() -> None:
            main_call.leave_behind()
            if worker is not None and worker.turn is not None:
                worker.turn.release()
            own_process.expect_return(main_call)

        with signals.handled(), theirs, stopped_with_program(self._interrupt):
            supervisor = self._launch(graph, processes[1:], ours, leave_behind)
            atexit.register(self.stop)  # the program may end while this thread, a daemon, still runs
            signals.hand_to(supervisor)
            worker = Worker(
                processes[0], theirs, main_call, owner=None, stop_limit_s=self._stop_limit_s, backend=self._backend
            )
            try:
                _run_here(worker, main_call, supervisor)
            finally:
                own_process.returned(0.0 if supervisor.left_behind else self._stop_limit_s)
                atexit.unregister(self.stop)
        _raise_outcome(supervisor, worker.failure, signals)

    def _interrupt(self) -> None:
        """End the run because the program is leaving, after Ctrl-C; from any thread."""
        if self._supervisor is not None:
            self._supervisor.stop(Cause.INTERRUPTED)

    def _forced_status(self, signals: Signals) -> int:
        """Return the exit status of a process that has to be ended after its run."""
        asked = None if self._supervisor is None else _asked(self._supervisor.lifecycle, signals)
        return 1 if asked is None else STATUSES[asked]

    def _resolve(self) -> ResolvedGraph:
        """Ask the components what is to be run: now, and not before, so that a graph that never runs stays unused.

        :raises RunnerMisused: if it was started before.
        """
        if self._supervisor is not None:
            raise RunnerMisused(reason="This runner was started before; make another one for another run")
        if self._resolved is None:
            graph = _with_ends(resolve_graph(*self._declared), self._ends_with)
            graph = replace(graph, processes=[replace(plan, transport=self._transport) for plan in graph.processes])
            _check_mains(graph.processes)
            units = [unit for plan in graph.processes for unit in plan.units]
            self._stop_limit_s = stop_limit(self._shutdown_timeout, units)
            self._resolved = graph
        if self._profiler_log_name is not None:
            os.environ["EZMSG_PROFILER"] = self._profiler_log_name
        return self._resolved

    def _launch(
        self,
        graph: ResolvedGraph,
        plans: list[ProcessPlan],
        here: Connection | None,
        leave_behind: Callable[[], None],
    ) -> Supervisor:
        """Start the processes, then the supervisor's thread: no thread of ours exists when a process forks."""
        pipes = [] if here is None else [here]
        placed: list[BaseProcess | None] = [] if here is None else [None]
        nursery: Nursery | None = None
        if plans and multiprocessing.get_start_method() == "fork":
            warm_up(plans)
        try:
            with held_back():
                for plan in plans:
                    pipe, process = _start_process(plan, pipes, self._stop_limit_s, self._backend)
                    pipes.append(pipe)
                    placed.append(process)
                    self._processes.append(process)
                if self._policy.kind is Kind.RESTART and plans:
                    nursery = _nursery(graph.processes, pipes, self._stop_limit_s, self._backend)
        except BaseException:
            for pipe in pipes:
                pipe.close()  # which those that were started take as their end
            raise
        self._supervisor = Supervisor(
            graph,
            self._context,
            pipes,
            placed,
            leave_behind,
            self._stop_limit_s,
            self._policy,
            [number for number, plan in enumerate(graph.processes) if plan.ends_run],
            nursery,
        )
        self._supervisor.start()
        return self._supervisor


def _run_here(worker: Worker, main_call: MainCall, supervisor: Supervisor) -> None:
    """Run the first process's units, and wait for the end."""
    try:
        thread = run_units(worker, main_call)
        join(supervisor)
    except BaseException:  # a signal handler of the program's own raised it
        supervisor.stop(Cause.INTERRUPTED)
        join(supervisor)
        raise
    if not supervisor.left_behind:
        join(thread, LEAVE_LIMIT_S)


def _asked(lifecycle: Lifecycle, signals: Signals) -> Cause | None:
    """Return what asked for the end from outside, be it that the run was ending anyway."""
    for cause in (lifecycle.cause, signals.cause):
        if cause in (Cause.TERMINATED, Cause.HUNG_UP):
            return cause
    interrupted = Cause.INTERRUPTED in (lifecycle.cause, signals.cause) and lifecycle.cause is not Cause.FAILED
    return Cause.INTERRUPTED if interrupted or signals.wishes > 1 else None


def _raise_outcome(supervisor: Supervisor, failure: tuple[str, Exception] | None, signals: Signals) -> None:
    """Raise what the run ended with, if anything.

    :param failure: the first failure of the program's own process, and the exception that a unit raised.
    """
    if supervisor.error is not None:
        raise supervisor.error
    lifecycle = supervisor.lifecycle
    asked = _asked(lifecycle, signals)
    if asked is not None and (asked is not Cause.INTERRUPTED or signals.wishes > 1 or lifecycle.failures):
        raise SystemExit(STATUSES[asked])
    if lifecycle.failures:
        failed = RunFailed(failures=lifecycle.failures)
        if failure is not None and failure[0] == lifecycle.failures[0]:
            if len(lifecycle.failures) > 1 or not isinstance(failure[1], SAID_IN_FULL):
                failure[1].add_note(str(failed))
            raise failure[1]  # as if the unit had been called by the program itself
        raise failed


def _start_process(
    plan: ProcessPlan, others: list[Connection], stop_limit_s: float, backend: type[BackendProcess] | None
) -> tuple[Connection, BaseProcess]:
    """Start a worker.

    :raises GraphRunnerStartError: if the units cannot be handed to a process that is not forked.
    """
    ours, theirs = multiprocessing.Pipe()
    # A forked child holds copies of our ends. It closes them, so that our death shows as the end of its pipe.
    inherited = [*others, ours] if multiprocessing.get_start_method() == "fork" else []
    process = _process(plan, theirs, inherited, os.getpid(), stop_limit_s, backend)
    try:
        process.start()
    except Exception as error:  # pickle's, which may be of any type; under fork nothing is pickled
        ours.close()
        raise GraphRunnerStartError(failures=[_unpicklable(plan, error)]) from error
    finally:
        theirs.close()
    return ours, process


def _process(
    plan: ProcessPlan,
    theirs: Connection,
    inherited: list[Connection],
    owner: int,
    stop_limit_s: float,
    backend: type[BackendProcess] | None,
) -> BaseProcess:
    arguments = (plan, theirs, inherited, owner, stop_limit_s, LogSetup.taken(), backend)
    return multiprocessing.Process(target=work, args=arguments, name=_label(plan))


def _nursery(
    plans: list[ProcessPlan], pipes: list[Connection], stop_limit_s: float, backend: type[BackendProcess] | None
) -> Nursery:
    """Return where workers come from that are started again; to be called while there is no thread of ours."""
    if multiprocessing.get_start_method() != "fork":

        def start_anew(worker: int) -> tuple[Connection, BaseProcess]:
            with held_back():
                return _start_process(plans[worker], [], stop_limit_s, backend)

        return Spawning(start_anew)
    owner = os.getpid()

    def start(worker: int, theirs: Connection, not_for_it: Connection) -> BaseProcess:
        process = _process(plans[worker], theirs, [not_for_it], owner, stop_limit_s, backend)
        process.start()
        return process

    ours, hers = multiprocessing.Pipe()
    process = multiprocessing.Process(target=nurse, args=(hers, [*pipes, ours], start), name="restarting")
    with hers:
        process.start()
    return Nurse(ours, process)


def _with_ends(graph: ResolvedGraph, ends_with: list[Unit | str]) -> ResolvedGraph:
    """Note in the plans with which units the run ends.

    :raises InvalidOption: if one is not in the graph.
    """
    if not ends_with:
        return graph
    wanted = {each.address if isinstance(each, Unit) else each for each in ends_with}
    if unknown := sorted(str(each) for each in wanted if each not in graph.units):
        reason = f"it is no unit of this graph; those are {', '.join(sorted(graph.units))}"
        raise InvalidOption(option="ends_with", value=unknown[0], reason=reason)
    plans = [
        replace(plan, ends_run=tuple(unit.address for unit in plan.units if unit.address in wanted))
        for plan in graph.processes
    ]
    return replace(graph, processes=plans)


def _unpicklable(plan: ProcessPlan, error: Exception) -> str:
    units = plan.units if multiprocessing.get_start_method() != "fork" else []  # a fork pickles nothing
    for unit in units:
        for what, value in _parts(unit):
            try:
                ForkingPickler.dumps(value)
            except Exception as reason:  # noqa: BLE001  whatever a user's class raises when it is pickled
                return (
                    f"{what} cannot be handed to a process of its own ({type(reason).__name__}: {reason}); make it "
                    "in initialize(), or, if it is a class or function, define it at the top of a module"
                )
    return f"the process of {_label(plan)} could not be started ({type(error).__name__}: {error})"


def _parts(unit: Unit) -> Iterator[tuple[str, object]]:
    """Yield what a unit is pickled with, the smallest parts first, so that the culprit is named."""
    settings = getattr(unit, "SETTINGS", None)
    if is_dataclass(settings):
        for field in fields(settings):
            yield f"{unit.address}: SETTINGS.{field.name}", getattr(settings, field.name, None)
    yield f"{unit.address}: SETTINGS", settings
    yield unit.address, unit


def _label(plan: ProcessPlan) -> str:
    first, *others = plan.addresses
    return f"{first} and {len(others)} more" if others else first


def _check_mains(processes: list[ProcessPlan]) -> None:
    for plan in processes:
        mains = [f"{unit.address}:{unit.main.__name__}" for unit in plan.units if unit.main is not None]
        if len(mains) > 1:
            raise SecondMain(component="a process", mains=mains)
