"""Notices and releases that wait to be written on one link: a burst of them becomes a list.

Notices stay in the order in which they came, those of several channels, too: a reader that hears two publishers
gets their messages in the order in which they were sent. Releases stay in order within their channel.
"""

from collections.abc import Iterator, Sequence

from ezmsg.core.transports import records
from ezmsg.core.transports.records import LIST_SLOTS, NOTICE, NOTICES, RELEASE, RELEASES


class Gathering:
    """What waits. An empty one is false."""

    __slots__ = ("_last", "_released", "_runs")

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._last: _Run | None = None  # which the next notice may join
        self._released: dict[int, list[int]] = {}  # the slots of each channel

    def __bool__(self) -> bool:
        return self._last is not None or bool(self._released)

    def notice(self, channel: int, number: int, segment: int, slot: int, size: int) -> bool:
        """Add a notice; return whether others wait already."""
        run = self._last
        if (
            run is not None
            and number == run.next
            and channel == run.channel
            and size == run.size
            and segment == run.segment
        ):
            run.next = number + 1
            run.slots.append(slot)
            return True
        self._last = _Run(channel, number, segment, size, slot)
        self._runs.append(self._last)
        return run is not None

    def release(self, channel: int, slot: int) -> None:
        """Add a release; ``slot`` is one that there can be."""
        slots = self._released.get(channel)
        if slots is None:
            self._released[channel] = [slot]
        else:
            slots.append(slot)

    def pieces(self) -> Iterator[bytes]:
        """Yield all that waits as records, and forget it."""
        runs, self._runs, self._last = self._runs, [], None
        released, self._released = self._released, {}
        for run in runs:
            yield from run.pieces()
        for channel, slots in released.items():
            for part in _parts(slots):
                if len(part) == 1:
                    yield records.pack(RELEASE, channel, slot=part[0])
                else:
                    body = records.pack_slots(part)
                    yield records.pack(RELEASES, channel, size=len(body)) + body


class _Run:
    """Messages of one size that lie in slots of one segment, numbered one after the other."""

    __slots__ = ("channel", "next", "segment", "size", "slots")

    def __init__(self, channel: int, number: int, segment: int, size: int, slot: int) -> None:
        self.channel = channel
        self.next = number + 1  # the number that the next one must have
        self.segment = segment
        self.size = size
        self.slots = [slot]

    def pieces(self) -> Iterator[bytes]:
        number = self.next - len(self.slots)
        if len(self.slots) == 1 or self.size >= records.LISTED_BYTES:
            for each, slot in enumerate(self.slots, number):
                yield records.pack(NOTICE, self.channel, each, self.segment, slot, self.size)
            return
        for part in _parts(self.slots):
            body = records.pack_slots(part)
            yield records.pack(NOTICES, self.channel, number, self.segment, self.size, len(body)) + body
            number += len(part)


def _parts(slots: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(slots), LIST_SLOTS):
        yield slots[start : start + LIST_SLOTS]
