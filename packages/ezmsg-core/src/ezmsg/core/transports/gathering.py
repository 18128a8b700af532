"""Notices and releases that wait to be written on one link: a burst of them becomes one list for each channel.

Within a channel notices stay in order, and so do releases; nothing else relies on their order.
"""

from collections.abc import Iterator

from ezmsg.core.transports import records
from ezmsg.core.transports.records import NOTICE, NOTICES, RELEASE, RELEASES


class Gathering:
    """What waits, by channel. An empty one is false."""

    __slots__ = ("_noticed", "_released")

    def __init__(self) -> None:
        self._noticed: dict[int, list[_Run]] = {}
        self._released: dict[int, list[int]] = {}

    def __bool__(self) -> bool:
        return bool(self._noticed or self._released)

    def notice(self, channel: int, number: int, segment: int, slot: int, size: int) -> bool:
        """Add a notice; return whether it goes with others that wait already."""
        runs = self._noticed.get(channel)
        if runs is None:
            self._noticed[channel] = [_Run(number, segment, size, slot)]
            return False
        run = runs[-1]
        if number == run.next and size == run.size and segment == run.segment:
            run.next = number + 1
            run.slots.append(slot)
        else:
            runs.append(_Run(number, segment, size, slot))
        return True

    def release(self, channel: int, slot: int) -> None:
        """Add a release."""
        slots = self._released.get(channel)
        if slots is None:
            self._released[channel] = [slot]
        else:
            slots.append(slot)

    def pieces(self) -> Iterator[bytes]:
        """Yield all that waits as records, and forget it."""
        noticed, self._noticed = self._noticed, {}
        released, self._released = self._released, {}
        for channel, runs in noticed.items():
            for run in runs:
                yield from run.pieces(channel)
        for channel, slots in released.items():
            if len(slots) == 1:
                yield records.pack(RELEASE, channel, slot=slots[0])
            else:
                body = records.pack_slots(slots)
                yield records.pack(RELEASES, channel, size=len(body)) + body


class _Run:
    """Messages of one size that lie in slots of one segment, numbered one after the other."""

    __slots__ = ("next", "segment", "size", "slots")

    def __init__(self, number: int, segment: int, size: int, slot: int) -> None:
        self.next = number + 1  # the number that the next one must have
        self.segment = segment
        self.size = size
        self.slots = [slot]

    def pieces(self, channel: int) -> Iterator[bytes]:
        first = self.next - len(self.slots)
        if len(self.slots) > 1 and self.size < records.LISTED_BYTES:
            body = records.pack_slots(self.slots)
            yield records.pack(NOTICES, channel, first, self.segment, self.size, len(body)) + body
            return
        for number, slot in enumerate(self.slots, first):
            yield records.pack(NOTICE, channel, number, self.segment, slot, self.size)
