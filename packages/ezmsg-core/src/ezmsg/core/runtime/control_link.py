"""The control link of a process of units: a thread and an event loop of its own, and on it the process's client.

So it answers while user code blocks the units' loop, and never delays the units.
"""

import asyncio
import contextlib
import logging
import math
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from ezmsg.control.errors import ProcessNotConnected, SettingsFixed
from ezmsg.control.process.progress import TellProgress
from ezmsg.core.graph.streams import SETTINGS_STREAM
from ezmsg.core.graph.unit import Unit
from ezmsg.core.profiling.process_client import ProcessControlClient
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.core.runtime.loops import new_event_loop
from ezmsg.core.runtime.tasks import Observer
from ezmsg.core.runtime.unit_settings import UnitSettings
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded, EzmsgError
from ezmsg.protocol.model.settings import SettingsSnapshotValue

logger = logging.getLogger("ezmsg")

CLOSE_LIMIT_S = 3.0
"""How long the link may take to close, in seconds; it is a daemon thread, and left behind after that."""

SETTLE_LIMIT_S = 1.0
"""How much of that it may take to report the last settings."""

SWITCH_S = 0.0005
"""How long code in Python may go on before the link has its turn, in seconds; it needs a few turns for an answer.

This is the interpreter's switch interval. It costs nothing while one thread of the process alone has work.
"""


class _Links:
    """How many links live in this process: the first one shortens the switch interval, the last one restores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._before_s = 0.0

    def begin(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 1:
                self._before_s = sys.getswitchinterval()
                sys.setswitchinterval(min(self._before_s, SWITCH_S))

    def end(self) -> None:
        with self._lock:
            self._count -= 1
            # Another value than ours was set by somebody since, and stays.
            if self._count == 0 and math.isclose(sys.getswitchinterval(), SWITCH_S):
                sys.setswitchinterval(self._before_s)


_links = _Links()


class ControlLink(threading.Thread):
    """Registers the process with its units, answers for it, and reports the settings that its units take.

    Made, opened and closed on the units' loop. It is opened before the units are set up, so that others see what
    the process waits for; changes of settings wait until :meth:`units_are_ready`.
    """

    def __init__(self, address: Address, units: Sequence[str], progress: TellProgress) -> None:
        super().__init__(name="ControlLink", daemon=True)
        self._units_loop = asyncio.get_running_loop()
        self._loop = new_event_loop()
        self._client = ProcessControlClient(address, units_loop=self._units_loop, progress=progress)
        self._units = list(units)
        self._settings: dict[str, UnitSettings] = {}
        self._opened: asyncio.Future[None] = self._units_loop.create_future()
        self._closed = asyncio.Event()
        self._ready = asyncio.Event()
        self._ending = asyncio.Event()

    def add(self, unit: Unit, subscribers: Mapping[str, Subscriber]) -> dict[str, Observer]:
        """Return, by topic, what is to be told of the messages that a unit took; before :meth:`units_are_ready`."""
        inlet = unit.streams.get(SETTINGS_STREAM)
        subscriber = None if inlet is None else subscribers.get(inlet.address)
        if inlet is None or subscriber is None:
            return {}
        settings = UnitSettings(unit, subscriber, self._report)
        self._settings[unit.address] = settings
        return {inlet.address: settings.observer(self._loop)}

    async def units_are_ready(self) -> None:
        """Own the units, and let changes of settings through."""
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._own(), self._loop))

    async def open(self) -> None:
        """Begin; return when the process is registered, and answers for its units.

        :raises OwnershipCollision: if other processes have any of them.
        :raises EzmsgError: if the graph server cannot be reached.
        """
        self.start()
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """End, within a bounded time; the graph server forgets the process. It is fine to call this again."""
        if self.ident is None:
            self._loop.close()
            return
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._ending.set)
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._closed.wait()
        except TimeoutError:
            logger.warning("The control link did not close within %g s and was left behind.", CLOSE_LIMIT_S)
            return
        self.join()

    def run(self) -> None:
        """Live; this is the thread's own."""
        _links.begin()
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._live())
        except BaseException as error:  # it goes to who waits in open(), else to the log
            if not self._tell_units(self._fail_opening, error):
                logger.exception("The control link failed")
        finally:
            _links.end()
            self._tell_units(self._closed.set)

    # --- on its own loop ------------------------------------------------------------------------------------

    async def _live(self) -> None:
        self._client.set_settings_handler(self._change)
        try:
            await self._client.register([], starting=self._units)
            self._tell_units(self._finish_opening)
            await self._ending.wait()
            await self._settle()
        finally:
            await self._client.close()

    async def _own(self) -> None:
        await self._client.update_ownership(added_units=self._units)
        self._ready.set()

    async def _settle(self) -> None:
        """Let the server hear what the units took last, even if they ended over it; whoever set it may wait."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_LIMIT_S):
                for settings in self._settings.values():
                    await settings.settle()

    async def _change(self, component_address: str, field_path: str, value: Any) -> SettingsSnapshotValue:
        await self._ready.wait()  # for as long as who asks has time
        settings = self._settings.get(component_address)
        if settings is None:
            raise SettingsFixed(component=component_address)
        return await settings.change(field_path, value)

    async def _report(self, component_address: str, value: SettingsSnapshotValue, timestamp: float) -> None:
        try:
            await self._client.report_settings_update(component_address, value, timestamp)
        except (ConnectionLost, ProcessNotConnected, DeadlineExceeded):
            pass  # the log has it already, and it is told when the server is back; or the run ends
        except EzmsgError as error:
            logger.warning(
                "The new settings of %s are not known to others. %s", component_address, error.sentence()
            )

    # --- on the units' loop ---------------------------------------------------------------------------------

    def _tell_units(self, call: Any, *arguments: Any) -> bool:
        """Have something run on the units' loop; return whether that goes on."""
        try:
            self._units_loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError:
            return False
        return True

    def _finish_opening(self) -> None:
        if not self._opened.done():
            self._opened.set_result(None)

    def _fail_opening(self, error: BaseException) -> None:
        if self._opened.done():
            logger.error("The control link failed", exc_info=error)
        else:
            self._opened.set_exception(error)
