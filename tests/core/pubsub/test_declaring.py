"""Endpoints of one turn of the event loop are declared together, and each learns what became of itself."""

import asyncio
import logging
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.waiting import until

from ezmsg.core.pubsub.declaring import TOGETHER, Declaration, Declaring
from ezmsg.protocol.errors import ConnectionLost, EzmsgError, InvalidTopic, UnknownMessage
from ezmsg.protocol.messages.endpoints import (
    Contact,
    DeclareEndpoints,
    DeclarePublisher,
    DeclareSubscriber,
    Joined,
    Withdraw,
)
from ezmsg.protocol.messages.sessions import Done

CONTACT = Contact(UUID(int=7), None, "127.0.0.1", 1)
HANG = 30.0


def subscriber(number: int, topic: str = "A") -> DeclareSubscriber:
    return DeclareSubscriber(UUID(int=number), topic)


class Server:
    """Takes requests, and knows what has joined; topics in ``wrong`` are refused."""

    def __init__(self, *, wrong: str = "", old: bool = False) -> None:
        self.wrong, self.old = wrong, old
        self.requests: list[object] = []
        self.joined: list[UUID] = []
        self.unconfirmed: list[str] = []
        self.there = asyncio.Event()
        self.there.set()

    async def ask(self, body: object) -> Joined | Done:
        self.requests.append(body)
        await self.there.wait()
        match body:
            case Withdraw(endpoint_id):
                self.joined.remove(endpoint_id)
                return Done()
            case DeclareEndpoints():
                if self.old:
                    raise UnknownMessage(tag=body.TAG)
                bodies: list[Declaration] = [*body.publishers, *body.subscribers]
            case DeclarePublisher() | DeclareSubscriber():
                bodies = [body]
            case _:
                raise AssertionError(body)
        for each in bodies:
            if self.wrong and each.topic == self.wrong:
                raise InvalidTopic(topic=each.topic, reason="it is wrong")
        ids = [each.publisher_id if isinstance(each, DeclarePublisher) else each.subscriber_id for each in bodies]
        self.joined += ids
        return Joined(self.unconfirmed)


async def declared(server: Server, bodies: list[Declaration]) -> list[object]:
    declaring = Declaring(server.ask)
    async with asyncio.timeout(HANG):
        return await asyncio.gather(*map(declaring.declare, bodies), return_exceptions=True)


async def test_those_of_one_turn_go_together() -> None:
    server = Server()
    publisher = DeclarePublisher(UUID(int=1), "A", CONTACT, b"s")
    assert await declared(server, [publisher, subscriber(2), subscriber(3)]) == [None] * 3
    assert server.requests == [DeclareEndpoints([publisher], [subscriber(2), subscriber(3)])]


async def test_one_goes_by_itself() -> None:
    server = Server()
    assert await declared(server, [subscriber(2)]) == [None]
    assert server.requests == [subscriber(2)]


async def test_many_are_few_requests() -> None:
    server = Server()
    count = 3 * TOGETHER + 1
    assert await declared(server, [subscriber(number) for number in range(count)]) == [None] * count
    assert len(server.requests) == 4
    assert len(server.joined) == count


async def test_a_server_that_does_not_know_that_is_asked_one_by_one() -> None:
    server = Server(old=True)
    assert await declared(server, [subscriber(1), subscriber(2)]) == [None, None]
    assert server.joined == [UUID(int=1), UUID(int=2)]


async def test_who_is_lost_is_told_to_all() -> None:
    async def lost(_: object) -> Joined:
        raise ConnectionLost(address="127.0.0.1:1", reason="it is gone")

    declaring = Declaring(lost)
    outcomes = await asyncio.gather(*map(declaring.declare, [subscriber(1), subscriber(2)]), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionLost, ConnectionLost]


async def test_who_did_not_answer_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.unconfirmed = ["lab/4 B"]
    with caplog.at_level(logging.WARNING, "ezmsg"):
        await declared(server, [subscriber(number, f"T{number}") for number in range(9)])
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("T0, T1, T2 and 6 more joined together, but these did not answer in time: lab/4 B.")


@pytest.mark.parametrize("count", [1, 3])
async def test_who_gives_up_while_the_server_is_lost_is_not_left_there(count: int) -> None:
    """The declaration waits for the server, and can no longer be taken back before it is made."""
    server = Server()
    server.there.clear()
    declaring = Declaring(server.ask)
    tasks = [asyncio.ensure_future(declaring.declare(subscriber(number))) for number in range(count)]
    async with asyncio.timeout(HANG):
        await until(lambda: bool(server.requests))
        tasks[0].cancel()
        await asyncio.sleep(0)
        server.there.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        await until(lambda: Withdraw(UUID(int=0)) in server.requests and UUID(int=0) not in server.joined)
    assert server.joined == [UUID(int=number) for number in range(1, count)]


@pytest.mark.parametrize("turns", range(4))
async def test_who_cancels_all_tasks_leaves_nobody_waiting(turns: int) -> None:
    server = Server()
    server.there.clear()
    declaring = Declaring(server.ask)
    own = asyncio.current_task()
    tasks = [asyncio.ensure_future(declaring.declare(subscriber(number))) for number in range(3)]
    for _ in range(turns):
        await asyncio.sleep(0)
    for task in asyncio.all_tasks():
        if task is not own:
            task.cancel()
    async with asyncio.timeout(HANG):
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
        server.there.set()
        await declaring.declare(subscriber(9))
    assert UUID(int=9) in server.joined


TOPICS, STAYS = st.sampled_from(["A", "WRONG"]), st.sampled_from(["stay", "before", "after"])


@given(st.lists(st.tuples(TOPICS, STAYS), max_size=6))
def test_each_learns_what_became_of_itself(endpoints: list[tuple[str, str]]) -> None:
    """Whoever is refused, or gives up before it is sent or while the answer is awaited."""

    async def scenario() -> None:
        server = Server(wrong="WRONG")
        declaring = Declaring(server.ask)
        bodies = [subscriber(number, topic) for number, (topic, _) in enumerate(endpoints)]
        tasks = [asyncio.ensure_future(declaring.declare(body)) for body in bodies]

        def cancel(when: str) -> None:
            for task, (_, stays) in zip(tasks, endpoints, strict=True):
                if stays == when:
                    task.cancel()

        await asyncio.sleep(0)  # all have said what they want, and nothing was sent
        cancel("before")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cancel("after")
        async with asyncio.timeout(HANG):
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome, body, (topic, stays) in zip(outcomes, bodies, endpoints, strict=True):
            if stays == "stay":
                assert (body.subscriber_id in server.joined) == (topic == "A")
                assert isinstance(outcome, InvalidTopic) if topic == "WRONG" else outcome is None
            elif stays == "before":
                assert isinstance(outcome, asyncio.CancelledError)
                assert body.subscriber_id not in server.joined
            else:
                assert isinstance(outcome, EzmsgError | asyncio.CancelledError | None)
        assert len(set(server.joined)) == len(server.joined)

    asyncio.run(scenario())
