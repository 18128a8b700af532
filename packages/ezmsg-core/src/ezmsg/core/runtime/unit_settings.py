"""The settings of one running unit: what it has now, and how new ones reach it through its ``INPUT_SETTINGS``.

A change that an operator makes takes the way of a published message, from the inlet's queue on: the unit's
functions cannot tell them apart. Used on the control link's event loop; what runs on the units' loop says so.

Most processes start long before anybody changes a setting, and many are never changed: what only a change needs is
imported by the first one, in a thread.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ezmsg.control.errors import SettingsRefused
from ezmsg.control.process.in_thread import in_thread
from ezmsg.core.channels.channel import Lease
from ezmsg.core.graph.unit import Unit
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.core.runtime.tasks import Observer
from ezmsg.protocol.declared import declared
from ezmsg.protocol.model.settings import SettingsSnapshotValue

logger = logging.getLogger("ezmsg")

Report = Callable[[str, SettingsSnapshotValue, float], Awaitable[None]]
"""Tells the graph server what a component has since a moment, as wall time in seconds."""

NOTHING = object()
"""In the place of settings: the unit has those that it had before."""

REPORT_LIMIT = 100
"""How many settings of one unit may wait to be reported; with more, the oldest is not."""


@declared
class Taken:
    """A message that a unit took, the settings that it has after that, and when, as wall time in seconds."""

    message: Any
    settings: Any
    timestamp: float


@declared
class Handed:
    """Settings on their way to the unit; ``taken`` gets what it took before, and the settings that it has then; or
    what its functions raised."""

    settings: Any
    taken: asyncio.Future[tuple[list[Taken], Any]]


class HandedLease(Lease):
    """Settings in the queue of the unit's inlet; ``dropped`` is called if nobody takes them out."""

    __slots__ = ("_dropped", "_settings", "_viewed")

    def __init__(self, settings: object, dropped: Callable[[], object]) -> None:
        super().__init__(0)
        self.holders = 1
        self._settings = settings
        self._dropped = dropped
        self._viewed = False

    def private(self) -> Any:
        return self.view()

    def detached(self) -> Lease:
        return self

    def _decode(self) -> Any:
        self._viewed = True
        return self._settings

    def _free(self) -> None:
        if not self._viewed:
            self._dropped()


class UnitSettings:
    """Follows what one unit takes, reports it, and changes it; made on the units' loop."""

    def __init__(self, unit: Unit, inlet: Subscriber, report: Report) -> None:
        self._unit = unit
        self._address = unit.address
        self._settings: Any = unit.SETTINGS
        self._inlet = inlet
        self._report = report
        self._units_loop = asyncio.get_running_loop()
        self._changing = asyncio.Lock()
        self._handed: Handed | None = None
        self._unreported: deque[Taken] = deque()
        self._reporting: asyncio.Task[None] | None = None
        self._told_loss = False

    async def change(self, path: str, value: Any) -> SettingsSnapshotValue:
        """Set a field, or with the path "" several, and return what the unit has then; one change at a time.

        Whoever returns this to the server must do so at once: the next report waits for it, and for nothing else.

        :raises SettingsCoercionError: if there is no such field, or the value is not allowed there.
        """
        async with self._changing:
            # In a thread, as validators are the user's.
            new = await in_thread(partial(_patched, self._settings, path, value))
            try:
                before, in_effect = await self._hand_over(new)
                for earlier in before:
                    await self._tell(earlier)
            except Exception as error:  # what a user's function has against the new settings
                raise _refused(path, value, error) from error
            return await in_thread(partial(_settings_value, in_effect, self._address))

    def observer(self, loop: asyncio.AbstractEventLoop) -> Observer:
        """Return what the unit's loop calls when a message was taken; ``loop`` is the control link's.

        What the unit has then is what its functions applied or assigned, which may be another value than the
        message's. Of one that does neither it is the message: it has its own way of taking it.
        """
        unit, times_before, before = self._unit, self._unit._times_applied, self._unit.SETTINGS

        def observe(message: object, error: BaseException | None) -> None:
            nonlocal times_before, before
            times, settings = unit._times_applied, message
            if times != times_before or unit.SETTINGS is not before:
                times_before, before = times, unit.SETTINGS
                settings = before
            elif error is not None:
                settings = NOTHING
            with contextlib.suppress(RuntimeError):  # the control link has ended
                loop.call_soon_threadsafe(self._receive, Taken(message, settings, time.time()), error)

        return observe

    async def settle(self) -> None:
        """Wait until what the unit took so far is reported."""
        if self._reporting is not None:
            await asyncio.wait((self._reporting,))

    # --- inside -------------------------------------------------------------------------------------------

    async def _hand_over(self, settings: object) -> tuple[list[Taken], Any]:
        """Give settings to the unit, wait until its functions have run, and return what it took before them, and
        which it has now."""
        loop = asyncio.get_running_loop()
        self._handed = Handed(settings, loop.create_future())
        drop = partial(loop.call_soon_threadsafe, self._receive_drop, self._handed)
        try:
            self._units_loop.call_soon_threadsafe(self._inlet.put, HandedLease(settings, drop))
            return await self._handed.taken
        finally:
            self._handed = None

    def _receive(self, taken: Taken, error: BaseException | None) -> None:
        handed = self._handed
        if taken.settings is not NOTHING:
            self._settings = taken.settings
        is_handed = handed is not None and handed.settings is taken.message and not handed.taken.done()
        if handed is not None and is_handed and error is None:
            handed.taken.set_result((list(self._unreported), taken.settings))
            self._unreported.clear()
            return
        if handed is not None and is_handed:
            handed.taken.set_exception(RuntimeError(f"{type(error).__name__}: {error}"))
        if taken.settings is not NOTHING:  # also of a function that applied them, and failed after that
            self._queue(taken)

    def _receive_drop(self, handed: Handed) -> None:
        if not handed.taken.done():
            handed.taken.set_exception(
                RuntimeError("its inlet was closed, or newer settings came before it looked")
            )

    def _queue(self, taken: Taken) -> None:
        if len(self._unreported) >= REPORT_LIMIT:
            self._unreported.popleft()
            if not self._told_loss:
                self._told_loss = True
                logger.warning(
                    "%s takes new settings faster than they can be reported: of those that wait, the newest %d are "
                    "told to the graph server. Set several fields at a time, or set them less often.",
                    self._address,
                    REPORT_LIMIT,
                )
        self._unreported.append(taken)
        if self._reporting is None or self._reporting.done():
            self._reporting = asyncio.get_running_loop().create_task(self._report_all())

    async def _report_all(self) -> None:
        while self._unreported:
            async with self._changing:  # so that the server hears of everything in the order in which it was taken
                if self._unreported:
                    await self._tell(self._unreported.popleft())

    async def _tell(self, taken: Taken) -> None:
        value = await in_thread(partial(_settings_value, taken.settings, self._address))
        await self._report(self._address, value, taken.timestamp)


def _patched(settings: Any, path: str, value: Any) -> Any:
    from ezmsg.control.settingsmeta import patched

    return patched(settings, path, value)


def _settings_value(settings: Any, address: str) -> SettingsSnapshotValue:
    from ezmsg.core.graph.initial_settings import settings_value

    return settings_value(settings, address)


def _refused(path: str, value: Any, error: Exception) -> SettingsRefused:
    from ezmsg.control.settings_schema.fields.wording import reason_of, shown

    where = path or ", ".join(value)  # `patched` has seen to it that these are paths
    return SettingsRefused(path=where, value=shown(value), reason=f"the unit did not take it: {reason_of(error)}")
