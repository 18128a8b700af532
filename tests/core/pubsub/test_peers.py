"""What a subscriber knows of its publishers, whichever way their messages take: who came, left, or was lost.

`test_portable.py` runs it again with the means of other systems.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

import ezmsg.core as ez
from ezmsg.core.errors import EndpointClosed, InvalidOption, PeerLost
from ezmsg.core.pubsub.peers import EVENTS_LIMIT, LOSSES_LIMIT, PeerEvent, PeerNews

A, B = UUID(int=1), UUID(int=2)


class Waiting:
    """A queue of numbers by publisher."""

    def __init__(self, *messages: tuple[UUID, int]) -> None:
        self.messages = list(messages)

    def holds(self, publisher_id: UUID, last_seq: int) -> bool:
        return any(who == publisher_id and number <= last_seq for who, number in self.messages)


# --- pure ---------------------------------------------------------------------------------------------------------


def test_each_change_is_one_event() -> None:
    news = PeerNews()
    news.left(A)
    news.lost(A, 3)
    assert not news.events
    assert not news.has_losses
    news.joined(A, "T")
    news.joined(A, "T")  # by another channel
    news.lost(A, 3)
    news.left(A)  # the server says so, too
    news.joined(A, "T")
    news.left(A)
    assert list(news.events) == [
        PeerEvent("joined", A, "T"),
        PeerEvent("lost", A, "T", 3),
        PeerEvent("joined", A, "T"),
        PeerEvent("left", A, "T"),
    ]


def test_a_loss_is_told_once_after_the_last_message_of_that_publisher() -> None:
    news = PeerNews()
    for who in (A, B):
        news.joined(who, "T")
    queue = Waiting((A, 2), (A, 3), (B, 0))
    news.lost(A, 3)
    assert news.take_loss(queue) is None
    news.lost(B, 5)
    queue.messages = [(A, 3)]
    loss = news.take_loss(queue)
    assert loss is not None
    assert loss.last_seq == 5
    queue.messages = [(A, 4)]  # of the same publisher, which has come back
    loss = news.take_loss(queue)
    assert loss is not None
    assert loss.last_seq == 3
    assert news.take_loss(queue) is None
    assert not news.has_losses


def test_what_nobody_asks_for_is_bounded_and_counted() -> None:
    news = PeerNews()
    for number in range(EVENTS_LIMIT):
        news.joined(A, "T")
        news.lost(A, number)
    assert len(news.events) == EVENTS_LIMIT
    assert news.events_dropped == EVENTS_LIMIT
    losses = 0
    while news.take_loss(Waiting()) is not None:
        losses += 1
    assert losses == LOSSES_LIMIT


# --- each transport -----------------------------------------------------------------------------------------------


async def told(ear: Any) -> tuple[str, UUID]:
    async with asyncio.timeout(30):
        event = await ear.run(ear.subscriber.next_peer_event())
    return event.kind, event.id


async def recv(ear: Any) -> Any:
    async with asyncio.timeout(30):
        return await ear.run(ear.subscriber.recv(peer_lost="raise"))


async def borrow(ear: Any) -> Any:
    async def lend() -> Any:
        async with ear.subscriber.recv_zero_copy(peer_lost="raise") as message:
            return message

    async with asyncio.timeout(30):
        return await ear.run(lend())


async def test_who_joins_and_leaves_in_good_order_is_told_and_no_loss(world: Any) -> None:
    ear = await world.subscriber()
    assert ear.subscriber.peers() == []
    first, second = await world.publisher(), await world.publisher()
    for publisher in (first, second):
        assert await told(ear) == ("joined", publisher.id)
    assert {(peer.id, peer.topic, peer.state) for peer in ear.subscriber.peers()} == {
        (publisher.id, "OUT", "heard") for publisher in (first, second)
    }
    assert all(peer.process for peer in ear.subscriber.peers())
    await first.broadcast(1)
    first.close()
    await first.wait_closed()
    assert await told(ear) == ("left", first.id)
    await second.broadcast(2)
    assert [await recv(ear), await recv(ear)] == [1, 2]
    assert [peer.id for peer in ear.subscriber.peers()] == [second.id]


async def test_an_edge_that_goes_is_a_publisher_that_leaves(world: Any) -> None:
    await world.context.connect("OUT", "IN")
    publisher, ear = await world.publisher(), await world.subscriber("IN")
    assert await told(ear) == ("joined", publisher.id)
    await world.context.disconnect("OUT", "IN")
    assert await told(ear) == ("left", publisher.id)
    assert ear.subscriber.peers() == []


@pytest.mark.parametrize("transport", ["shm", "tcp"])
@pytest.mark.parametrize("leaky", [False, True])
@pytest.mark.parametrize("receive", [recv, borrow])
@pytest.mark.parametrize("watched", [False, True])
async def test_a_broken_line_is_raised_once_after_the_last_message(
    world: Any, leaky: bool, receive: Callable[[Any], Any], watched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if watched:
        monkeypatch.setenv("EZMSG_DEBUG_VIEWS", "1")
    publisher = await world.publisher(num_buffers=8)
    ear = await world.subscriber(leaky=leaky, max_queue=4 if leaky else None)
    assert await told(ear) == ("joined", publisher.id)
    for number in range(3):
        await publisher.broadcast(number)
    await world.until(lambda: ear.waiting == 3)
    for link in list(publisher._exchange._links._ours):
        link.abort()
    assert await told(ear) == ("lost", publisher.id)
    assert [await receive(ear) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(PeerLost) as caught:
        await receive(ear)
    assert (caught.value.topic, caught.value.last_seq) == ("OUT", 2)
    # It is alive, and so heard again; the loss is not told twice.
    assert await told(ear) == ("joined", publisher.id)
    await publisher.broadcast("again")
    assert await receive(ear) == "again"


@pytest.mark.parametrize("transport", ["shm", "tcp"])
async def test_who_waits_is_told_at_once_and_who_is_silent_goes_on(world: Any) -> None:
    publisher = await world.publisher()
    loud, silent = await world.subscriber(), await world.subscriber()
    waiting = asyncio.create_task(recv(loud))
    silently = asyncio.create_task(silent.recv())
    await world.turns()
    for link in list(publisher._exchange._links._ours):
        link.abort()
    with pytest.raises(PeerLost) as caught:
        await waiting
    assert caught.value.last_seq == -1
    for _ in range(2):
        assert (await told(silent))[1] == publisher.id
    assert await told(silent) == ("joined", publisher.id)
    await publisher.broadcast(1)
    assert await silently == 1


async def test_the_end_of_a_subscriber_ends_who_waits_for_news(world: Any) -> None:
    ear = await world.subscriber()
    waiting = asyncio.create_task(told(ear))
    await world.turns()
    await ear.close()
    with pytest.raises(EndpointClosed):
        await waiting


async def test_another_policy_is_refused(world: Any) -> None:
    ear = await world.subscriber()
    with pytest.raises(InvalidOption, match="peer_lost"):
        await ear.run(ear.subscriber.recv(peer_lost="shout"))
    with pytest.raises(InvalidOption, match="peer_lost"):
        ear.subscriber.recv_zero_copy(peer_lost="shout")


def test_in_the_synchronous_api(server: ez.GraphServer) -> None:
    from ezmsg.core import sync
    from ezmsg.protocol.errors import DeadlineExceeded

    with sync.init(server.address) as context, sync.init(server.address) as other:
        subscriber = context.subscriber("OUT")
        with pytest.raises(DeadlineExceeded):
            subscriber.next_peer_event(0.01)
        publisher = other.publisher("OUT", force_tcp=True)
        joined = subscriber.next_peer_event(30)
        assert (joined.kind, joined.id) == ("joined", publisher.id)
        assert [(peer.id, peer.state) for peer in subscriber.peers()] == [(publisher.id, "heard")]
        publisher.publish("last", 30)
        assert subscriber.recv(30, peer_lost="raise") == "last"

        def cut() -> None:
            for link in list(publisher._publisher._exchange._links._all):
                link.abort()

        publisher._calls.loop.call_soon_threadsafe(cut)
        with pytest.raises(PeerLost) as caught, subscriber.recv_zero_copy(30, peer_lost="raise"):
            pass
        assert caught.value.last_seq == 0
        assert subscriber.next_peer_event(30).kind == "lost"
        assert subscriber.next_peer_event(30).kind == "joined"
        publisher.publish("again", 30)
        assert subscriber.recv(30, peer_lost="raise") == "again"
        publisher.close()
        assert subscriber.next_peer_event(30).kind == "left"
