"""Bounded logs of events, and cursors that read them at their own pace.

A reader that falls behind loses nothing silently: what is no longer in the log comes to it as one ``Gap``.
"""

from collections import deque
from typing import Generic, TypeVar

from ezmsg.graphserver.deciding.state.event_size import event_size
from ezmsg.protocol.messages.events import Gap, Reset, TopologyEvent
from ezmsg.protocol.messages.settings import SettingsEvent

E = TypeVar("E", bound=TopologyEvent | SettingsEvent)

BYTES_LIMIT = 64 * 1024 * 1024
"""How many bytes of encoded events are kept at most, however few events these are."""


class EventLog(Generic[E]):
    """The last ``limit`` events of one kind; they are numbered from 1, without holes.

    It holds fewer of them where these are large: together they stay within ``bytes_limit`` as they are encoded, and
    in memory within a small multiple of it. The last one is held at any size, for those who read along.
    """

    def __init__(self, limit: int, bytes_limit: int = BYTES_LIMIT) -> None:
        self._limit = limit
        self._bytes_limit = bytes_limit
        self._events: deque[E] = deque()
        self._sizes: deque[int] = deque()
        self.last_seq = 0
        self.bytes = 0

    @property
    def first_seq(self) -> int:
        """The number of the oldest event that is still here, or of the next one if none is."""
        return self.last_seq - len(self._events) + 1

    def append(self, event: E) -> None:
        """Add the event that carries the next number."""
        assert event.event.seq == self.last_seq + 1, "events are numbered without holes"
        size = event_size(event)
        self.last_seq += 1
        self._events.append(event)
        self._sizes.append(size)
        self.bytes += size
        while len(self._events) > self._limit or (self.bytes > self._bytes_limit and len(self._events) > 1):
            self._events.popleft()
            self.bytes -= self._sizes.popleft()

    def __getitem__(self, seq: int) -> E:
        return self._events[seq - self.first_seq]


class Cursor(Generic[E]):
    """One reader's place in a log.

    :param after_seq: the last number that the reader has seen, at most the last one there is.
    :param reset: what a reader whose number is of another run of the server is told first; it reads on from there.
    """

    def __init__(self, log: EventLog[E], after_seq: int, reset: Reset | None = None) -> None:
        self._log = log
        self._reset = reset
        self._next = max(after_seq if reset is None else reset.after_seq, 0) + 1
        assert self._next <= log.last_seq + 1, "nobody has seen what is yet to come"

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
