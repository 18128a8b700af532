"""What one process of a run does: set up units, run their tasks, shut them down; when, the supervisor says.

The units' event loop has a thread of its own; a unit's ``main`` runs on the main thread of the process.
"""

import asyncio
import contextlib
import inspect
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from ezmsg.control.process.progress import Progress
from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.errors import SettingsMissing, StateNotInitialized
from ezmsg.core.graph.processes import ProcessPlan
from ezmsg.core.graph.state import State
from ezmsg.core.graph.streams import InputStream, OutputStream
from ezmsg.core.graph.termination import NormalTermination
from ezmsg.core.graph.unit import Unit
from ezmsg.core.pubsub.options import flag
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.core.runtime.backend import BackendProcess, Turn
from ezmsg.core.runtime.control_link import ControlLink
from ezmsg.core.runtime.executor import UnitsExecutor, current_unit
from ezmsg.core.runtime.limits import STOP_LIMIT_S
from ezmsg.core.runtime.loops import new_event_loop
from ezmsg.core.runtime.main_call import MainCall
from ezmsg.core.runtime.main_thread import wait_for
from ezmsg.core.runtime.orders import LOOK_S, Orders
from ezmsg.core.runtime.relaying import Bridges
from ezmsg.core.runtime.tasks import RunningUnit, cancelled_from_outside, inlets_in_use
from ezmsg.core.runtime.whereabouts import lasting_threads, line_of_task, users_line, whereabouts
from ezmsg.core.runtime.wishes import Wishes
from ezmsg.core.runtime.words import (
    Busy,
    DriedUp,
    Failed,
    Go,
    Idle,
    Order,
    Prepare,
    Ready,
    Report,
    Stop,
    Stopped,
    Terminate,
)
from ezmsg.core.support.garbage import no_look_for_garbage
from ezmsg.core.support.many import outcomes
from ezmsg.core.support.wording import described
from ezmsg.protocol.addresses import Address

logger = logging.getLogger("ezmsg")

SAID_IN_FULL = (SettingsMissing, StateNotInitialized)
"""What we find wrong with a unit before it runs: the sentence names it, and no traceback has a line of its code."""

MAIN_LIMIT_S = 9.0
"""How long a ``main`` may go on after everything else in its process has ended, in seconds."""

INTERRUPT_AGAIN_S = 0.5
"""How long a ``main`` has to notice that it was interrupted before it is interrupted again, in seconds."""


class Worker:
    """Runs the units of one process on the event loop it is awaited on.

    :param owner: the process that started this one for these units; ``None``: this is the program's own.
    :param wishes: the signals that ask a process of the worker's own for its end.
    :param stop_limit_s: how long the end may take, in seconds.
    :param backend: the program's own way to run units, if it has one.
    """

    def __init__(
        self,
        plan: ProcessPlan,
        pipe: Connection,
        main_call: MainCall,
        *,
        owner: int | None,
        wishes: Wishes | None = None,
        stop_limit_s: float = STOP_LIMIT_S,
        backend: type[BackendProcess] | None = None,
    ) -> None:
        self.backend = backend
        self.turn = None if backend is None else Turn()
        self._plan = plan
        self._units = plan.units
        self._pipe = pipe
        self._main_call = main_call
        self._owner = owner
        self._wishes = wishes
        self._stop_limit_s = stop_limit_s
        self._saying = threading.Lock()
        self._loop_thread = threading.get_ident()
        self._threads_before = frozenset(threading.enumerate())
        self._closed = threading.Event()
        self.failure: tuple[str, Exception] | None = None
        self._orders: Orders | None = None
        self._set_up: list[Unit] = []
        self._running: list[RunningUnit] = []
        self._publishers: list[Publisher] = []
        self._bridges = Bridges()
        self._context: GraphContext | None = None
        self._control_link: ControlLink | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._prepare_told: asyncio.Future[Address]
        self._preparing: asyncio.Task[None] | None = None
        self._go_told = asyncio.Event()
        self._stop_told = asyncio.Event()
        self._main_over = asyncio.Event()
        self._urgent = False
        self._dry_told = False
        self._endpoints_closed = False
        self._when_dead, self._restarts = "", 0
        self._phase = "starting"
        self._initializing: tuple[str, float] | None = None  # a unit, and since when
        self._at = "the process"  # the address of what is being started

    async def run(self) -> None:
        """Follow the supervisor's orders until the end."""
        self._loop = asyncio.get_running_loop()
        self._prepare_told = self._loop.create_future()
        self._loop_thread = threading.get_ident()
        self._loop.set_default_executor(UnitsExecutor(thread_name_prefix="executor"))
        self._orders = Orders(
            self._pipe,
            self._loop,
            self._receive,
            self._tell_what_runs,
            self._closed,
            self._owner,
            self._wishes,
            self.say,
            self._stop_limit_s,
        )
        self._orders.start()
        try:
            await self._live()
        finally:
            self._main_call.decide(False)
            await self._end()
            if self.turn is not None:
                self.say(Busy("backend_process", "process(), which has not returned"))
                await self.turn.end()

    def close(self) -> None:
        """The event loop is closed, and what it had lent to threads has come back: tell, as the last word."""
        self._closed.set()
        if self.turn is not None:
            self.turn.release()
        if self._orders is not None and self._owner is None:
            self._orders.join(LOOK_S)
        self.say(Stopped())

    def say(self, report: Report) -> None:
        """Tell the supervisor; from any thread."""
        with self._saying, contextlib.suppress(OSError):  # nobody listens any more
            self._pipe.send(report)

    def fail(self, name: str, reason: str, error: BaseException | None) -> None:
        """Tell the supervisor of a failure, and keep the exception for who called ``run``; from any thread."""
        if self.failure is None and isinstance(error, Exception):
            self.failure = (f"{name}: {reason}", error)
        self.say(Failed(name, reason))

    def take_turn(self, turn: Turn) -> None:
        """Call the program's own ``process`` with what runs here; on the main thread."""
        assert self.backend is not None
        turn.take(self.backend, self._units, self._plan.relays)

    def main_is_over(self) -> None:
        """``main`` has returned; from any thread."""
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._on_main_over)

    # --- the parts of its life ------------------------------------------------------------------------------

    async def _live(self) -> None:
        if not await self._unless_stopped(self._prepare()):
            return
        if await self._unless_stopped(self._go_told.wait()):
            self._go()
            await self._stop_told.wait()

    async def _prepare(self) -> None:
        self._preparing = asyncio.current_task()
        address = await self._prepare_told
        if self.turn is not None:
            await self.turn.begin(address)
        try:
            self._control_link = ControlLink(address, [unit.address for unit in self._units], self._progress)
            self._at = f"the process of {', '.join(self._plan.addresses)}"
            await self._control_link.open()
            for unit in self._units:
                self._at = unit.address
                self._initializing = (unit.address, time.monotonic())
                current_unit.set(unit.address)
                if _is_own(unit, "initialize") or unit.__state_type__ is not State:
                    self.say(Busy(unit.address, "initialize()"))
                await unit.setup()
                self._set_up.append(unit)
            self._initializing = None
            await self._open_endpoints(address, self._control_link)
            self._phase = "ready"
        except asyncio.CancelledError:
            if self._stop_told.is_set():
                raise
            self._fail_to_start("it was cancelled", None)
        except (Exception, SystemExit) as error:  # noqa: BLE001  a user's initialize, or the graph server
            self._fail_to_start(described(error), error)
        else:
            self.say(Busy("its units", "running"))
            self.say(Ready())

    def _fail_to_start(self, reason: str, error: BaseException | None) -> None:
        if not isinstance(error, SAID_IN_FULL):
            logger.exception("%s could not be started", self._at)
        self.fail(self._at, f"it could not be started: {reason}", error)

    async def _open_endpoints(self, address: Address, control_link: ControlLink) -> None:
        self._context = GraphContext(address, auto_start=False, transport=self._plan.transport)
        strict = flag("EZMSG_STRICT_SHUTDOWN", False)
        open_unit = partial(_opened, self._context)
        with no_look_for_garbage():
            async for unit, opened in outcomes(open_unit, self._units):
                self._at = unit.address  # to be named if this raises
                if isinstance(opened, BaseException):
                    raise opened
                self._publishers += opened.publishers.values()
                observers = control_link.add(unit, opened.subscribers)
                self._running.append(RunningUnit(unit, opened.publishers, opened.subscribers, strict, observers))
        self._at = "a relay"
        await self._bridges.open(self._context, self._plan.relays)
        self._at = f"the process of {', '.join(self._plan.addresses)}"
        await control_link.units_are_ready()

    def _progress(self) -> Progress:
        """Return how far the process is; from any thread."""
        initializing, now_s = self._initializing, time.monotonic()
        waits_for = {} if initializing is None else {initializing[0]: now_s - initializing[1]}
        return Progress(self._phase, waits_for, self._when_dead or None, self._restarts)

    def _go(self) -> None:
        self._phase = "running"
        self._main_call.decide(True)
        self._start_threads()
        for publisher in self._publishers:
            publisher.resume()
        self._bridges.start()
        for running in self._running:
            tasks = [
                self._loop.create_task(self._watch(name, coroutine), name=name)
                for name, coroutine in running.coroutines().items()
            ]
            self._tasks += tasks
            if running.unit.address in self._plan.ends_run:
                self._end_run_after(running.unit.address, tasks)
        for task in self._tasks:
            task.add_done_callback(self._say_if_idle)
            task.add_done_callback(self._say_if_dry)
        self._say_if_idle()
        self._say_if_dry()

    def _end_run_after(self, unit: str, tasks: list[asyncio.Task[None]]) -> None:
        """End the run when the last task of a unit has ended."""

        def look(_: object) -> None:
            if not self._stop_told.is_set() and all(task.done() for task in tasks):
                self.say(Terminate(unit))

        for task in tasks:
            task.add_done_callback(look)

    def _say_if_idle(self, _: object = None) -> None:
        if self._stop_told.is_set() or (self._main_call.allowed and not self._main_over.is_set()):
            return
        if all(task.done() for task in self._tasks) and not self._plan.endless:
            self.say(Idle())

    def _say_if_dry(self, _: object = None) -> None:
        """Tell when nothing here begins anything by itself any more; what threads and mains do is not known."""
        if self._dry_told or self._main_call.allowed or any(unit.threads for unit in self._units):
            return
        sources = {name for running in self._running for name in running.sources}
        if all(task.done() for task in self._tasks if task.get_name() in sources):
            self._dry_told = True
            failed = sorted(name for running in self._running for name in running.ended_by_exception)
            self.say(DriedUp(tuple(failed)))

    async def _end(self) -> None:
        self._phase, self._initializing = "ending", None
        for task in self._tasks:
            task.cancel()
        await asyncio.sleep(0)  # in which most of them end, so that nothing has to be said of them
        for task in self._tasks:
            if not task.done():
                self.say(Busy(task.get_name(), "being cancelled"))
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for running in self._running:
            running.finish()
        await self._end_main()
        for unit in self._set_up:
            if _is_own(unit, "shutdown"):
                self.say(Busy(unit.address, "shutdown()"))
                await self._shut_down(unit)
        self.say(Busy("endpoints", "closing"))
        for running in self._running:
            for subscriber in running.subscribers.values():
                subscriber.close()  # what waits for a unit that has ended must not hold up the relays
        await self._bridges.end()
        if self._context is not None:
            await self._context.revert()
        if self._control_link is not None:
            await self._control_link.close()
        self._endpoints_closed = True

    async def _end_main(self) -> None:
        """Wait for ``main``, because its unit may not be shut down under it; interrupt it when that takes long."""
        if not self._main_call.allowed or self._main_over.is_set():
            return
        self.say(Busy(self._main_call.name, "main, which has not returned"))
        try:
            async with asyncio.timeout(0 if self._urgent else MAIN_LIMIT_S):
                await self._main_over.wait()
        except TimeoutError:
            if not self._urgent:
                logger.warning("%s goes on after everything else; it is interrupted.", self._main_call.name)
            await self._interrupt_main()

    async def _interrupt_main(self) -> None:
        """Interrupt ``main`` and wait for its end; again, while a signal has not woken it."""
        self._main_call.interrupt()
        while not self._main_over.is_set():
            try:
                async with asyncio.timeout(INTERRUPT_AGAIN_S):
                    await self._main_over.wait()
            except TimeoutError:
                if self._main_call.interrupt_pending:
                    self._main_call.interrupt()

    async def _shut_down(self, unit: Unit) -> None:
        try:
            result: Any = unit.shutdown()
            if inspect.isawaitable(result):
                await result
        except (Exception, asyncio.CancelledError, SystemExit) as error:  # a user's function; the others follow
            if isinstance(error, asyncio.CancelledError) and cancelled_from_outside():
                raise
            logger.exception("%s could not be shut down", unit.address)
            self.fail(unit.address, f"its shutdown raised {described(error)}", error)

    # --- details ----------------------------------------------------------------------------------------------

    async def _watch(self, name: str, coroutine: Coroutine[Any, Any, None]) -> None:
        current_unit.set(name)
        try:
            await coroutine
        except NormalTermination:
            self.say(Terminate(name))
        except asyncio.CancelledError:
            raise
        except SystemExit as error:
            logger.error("%s called sys.exit(); raise ezmsg.core.NormalTermination to end the program.", name)
            self.say(Failed(name, f"it called sys.exit({error.code!r})"))
        except Exception as error:  # noqa: BLE001  only under strict: else the task has dealt with it
            self.fail(name, described(error), error)

    def _start_threads(self) -> None:
        for unit in self._units:
            for name, function in unit.threads.items():
                whole = f"{unit.address}:{name}"
                thread = threading.Thread(
                    target=self._call_in_thread, args=(whole, function, unit), name=whole, daemon=True
                )
                thread.start()

    def _call_in_thread(self, name: str, function: Callable[[Unit], object], unit: Unit) -> None:
        try:
            function(unit)
        except NormalTermination:
            self.say(Terminate(name))
        except Exception:  # a user's function; its unit goes on, as after an exception in a task
            logger.exception("Exception in thread: %s", name)

    async def _unless_stopped(self, coroutine: Coroutine[Any, Any, Any]) -> bool:
        """Await something until it is done or Stop comes; return whether it is for going on."""
        task = self._loop.create_task(coroutine)
        stop = self._loop.create_task(self._stop_told.wait())
        try:
            await asyncio.wait((task, stop), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            task.cancel()
            await asyncio.wait((task, stop))
        return not self._stop_told.is_set()

    def _receive(self, order: Order) -> None:
        match order:
            case Prepare(address, when_dead, restarts):
                self._when_dead, self._restarts = when_dead, restarts
                if not self._prepare_told.done():
                    self._prepare_told.set_result(address)
            case Go():
                self._go_told.set()
            case Stop(urgent):
                self._urgent = urgent
                self._stop_told.set()
                if self.turn is not None:
                    self.turn.term_ev.set()

    def _on_main_over(self) -> None:
        self._main_over.set()
        self._say_if_idle()

    def _tell_what_runs(self) -> None:
        """Say what keeps this process from its end; called on another thread."""
        if not self._go_told.is_set():  # and not Stop, of which a loop that is kept busy has not heard
            self._tell_what_starts()
            return
        task = asyncio.current_task(self._loop)
        if task in self._tasks:
            line = users_line(self._loop_thread)
            where = f" at {line}" if line else ""
            self.say(Busy(task.get_name(), f"it keeps the event loop busy{where}, so that nothing else has a turn"))
        elif self._endpoints_closed:
            threads = lasting_threads(self._threads_before)
            if threads:
                self.say(Busy(whereabouts(threads), "still running"))

    def _tell_what_starts(self) -> None:
        line = users_line(self._loop_thread) or line_of_task(self._preparing)
        self.say(Busy(self._at, f"initialize() at {line}" if line else "being started"))


def _is_own(unit: Unit, name: str) -> bool:
    """Whether a unit has a method of its own where the base class does nothing."""
    return getattr(type(unit), name) is not getattr(Unit, name) or name in vars(unit)


class _Opened(NamedTuple):
    """The endpoints of a unit, by the topics of its streams."""

    publishers: dict[str, Publisher]
    subscribers: dict[str, Subscriber]


async def _opened(context: GraphContext, unit: Unit) -> _Opened:
    """Open the endpoints of a unit together, as then they are declared together."""
    outlets = [stream for stream in unit.streams.values() if isinstance(stream, OutputStream)]
    inlets = inlets_in_use(unit)
    opening = [_publisher(context, unit, outlet) for outlet in outlets]
    listening = [_subscriber(context, inlet) for inlet in inlets]
    opened = _Opened({}, {})
    for end in await asyncio.gather(*opening, *listening, return_exceptions=True):
        match end:
            case BaseException():
                raise end
            case Publisher():
                opened.publishers[end.topic] = end
            case Subscriber():
                opened.subscribers[end.topic] = end
    return opened


async def _publisher(context: GraphContext, unit: Unit, outlet: OutputStream) -> Publisher:
    publisher = await context.publisher(
        outlet.address,
        host=outlet.host,
        port=outlet.port,
        buf_size=outlet.buf_size,
        num_buffers=outlet.num_buffers,
        start_paused=True,
        force_tcp=outlet.force_tcp,
        allow_local=outlet.allow_local,
        strict_views=outlet.strict_views,
        max_block=outlet.max_block,
        transport=outlet.transport,
    )
    publisher.origin = (unit.address, outlet.name)
    outlet._lend = publisher.loan
    return publisher


async def _subscriber(context: GraphContext, inlet: InputStream) -> Subscriber:
    return await context.subscriber(inlet.address, leaky=inlet.leaky, max_queue=inlet.max_queue)


def run_units(worker: Worker, main_call: MainCall) -> threading.Thread:
    """Let a worker do its work, a unit's ``main`` on this thread, the rest on the one returned."""
    # No daemon, so that threads which units start are none either, and may finish what they do.
    thread = threading.Thread(target=_run_loop, args=(worker, main_call), name="TaskThread")
    thread.start()
    if worker.turn is not None:
        _take_turn(worker, worker.turn, main_call)
    else:
        _call_main(worker, main_call)
    return thread


def _call_main(worker: Worker, main_call: MainCall) -> None:
    wait_for(main_call.decided)
    if main_call.allowed:
        _run_main(worker, main_call)


def _take_turn(worker: Worker, turn: Turn, main_call: MainCall) -> None:
    """Let the program's own ``process`` run the units."""
    name = f"backend_process {worker.backend.__qualname__}" if worker.backend else ""
    turn.call_main = lambda: _call_main(worker, main_call)
    try:
        worker.take_turn(turn)
    except NormalTermination:
        worker.say(Terminate(name))
    except (Exception, SystemExit) as error:
        logger.exception("%s failed", name)
        worker.fail(name, f"its process() raised {described(error)}", error)
    else:
        if not turn.begun and not turn.over.is_set():
            reason = "its process() returned and has run no unit; it has to call super().process(loop)"
            worker.fail(name, reason, None)


def _run_loop(worker: Worker, main_call: MainCall) -> None:
    try:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(worker.run())
    except BaseException as error:  # a fault of ours, or of a task that units made: the supervisor must hear of it
        logger.exception("The units' event loop failed")
        worker.say(Failed("the units' event loop", described(error)))
    finally:
        main_call.decide(False)
        worker.close()


def _run_main(worker: Worker, main_call: MainCall) -> None:
    assert main_call.function is not None
    try:
        with main_call.interruptible():
            main_call.function()
    except (NormalTermination, KeyboardInterrupt):
        worker.say(Terminate(main_call.name))
    except SystemExit as error:  # what a toolkit's `sys.exit(app.exec())` raises: a way to end the program
        if error.code in (None, 0):
            worker.say(Terminate(main_call.name))
        else:
            worker.say(Failed(main_call.name, f"it called sys.exit({error.code!r})"))
    except Exception as error:  # a user's function; the program ends, as it would without ezmsg
        logger.exception("Exception in main: %s", main_call.name)
        worker.fail(main_call.name, described(error), error)
    finally:
        worker.main_is_over()
