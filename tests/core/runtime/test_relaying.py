"""Bridges of relays between real publishers and subscribers: copies, leases, failures, and the end."""

import asyncio
import logging
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import ezmsg.core as ez
from ezmsg.core.graph.relays import resolve_relay
from ezmsg.core.runtime import relaying
from ezmsg.core.runtime.relaying import Bridges

HANG = 30.0
SENDING = pytest.mark.parametrize("sending", [{}, {"allow_local": False}, {"force_tcp": True}], ids=str)


def relay(name="R", **options):
    """A relay named ``name``, as a process is told of it."""
    declared = ez.Relay(object, **options)._bound(name)
    declared._set_location([])
    return resolve_relay(declared)


class World:
    """A context of a graph server, the bridges of a process, and what a test holds."""

    def __init__(self, context):
        self.context = context
        self.bridges = Bridges()

    async def bridge(self, *relays):
        await self.bridges.open(self.context, list(relays))
        self.bridges.start()

    async def sender(self, of, **options):
        return await self.context.publisher(of.input_topic, **options)

    async def receiver(self, of, **options):
        return await self.context.subscriber(of.output_topic, **options)

    async def until(self, condition):
        """Wait until something is so that nobody tells us about."""
        async with asyncio.timeout(HANG):
            while not condition():  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.001)


async def taken(receiver, count):
    async with asyncio.timeout(HANG):
        return [await receiver.recv() for _ in range(count)]


@pytest.fixture
async def world(monkeypatch, tmp_path):
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("EZMSG_GRAPHSERVER_ADDR", raising=False)
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    async with asyncio.timeout(HANG):
        async with ez.GraphContext(server.address) as context:
            world = World(context)
            yield world
            await world.bridges.end()
    server.stop()


@SENDING
@pytest.mark.parametrize("copy_on_forward", [True, False])
async def test_messages_go_over_in_order(world, sending, copy_on_forward):
    it = relay(copy_on_forward=copy_on_forward)
    sender, receiver = await world.sender(it, **sending), await world.receiver(it)
    await world.bridge(it)
    taking = asyncio.ensure_future(taken(receiver, 100))
    for number in range(100):
        await sender.broadcast(np.full(3, number))
    assert [message.tolist() for message in await taking] == [[number] * 3 for number in range(100)]


async def test_nothing_goes_over_before_the_start(world):
    it = relay()
    sender, receiver = await world.sender(it), await world.receiver(it)
    await world.bridges.open(world.context, [it])
    await sender.broadcast(1)
    await world.context.snapshot()
    assert not receiver._queue
    world.bridges.start()
    assert await taken(receiver, 1) == [1]


async def test_a_copy_is_the_receivers_and_the_sender_has_its_buffer_back(world):
    it = relay()
    sender, receiver = await world.sender(it, num_buffers=1), await world.receiver(it)
    await world.bridge(it)
    first = np.zeros(3)
    await sender.broadcast(first)
    async with receiver.recv_zero_copy() as message:
        await sender.broadcast(np.ones(3))
        await sender.broadcast(np.ones(3))
        assert not np.shares_memory(message, first)


@SENDING
async def test_what_is_lent_stays_as_it_is_until_the_last_receiver_lets_go(world, sending):
    it = relay(copy_on_forward=False)
    sender = await world.sender(it, num_buffers=1, **sending)
    receivers = [await world.receiver(it), await world.receiver(it)]
    await world.bridge(it)
    first = np.zeros(1000)
    await sender.broadcast(first)
    async with receivers[0].recv_zero_copy() as one:
        async with receivers[1].recv_zero_copy() as other:
            second = asyncio.ensure_future(sender.broadcast(np.ones(1000)))
            await world.context.snapshot()
            assert one is other
            assert (one is first) == (not sending)
        await world.context.snapshot()
        assert not one.any()
    await second
    for receiver in receivers:
        (message,) = await taken(receiver, 1)
        assert message.all()


@pytest.mark.parametrize("receiving", [{}, {"force_tcp": True}], ids=str)
async def test_the_senders_buffer_comes_back_after_a_loan(world, receiving):
    it = relay(copy_on_forward=False, **receiving)
    sender, receiver = await world.sender(it, num_buffers=1, allow_local=False), await world.receiver(it)
    await world.bridge(it)
    for number in range(3):
        await sender.broadcast(np.full(1000, number))
        (message,) = await taken(receiver, 1)
        assert (message == number).all()
    await sender.sync()


async def test_a_loan_over_two_relays_holds_for_both(world):
    one, two = relay("ONE", copy_on_forward=False), relay("TWO", copy_on_forward=False)
    await world.context.connect(one.output_topic, two.input_topic)
    sender, receiver = await world.sender(one, num_buffers=1, allow_local=False), await world.receiver(two)
    await world.bridge(one, two)
    await sender.broadcast(np.zeros(1000))
    async with receiver.recv_zero_copy() as message:
        second = asyncio.ensure_future(sender.broadcast(np.ones(1000)))
        await world.context.snapshot()
        assert not message.any()
    await second


class Stubborn:
    """Refuses to be copied, or to be pickled."""

    def __deepcopy__(self, memo):
        raise OSError("there is only one")

    def __reduce__(self):
        raise OSError("not on a wire")


@pytest.mark.parametrize("options", [{}, {"copy_on_forward": False, "force_tcp": True}], ids=str)
async def test_a_message_that_fails_is_named_and_the_next_one_goes_over(world, caplog, options):
    it = relay(**options)
    sender, receiver = await world.sender(it), await world.receiver(it)
    await world.bridge(it)
    with caplog.at_level(logging.ERROR):
        for message in (1, Stubborn(), 2):
            await sender.broadcast(message)
        assert await taken(receiver, 2) == [1, 2]
    (record,) = caplog.records
    assert record.getMessage() == "A message for R could not be forwarded, and is skipped"
    assert record.exc_info is not None


async def test_a_leaky_relay_holds_nobody_up_and_keeps_the_newest(world):
    it = relay(leaky=True, max_queue=2, num_buffers=1)
    sender, receiver = await world.sender(it, num_buffers=3), await world.receiver(it)
    await world.bridge(it)
    async with asyncio.timeout(HANG):
        await sender.broadcast(0)
        async with receiver.recv_zero_copy() as message:
            assert message == 0
            await sender.broadcast(1)
            await world.until(
                lambda: not sender.window.busy
            )  # it was copied, and waits for the relay's only buffer
            for number in range(2, 100):
                await sender.broadcast(number)
    assert await taken(receiver, 3) == [1, 98, 99]


async def test_a_relay_that_is_not_leaky_passes_back_pressure_on(world):
    it = relay(num_buffers=1)
    sender, receiver = await world.sender(it, num_buffers=1), await world.receiver(it)
    await world.bridge(it)
    async with asyncio.timeout(HANG):
        for number in range(3):  # one is held by the receiver, one by the bridge, one waits for the bridge
            await sender.broadcast(number)
    blocked = asyncio.ensure_future(sender.broadcast(3))
    await world.context.snapshot()
    assert not blocked.done()
    assert await taken(receiver, 4) == [0, 1, 2, 3]
    await blocked


async def test_endpoints_are_made_with_the_relays_options():
    made = []

    class Context:
        async def publisher(self, topic, **options):
            made.append((topic, options))

        async def subscriber(self, topic, **options):
            made.append((topic, options))

    it = relay(leaky=True, max_queue=2, host="localhost", port=1, num_buffers=3, buf_size=4, force_tcp=True)
    await Bridges().open(Context(), [it, replace(it, force_tcp=False)])
    sending = {"host": "localhost", "port": 1, "num_buffers": 3, "buf_size": 4}
    receiving = ("__relays__/R/INPUT", {"leaky": True, "max_queue": 2})
    assert made == [
        ("__relays__/R/OUTPUT", {**sending, "force_tcp": True}),
        receiving,
        ("__relays__/R/OUTPUT", {**sending, "force_tcp": None}),  # as the environment says
        receiving,
    ]


class TestEnd:
    @SENDING
    async def test_what_has_come_is_forwarded_over_a_chain(self, world, sending):
        chain = [relay(f"R{number}", num_buffers=100) for number in range(3)]
        for first, second in pairwise(chain):
            await world.context.connect(first.output_topic, second.input_topic)
        sender, receiver = await world.sender(chain[0], num_buffers=100, **sending), await world.receiver(chain[-1])
        await world.bridges.open(world.context, chain)
        for number in range(50):
            await sender.broadcast(number)
        world.bridges.start()
        await world.bridges.end()
        assert len(receiver._queue) == 50
        assert await taken(receiver, 50) == list(range(50))

    @pytest.mark.parametrize("copy_on_forward", [True, False])
    async def test_who_does_not_read_cannot_hold_it_up(self, world, caplog, monkeypatch, copy_on_forward):
        monkeypatch.setattr(relaying, "DRAIN_LIMIT_S", 0.01)
        blocked, other = relay("BLOCKED", num_buffers=1, copy_on_forward=copy_on_forward), relay("OTHER")
        sender, receiver = await world.sender(blocked), await world.receiver(blocked)
        await world.bridge(blocked, other)
        for number in range(3):
            await sender.broadcast(number)
        await world.until(lambda: receiver._queue)
        with caplog.at_level(logging.WARNING):
            await world.bridges.end()
        assert "0.01 s after the units, with messages that were not forwarded: BLOCKED" in caplog.text
        assert await taken(receiver, 1) == [0]

    async def test_who_sends_without_end_cannot_hold_it_up(self, world, caplog, monkeypatch):
        monkeypatch.setattr(relaying, "DRAIN_LIMIT_S", 0.01)
        it = relay()
        sender = await world.sender(it)
        await world.bridge(it)

        async def flood():
            while True:
                await sender.broadcast(0)
                await asyncio.sleep(0)

        flooding = asyncio.ensure_future(flood())
        with caplog.at_level(logging.WARNING):
            await world.bridges.end()
        flooding.cancel()
        assert "Relays were stopped" in caplog.text

    async def test_messages_that_fail_are_no_end_of_them(self, world, caplog):
        it = relay()
        sender, receiver = await world.sender(it), await world.receiver(it)
        await world.bridge(it)
        for _ in range(20):
            await sender.broadcast(Stubborn())
        await sender.broadcast(1)
        with caplog.at_level(logging.CRITICAL):
            await world.bridges.end()
        assert await taken(receiver, 1) == [1]

    async def test_the_senders_buffers_come_back(self, world, monkeypatch):
        monkeypatch.setattr(relaying, "DRAIN_LIMIT_S", 0.01)
        it = relay(copy_on_forward=False, num_buffers=1)
        sender, receiver = await world.sender(it, num_buffers=2), await world.receiver(it)
        await world.bridge(it)
        for number in range(3):  # the first is with the receiver, the second with the bridge
            await sender.broadcast(number)
        await world.until(lambda: receiver._queue)
        await world.bridges.end()
        assert await taken(receiver, 1) == [0]
        await world.until(lambda: sender.window.busy == 1)  # the third, which nobody reads any more

    async def test_bridges_whose_endpoints_were_closed_end_quietly(self, world, caplog):
        one, two = relay("ONE"), relay("TWO")
        sender = await world.sender(two)
        await world.bridge(one, two)
        for client in list(world.context._clients):
            if client.topic in (one.input_topic, two.output_topic):
                client.close()
        await sender.broadcast(1)
        await world.bridges.end()
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

    async def test_without_a_start_there_is_nothing_to_end(self, world):
        await world.bridges.open(world.context, [relay()])
        await world.bridges.end()
