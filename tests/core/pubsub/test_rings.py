"""Links on their way from a socket into a ring: whatever is said at the same moment, nothing is lost or misread."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from tests.waiting import until

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.pubsub import rings
from ezmsg.core.pubsub.rings import RINGS, Rings
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.handing_over import _HEAD, HandedSegment, _prove
from ezmsg.core.transports.link import Link
from ezmsg.core.transports.rings.outbox import RingOutbox
from ezmsg.core.transports.segments import Segment
from ezmsg.core.transports.shared_memory import SharedMemorySender
from ezmsg.protocol.messages.channels import (
    ChannelForm,
    ChannelLeakyHeard,
    LinkHello,
    RingFollows,
    RingOffered,
    RingTaken,
)

HANG = 30.0
KEY = os.urandom(32)

pytestmark = pytest.mark.skipif(not (PASSES_DESCRIPTORS and RINGS), reason="links have no rings here")


class End:
    """One process's end of a link, with what was handed to it, and what came through."""

    def __init__(self, ends: "dict[Any, End]") -> None:
        self.id = uuid4()
        self.inbox: list[HandedSegment] = []
        self.rings = Rings(self.id, self.take)
        self.came: list[Any] = []
        self.before: Callable[[object], None] = lambda _: None
        self.link = Link(self.control, self.rings.lost, same_host=True, busy_wait_s=0.0002)
        ends[self.id] = self

    def take(self) -> None:
        """Receive what was handed over."""
        inbox, self.inbox = self.inbox, []
        for segment in inbox:
            self.rings.handed(segment)
            os.close(segment.descriptor)

    def control(self, link: Link, message: object) -> None:
        self.before(message)
        match message:
            case LinkHello():
                link.peer = message
            case RingOffered():
                self.rings.offered(link)
            case RingTaken():
                self.rings.taken(link)
            case RingFollows():
                self.rings.follows(link)
            case _:
                self.came.append(message)

    @property
    def in_ring(self) -> bool:
        return isinstance(self.link._outbox, RingOutbox) and self.link._reads_ring


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[End, End]]:
    ends: dict[Any, End] = {}

    def hand_over(to: Any, sender: Any, key: bytes, segment: Segment) -> bool:
        head = _HEAD.pack(sender.bytes, segment.number, segment.form.slots, segment.form.slot_bytes)
        assert segment.descriptor is not None
        handed = HandedSegment(
            sender, segment.number, segment.form, os.dup(segment.descriptor), head, _prove(key, head)
        )
        ends[to].inbox.append(handed)
        return True

    monkeypatch.setattr(rings, "hand_over", hand_over)
    one, other = End(ends), End(ends)
    loop = asyncio.get_running_loop()
    for end, sock in zip((one, other), socket.socketpair(), strict=True):
        await loop.create_connection(lambda end=end: end.link, sock=sock)  # type: ignore[misc]
        end.link.trust()
    for end in (one, other):
        end.link.control(LinkHello(end.id, os.getpid(), RINGS))
    await until(lambda: one.link.peer is not None and other.link.peer is not None)
    yield one, other
    for end in (one, other):
        end.take()
        end.link.abort()
    async with asyncio.timeout(HANG):
        await asyncio.gather(one.link.closed, other.link.closed)


async def moved(offers: End, takes: End) -> None:
    takes.rings.expect(takes.link, KEY)
    offers.rings.offer(offers.link, KEY)
    await until(lambda: offers.in_ring and takes.in_ring)


async def both_hear(one: End, other: End, count: int = 3) -> None:
    """See that what is said now gets to either side, in order."""
    before = len(one.came), len(other.came)
    for end in (one, other):
        for number in range(count):
            end.link.control(ChannelLeakyHeard(number))
    await until(lambda: len(one.came) == before[0] + count and len(other.came) == before[1] + count)
    for end, start in zip((one, other), before, strict=True):
        assert [message.number for message in end.came[start:]] == list(range(count))


async def test_it_moves_and_goes_on(two: tuple[End, End]) -> None:
    await moved(*two)
    await both_hear(*two)


@pytest.mark.parametrize("size", [100, 20_000, 32_000, 60_000])
async def test_what_is_said_right_after_the_move_is_read_also_with_a_bell_behind_it(
    two: tuple[End, End], size: int
) -> None:
    one, other = two
    write_ring = one.link.write_ring

    def move(ring: Any) -> None:
        write_ring(ring)
        for number in range(2):
            one.link.control(ChannelForm(1, number, bytes(size)))

    one.link.write_ring = move  # type: ignore[method-assign]
    await moved(one, other)
    await until(lambda: len(other.came) == 2)
    await both_hear(one, other)


@pytest.mark.parametrize("early", [RingTaken, RingOffered])
async def test_both_move_also_if_a_half_is_received_before_it_is_told(two: tuple[End, End], early: type) -> None:
    one, other = two
    for end in two:
        end.before = lambda message, end=end: end.take() if isinstance(message, early) else None  # type: ignore[misc]
    await moved(one, other)
    for end in two:  # more than a ring holds, so that bells go both ways
        for number in range(3):
            end.link.control(ChannelForm(1, number, bytes(20_000)))
    await until(lambda: len(one.came) == len(other.came) == 3)
    await both_hear(one, other)


async def test_both_may_offer_at_once(two: tuple[End, End]) -> None:
    one, other = two
    for end in two:
        end.rings.offer(end.link, KEY)
    await until(lambda: one.in_ring and other.in_ring)
    await both_hear(one, other)


async def test_who_follows_without_an_agreement_or_twice_is_let_go(two: tuple[End, End]) -> None:
    one, other = two
    await moved(one, other)
    other.link.control(RingFollows())
    await asyncio.wait_for(one.link.closed, HANG)


async def test_a_link_that_is_gone_is_expected_nowhere(two: tuple[End, End]) -> None:
    one, _ = two
    one.link.abort()
    await asyncio.wait_for(one.link.closed, HANG)
    one.rings.expect(one.link, KEY)
    assert not one.rings._moving


class Ear:
    """Notes what it hears, and can fail once."""

    def __init__(self, error: Exception | None = None) -> None:
        self.numbers: list[int] = []
        self.error = error

    def receive(self, message: int, *_: object) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        self.numbers.append(message)

    def receive_listed(self, first: int, _segment: int, slots: Any, _size: int) -> None:
        self.numbers += range(first, first + len(slots))


async def test_a_receiver_that_fails_ends_the_link_and_leaves_none_that_is_deaf(
    two: tuple[End, End], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = two
    await moved(one, other)
    other.link.heard[7] = Ear(MemoryError("no memory for a copy"))
    one.link.notice(7, 0, 0, 0, 10)
    one.link._flush()
    async with asyncio.timeout(HANG):
        await asyncio.gather(one.link.closed, other.link.closed)
    assert "could not be received" in caplog.text
    caplog.clear()  # its traceback holds the ring


async def test_a_leaky_channels_postponed_message_goes_when_there_is_room_whoever_has_made_it(
    two: tuple[End, End],
) -> None:
    one, other = two
    await moved(one, other)
    ear = other.link.heard[7] = Ear()
    other.link.heard[8] = Ear()
    window = Window(4)
    leaky = SharedMemorySender(window, one.link, 7, lambda _: True, lambda *_: None)  # type: ignore[arg-type,return-value]
    leaky._handed_over, leaky.leaky = 0, True
    segment: Any = type("Segment", (), {"number": 0, "path": None})
    number = 0
    while one.link.writable:  # the other side's loop does not get a turn here
        one.link.notice(8, number, 0, 0, number % 7 + 1)
        one.link._flush()
        number += 1
    send(leaky, window, 0, segment)
    assert leaky._postponed is not None
    other.link._busy_wait.heard()  # it reads, and rings for the room that there is
    while one.link._outbox.waiting:  # before that is heard, somebody else's message finds it
        one.link._flush()
        other.link._look()
    await until(lambda: ear.numbers == [0])
    for each in range(1, 4):
        send(leaky, window, each, segment)
    await until(lambda: ear.numbers == [0, 1, 2, 3])
    leaky.set_leaky(False, 4)
    await both_hear(one, other)
    assert ear.numbers == [0, 1, 2, 3]


def send(sender: SharedMemorySender, window: Window, number: int, segment: Any) -> None:
    token = window.try_take()
    assert token is not None
    window.hold(token, 1)
    sender.send(number, token, segment, 10)
