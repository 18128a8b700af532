"""Floods in the log, folded: the first of a kind is told whole, and of those that follow how many there were."""

import asyncio
import logging
from collections.abc import Hashable

from attrs import define

logger = logging.getLogger("ezmsg")

INTERVAL_S = 10.0
"""For how long those that follow are counted before it is told how many there were, in seconds."""

KINDS = 1000
"""How many kinds are known at a time; beyond that the one that has been known longest is told anew."""


@define(eq=False)
class _Flood:
    name: str
    count: int = 0
    timer: asyncio.TimerHandle | None = None


class Folding:
    """Tells exceptions by kind; used on one event loop."""

    def __init__(self) -> None:
        self._floods: dict[Hashable, _Flood] = {}

    def tell(self, text: str, name: str, error: BaseException) -> None:
        """Log an exception with its traceback, or count it if one like it was told a moment ago.

        :param text: what to log, with a place for ``name``: whose exception it is.
        """
        kind = (name, text, type(error), _place(error))
        flood = self._floods.get(kind)
        if flood is not None:
            flood.count += 1
            return
        if len(self._floods) >= KINDS:
            self._forget(next(iter(self._floods)))
        self._floods[kind] = flood = _Flood(name)
        flood.timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._sum_up, kind)
        logger.error(text, name, exc_info=error)

    def finish(self) -> None:
        """Tell what is not told yet: nothing more will come."""
        for kind in tuple(self._floods):
            self._forget(kind)

    def _sum_up(self, kind: Hashable) -> None:
        """An interval is over; a quiet one ends the flood, so that the next exception is told whole."""
        flood = self._floods[kind]
        if not flood.count:
            del self._floods[kind]
            return
        _say(flood)
        flood.count = 0
        flood.timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._sum_up, kind)

    def _forget(self, kind: Hashable) -> None:
        flood = self._floods.pop(kind)
        if flood.timer is not None:
            flood.timer.cancel()
        if flood.count:
            _say(flood)


def _say(flood: _Flood) -> None:
    logger.error("%s: and %d more like it in %g s at most", flood.name, flood.count, INTERVAL_S)


def _place(error: BaseException) -> tuple[str, int] | None:
    """Return the line that raised: the same exception of another line is another story."""
    traceback = error.__traceback__
    if traceback is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
