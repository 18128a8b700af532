"""Routes that come and go while their channels open and drain: one channel for each publisher, never two."""

import asyncio
import logging
import random
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.waiting import until

from ezmsg.core.channels.channel import Channel, Lease, Receiver
from ezmsg.core.errors import ChannelRefused
from ezmsg.core.pubsub import routes
from ezmsg.core.pubsub.routes import Routes
from ezmsg.protocol.messages.endpoints import Contact, Source


class Listener:
    leaky = False

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.missed_counts: list[int] = []

    def put(self, lease: Lease) -> None: ...

    def joined(self, channel: Channel) -> None:
        self.channels.append(channel)

    def missed(self, topic: str, count: int) -> None:
        self.missed_counts.append(count)

    def left(self, publisher_id: UUID) -> None: ...

    def lost(self, publisher_id: UUID, last_seq: int) -> None: ...


class World:
    """Opens channels when told to, and remembers what became of them."""

    def __init__(self) -> None:
        self.routes = Routes(self.open, self.close, self.drain)
        self.gates: list[asyncio.Future[None]] = []
        self.drains: list[asyncio.Future[None]] = []
        self.opened: list[Channel] = []
        self.closed: list[Channel] = []
        self.first_message = 0  # of the channels that are opened
        self.breaks_off_after: int | None = None  # so far they come, if they are gone again at once

    async def open(self, source: Source, receivers: list[Receiver]) -> Channel:
        gate = asyncio.get_running_loop().create_future()
        self.gates.append(gate)
        await gate
        channel = Channel(source.publisher_id, source.topic, receivers, 32)
        channel.first_message = self.first_message
        self.opened.append(channel)
        if self.breaks_off_after is not None:
            channel.next_message = self.breaks_off_after
            channel.over.set()
            self.routes.lost(channel)
        return channel

    def close(self, channel: Channel) -> None:
        self.closed.append(channel)

    async def drain(self, channel: Channel) -> None:
        gate = asyncio.get_running_loop().create_future()
        self.drains.append(gate)
        await gate
        self.closed.append(channel)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def source(publisher_id: UUID | None = None) -> Source:
    return Source(publisher_id or uuid4(), "T", Contact(uuid4(), None, "127.0.0.1", 1), b"key")


@pytest.fixture
def world() -> World:
    return World()


async def test_those_who_come_while_a_channel_opens_share_it(world: World) -> None:
    a, b, here = Listener(), Listener(), source()
    adding = [asyncio.ensure_future(world.routes.add(here, listener)) for listener in (a, b, a)]
    await turns()
    assert len(world.gates) == 1
    world.gates[0].set_result(None)
    channels = await asyncio.gather(*adding)
    assert channels == [world.opened[0]] * 3
    assert world.opened[0].receivers == [a, b]


async def test_who_leaves_while_it_opens_is_not_fed(world: World) -> None:
    a, b, here = Listener(), Listener(), source()
    adding = [asyncio.ensure_future(world.routes.add(here, listener)) for listener in (a, b)]
    await turns()
    assert world.routes.remove(here.publisher_id, [a]) == []
    world.gates[0].set_result(None)
    await asyncio.gather(*adding)
    assert world.opened[0].receivers == [b]
    assert world.closed == []


async def test_a_channel_that_nobody_wants_any_more_when_it_opens_is_closed(world: World) -> None:
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.routes.remove(here.publisher_id, [a])
    world.gates[0].set_result(None)
    await adding
    assert world.closed == world.opened
    assert not world.routes._routes


async def test_who_comes_back_while_it_opens_gets_it(world: World) -> None:
    a, here = Listener(), source()
    first = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.routes.remove(here.publisher_id, [a])
    second = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.gates[0].set_result(None)
    assert await first is await second
    assert world.opened[0].receivers == [a]
    assert world.closed == []


async def test_a_new_channel_waits_for_the_end_of_the_old_one(world: World) -> None:
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.gates[0].set_result(None)
    await adding
    (draining,) = world.routes.remove(here.publisher_id, [a])
    await turns()
    assert world.opened[0].receivers == [a]  # what is under way still comes
    again = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    assert len(world.gates) == 1
    world.drains[0].set_result(None)
    await draining
    await turns()
    world.gates[1].set_result(None)
    assert await again is world.opened[1]
    assert world.closed == [world.opened[0]]


@pytest.mark.parametrize("back_early", [False, True])
@pytest.mark.parametrize(("away", "missed"), [(True, [3]), (False, [])])
async def test_what_a_publisher_sends_that_the_server_only_missed_is_counted(
    world: World, away: bool, missed: list[int], back_early: bool
) -> None:
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.gates[0].set_result(None)
    await adding
    (draining,) = world.routes.remove(here.publisher_id, [a], away=away)
    await turns()
    world.opened[0].next_message = 4  # as its end says
    if back_early:
        again = asyncio.ensure_future(world.routes.add(here, a))
        await turns()
    world.drains[0].set_result(None)
    await draining
    if not back_early:
        again = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.first_message = 7
    world.gates[1].set_result(None)
    await again
    assert a.missed_counts == missed


async def test_a_channel_that_broke_off_before_its_route_knew_it_is_opened_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end came together with the answer that opened it: nobody could tell whose it was."""
    monkeypatch.setattr(routes, "RETRY_FIRST_S", 0.0)
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.breaks_off_after = 3
    world.gates[0].set_result(None)
    await until(lambda: len(world.gates) == 2)
    world.first_message, world.breaks_off_after = 5, None
    world.gates[1].set_result(None)
    assert await adding is world.opened[1]
    assert a.channels == [world.opened[1]]
    assert a.missed_counts == [2]


@pytest.mark.parametrize(("opened", "brought"), [(True, 0), (True, 4), (False, 0)])
async def test_what_a_channel_brought_that_was_given_up_is_not_missed(
    world: World, opened: bool, brought: int
) -> None:
    """As when the answer comes a moment after the time for it, with messages behind it."""
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.gates[0].set_result(None)
    await adding
    first, given_up = world.opened[0], Channel(here.publisher_id, here.topic, [a], 32)
    first.next_message = 10
    world.routes.lost(first)
    if opened:
        given_up.first_message = 12
        given_up.next_message = 12 + brought
    world.routes.given_up(given_up)
    assert a.missed_counts == ([2] if opened else [])
    await until(lambda: len(world.gates) == 2)
    world.first_message = 20
    world.gates[1].set_result(None)
    await until(lambda: len(a.channels) == 2)
    assert sum(a.missed_counts) == 10 - brought


async def test_one_of_several_is_dropped_at_once(world: World) -> None:
    a, b, here = Listener(), Listener(), source()
    adding = [asyncio.ensure_future(world.routes.add(here, listener)) for listener in (a, b)]
    await turns()
    world.gates[0].set_result(None)
    await asyncio.gather(*adding)
    assert world.routes.remove(here.publisher_id, [a]) == []
    assert world.opened[0].receivers == [b]
    world.routes.drop_receiver(b)
    assert world.closed == world.opened


async def test_all_who_lose_a_publisher_together_hear_its_last(world: World) -> None:
    a, b, here = Listener(), Listener(), source()
    adding = [asyncio.ensure_future(world.routes.add(here, listener)) for listener in (a, b)]
    await turns()
    world.gates[0].set_result(None)
    await asyncio.gather(*adding)
    (draining,) = world.routes.remove(here.publisher_id, [a, b])
    await turns()
    assert world.opened[0].receivers == [a, b]
    world.drains[0].set_result(None)
    await draining


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "RETRY_FIRST_S", 0.0)


@pytest.mark.parametrize("error", [ChannelRefused(topic="T", reason="no"), OSError("gone"), TimeoutError()])
async def test_a_channel_that_does_not_open_is_tried_again(
    world: World, error: Exception, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    for attempt in range(3):
        await turns()
        with caplog.at_level(logging.WARNING):
            world.gates[attempt].set_exception(error)
    await turns()
    assert "T cannot be heard here" in caplog.text
    assert not adding.done()
    world.gates[3].set_result(None)
    assert await adding is world.opened[0]
    assert world.opened[0].receivers == [a]


async def test_a_channel_that_nobody_wants_any_more_is_not_tried_again(world: World, impatient: None) -> None:
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.routes.remove(here.publisher_id, [a])
    world.gates[0].set_exception(OSError("gone"))
    assert await adding is None
    assert len(world.gates) == 1
    assert not world.routes._routes


async def test_a_channel_that_breaks_off_is_opened_again(world: World, impatient: None) -> None:
    a, here = Listener(), source()
    adding = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.gates[0].set_result(None)
    await adding
    world.routes.lost(world.opened[0])
    await turns()
    world.gates[1].set_result(None)
    await turns()
    assert world.opened[1].receivers == [a]
    world.routes.lost(world.opened[0])  # which is no news
    await turns()
    assert len(world.gates) == 2


async def test_closing_ends_what_is_being_opened_and_drained(world: World) -> None:
    a, here, there = Listener(), source(), source()
    adding = [asyncio.ensure_future(world.routes.add(each, a)) for each in (here, there)]
    await turns()
    world.gates[0].set_result(None)
    await turns()
    (draining,) = world.routes.remove(here.publisher_id, [a])
    await turns()
    async with asyncio.timeout(30):
        await world.routes.close()
        await asyncio.wait([*adding, draining])
    assert adding[1].cancelled()


async def test_a_publisher_that_ended_is_forgotten(world: World) -> None:
    a, here = Listener(), source()
    adding: Any = asyncio.ensure_future(world.routes.add(here, a))
    await turns()
    world.gates[0].set_result(None)
    await adding
    world.routes.ended(world.opened[0])
    assert world.routes.remove(here.publisher_id, [a]) == []
    world.routes.drop_receiver(a)
    assert world.closed == []
    assert world.routes.remove(uuid4(), [a]) == []


async def test_who_hears_a_publisher_learns_of_its_channel(world: World) -> None:
    first, late = Listener(), Listener()
    where = source()
    opening = world.routes.add(where, first)
    await turns()
    assert not first.channels
    world.gates[0].set_result(None)
    channel = await opening
    await world.routes.add(where, late)
    await world.routes.add(where, late)
    assert first.channels == late.channels == [channel]
    await world.routes.close()


class Solitary(Listener):
    """It must not be compared with others: that would be done for each pair of them."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError

    __hash__ = object.__hash__


async def test_who_hears_whom_is_known_without_looking_at_others() -> None:
    world = World()
    listeners = [Solitary() for _ in range(3)]
    one, two = source(), source()
    world.routes.add(one, listeners[0])
    world.routes.add(two, listeners[1])
    assert world.routes.heard_by(listeners[0]) == [one.publisher_id]
    assert world.routes.heard_by(listeners[1]) == [two.publisher_id]
    assert world.routes.heard_by(listeners[2]) == []
    await world.routes.close()


async def test_what_is_heard_is_what_routes_say() -> None:
    world = World()
    sources, listeners = [source() for _ in range(3)], [Listener() for _ in range(3)]
    draw = random.Random(5)
    for step in range(400):
        where, who = draw.choice(sources), draw.choice(listeners)
        match draw.randrange(5):
            case 0:
                world.routes.remove(where.publisher_id, [who])
            case 1 if draw.random() < 0.3:
                world.routes.drop_receiver(who)
            case 2 if world.opened:
                ended = draw.choice(world.opened)
                draw.choice([world.routes.ended, world.routes.lost])(ended)
            case _:
                world.routes.add(where, who)
        for gate in [*world.gates, *world.drains]:
            if not gate.done() and draw.random() < 0.5:
                gate.set_result(None)
        if step % 3 == 0:
            await turns()
        for listener in listeners:
            heard = [each for each, route in world.routes._routes.items() if listener in route.receivers]
            assert sorted(world.routes.heard_by(listener)) == sorted(heard)
    await world.routes.close()
