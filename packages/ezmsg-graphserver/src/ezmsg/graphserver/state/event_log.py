"""Bounded logs of events, and cursors that read them at their own pace.

A reader that falls behind loses nothing silently: what is no longer in the log comes to it as one ``Gap``.
"""

from collections import deque
from typing import Generic, TypeVar

from ezmsg.protocol.messages.events import Gap, Reset, TopologyEvent
from ezmsg.protocol.messages.settings import SettingsEvent

E = TypeVar("E", bound=TopologyEvent | SettingsEvent)


class EventLog(Generic[E]):
    """The last ``limit`` events of one kind; they are numbered from 1, without holes."""

    def __init__(self, limit: int) -> None:
        self._events: deque[E] = deque(maxlen=limit)
        self.last_seq = 0

    @property
    def first_seq(self) -> int:
        """The number of the oldest event that is still here, or of the next one if none is."""
        return self.last_seq - len(self._events) + 1

    def append(self, event: E) -> None:
        """Add the event that carries the next number."""
        assert event.event.seq == self.last_seq + 1, "events are numbered without holes"
        self.last_seq += 1
        self._events.append(event)

    def __getitem__(self, seq: int) -> E:
        return self._events[seq - self.first_seq]


class Cursor(Generic[E]):
    """One reader's place in a log.

    :param after_seq: the last number that the reader has seen. One that is yet to come means: from now on, as
        the reader's numbers are those of another run of the server.
    :param reset: what a reader that is known to come from another run is told first; it reads on from there.
    """

    def __init__(self, log: EventLog[E], after_seq: int, reset: Reset | None = None) -> None:
        self._log = log
        self._reset = reset
        self._next = min(max(after_seq if reset is None else reset.after_seq, 0), log.last_seq) + 1

    def take(self) -> E | Gap | Reset | None:
        """Return the next event, the gap before it, or ``None`` when the reader has seen everything."""
        if self._reset is not None:
            reset, self._reset = self._reset, None
            return reset
        log = self._log
        if self._next > log.last_seq:
            return None
        if self._next < log.first_seq:
            gap = Gap(self._next, log.first_seq - 1)
            self._next = log.first_seq
            return gap
        self._next += 1
        return log[self._next - 1]
