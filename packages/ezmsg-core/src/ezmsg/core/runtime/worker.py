"""What one process of a run does: set up units, run their tasks, shut them down; when, the supervisor says.

The units' event loop has a thread of its own; a unit's ``main`` runs on the main thread of the process.
"""

import asyncio
import contextlib
import inspect
import logging
import os
import socket
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any
from uuid import uuid4

from ezmsg.control import sharing
from ezmsg.control.client import ControlConnection
from ezmsg.core.context import GraphContext
from ezmsg.core.graph.streams import OutputStream
from ezmsg.core.graph.termination import NormalTermination
from ezmsg.core.graph.unit import Unit
from ezmsg.core.pubsub.options import flag
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.runtime.loops import new_event_loop
from ezmsg.core.runtime.tasks import RunningUnit, inlets_in_use
from ezmsg.core.runtime.words import Busy, Failed, Go, Idle, Order, Prepare, Ready, Report, Stop, Stopped, Terminate
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.model.process_control import ProcessRegistration

logger = logging.getLogger("ezmsg")


class Worker:
    """Runs the units of one process on the event loop it is awaited on."""

    def __init__(self, units: list[Unit], pipe: Connection) -> None:
        self._units = units
        self._pipe = pipe
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._set_up: list[Unit] = []
        self._running: list[RunningUnit] = []
        self._publishers: list[Publisher] = []
        self._context: GraphContext
        self._connection: ControlConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.mains_may_run = threading.Event()
        self.stopping = threading.Event()

    async def run(self) -> None:
        """Follow the supervisor's orders until the end."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe.fileno(), self._read_orders)
        try:
            order = await self._orders.get()
            if isinstance(order, Prepare):
                await self._prepare_and_run(order.address)
        finally:
            self.stopping.set()
            self.mains_may_run.set()
            await self._end()
            loop.remove_reader(self._pipe.fileno())
            self._say(Stopped())

    async def _prepare_and_run(self, address: Address) -> None:
        try:
            await self._prepare(address)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a user's initialize, or the graph server: the whole run ends, and says why
            unit = self._units[len(self._set_up)].address if len(self._set_up) < len(self._units) else "endpoints"
            logger.exception("%s could not be started", unit)
            self._say(Failed(unit, f"it could not be started: {type(error).__name__}: {error}"))
            await self._until_stop()
            return
        self._say(Ready())
        if isinstance(await self._orders.get(), Go):
            await self._go()

    # --- the three parts of its life ------------------------------------------------------------------------

    async def _prepare(self, address: Address) -> None:
        self._context = GraphContext(address, auto_start=False)
        for unit in self._units:
            self._say(Busy(unit.address, "initialize()"))
            await unit.setup()
            self._set_up.append(unit)
        strict = flag("EZMSG_STRICT_SHUTDOWN", False)
        for unit in self._units:
            publishers = {}
            for outlet in unit.streams.values():
                if isinstance(outlet, OutputStream):
                    publishers[outlet.address] = await self._publisher(outlet)
            subscribers = {
                inlet.address: await self._context.subscriber(
                    inlet.address, leaky=inlet.leaky, max_queue=inlet.max_queue
                )
                for inlet in inlets_in_use(unit)
            }
            self._publishers += publishers.values()
            self._running.append(RunningUnit(unit, publishers, subscribers, strict))
        self._connection = await sharing.acquire(address)
        registration = ProcessRegistration(os.getpid(), socket.gethostname(), [u.address for u in self._units])
        await self._connection.request(RegisterProcess(uuid4(), registration))

    async def _publisher(self, outlet: OutputStream) -> Publisher:
        return await self._context.publisher(
            outlet.address,
            host=outlet.host,
            port=outlet.port,
            buf_size=outlet.buf_size,
            num_buffers=outlet.num_buffers,
            start_paused=True,
            force_tcp=outlet.force_tcp,
            allow_local=outlet.allow_local,
        )

    async def _go(self) -> None:
        self.mains_may_run.set()
        self._start_threads()
        for publisher in self._publishers:
            publisher.resume()
        for running in self._running:
            for name, coroutine in running.coroutines().items():
                self._tasks.append(asyncio.get_running_loop().create_task(self._watch(name, coroutine), name=name))
        for task in self._tasks:
            task.add_done_callback(self._say_if_idle)
        if not self._tasks:
            self._say(Idle())
        await self._until_stop()

    def _say_if_idle(self, _: object) -> None:
        if not self.stopping.is_set() and all(task.done() for task in self._tasks):
            self._say(Idle())

    async def _end(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            self._say(Busy(task.get_name(), "being cancelled"))
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for unit in self._set_up:
            self._say(Busy(unit.address, "shutdown()"))
            await self._shut_down(unit)
        if hasattr(self, "_context"):
            self._say(Busy("endpoints", "closing"))
            await self._context.revert()
        if self._connection is not None:
            await sharing.release(self._connection)

    async def _shut_down(self, unit: Unit) -> None:
        try:
            result: Any = unit.shutdown()
            if inspect.isawaitable(result):
                await result
        except Exception as error:  # a user's function; the other units are shut down all the same
            logger.exception("%s could not be shut down", unit.address)
            self._say(Failed(unit.address, f"its shutdown raised {type(error).__name__}: {error}"))

    # --- details ----------------------------------------------------------------------------------------------

    async def _watch(self, name: str, coroutine: Any) -> None:
        try:
            await coroutine
        except NormalTermination:
            self._say(Terminate(name))
        except asyncio.CancelledError:
            raise
        except Exception as error:  # only under strict: elsewhere the task has dealt with it
            self._say(Failed(name, f"{type(error).__name__}: {error}"))

    def _start_threads(self) -> None:
        for unit in self._units:
            for name, function in unit.threads.items():
                thread = threading.Thread(target=function, args=(unit,), name=f"{unit.address}:{name}", daemon=True)
                thread.start()

    async def _until_stop(self) -> None:
        while not isinstance(await self._orders.get(), Stop):
            pass

    def _read_orders(self) -> None:
        try:
            while self._pipe.poll():
                self._orders.put_nowait(self._pipe.recv())
        except (EOFError, OSError):  # the supervisor is gone; nobody else would end this process
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._orders.put_nowait(Stop())

    def _say(self, report: Report) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            self._pipe.send(report)


def run_units(units: list[Unit], pipe: Connection) -> None:
    """Run units until the supervisor says that it is over; the calling thread runs a unit's ``main``."""
    worker = Worker(units, pipe)

    def loop_thread() -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(worker.run())

    thread = threading.Thread(target=loop_thread, name="TaskThread")
    thread.start()
    main = main_of(units)
    if main is not None:
        worker.mains_may_run.wait()
        if not worker.stopping.is_set():
            main()
    thread.join()


def main_of(units: list[Unit]) -> Callable[[], object] | None:
    """Return the ``main`` function of a process's units, bound to its unit."""
    for unit in units:
        if unit.main is not None:
            return unit.main.__get__(unit)  # type: ignore[no-any-return]
    return None
