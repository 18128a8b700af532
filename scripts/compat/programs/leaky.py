"""Leaky streams and queues: what a slow subscriber gets of a fast publisher, and whom that holds up."""

import asyncio
from collections.abc import AsyncGenerator

import numpy as np
from say import say

import ezmsg.core as ez

COUNT = 50


class Burst(ez.Unit):
    """Publishes numbers as fast as it may; starts when a subscriber is about to be slow."""

    OUTPUT = ez.OutputStream(np.ndarray, num_buffers=16)
    BUSY = ez.InputStream(asyncio.Event)

    @ez.publisher(OUTPUT)
    async def begin(self) -> AsyncGenerator:
        yield self.OUTPUT, np.array([0])

    @ez.subscriber(BUSY)
    @ez.publisher(OUTPUT)
    async def on_busy(self, busy: asyncio.Event) -> AsyncGenerator:
        for number in range(1, COUNT):
            yield self.OUTPUT, np.array([number])
        say(self.address, "is not held up")
        busy.set()


class Slow(ez.Unit):
    """Its first message takes until the burst is over; then it gets what is left of it."""

    INPUT = ez.InputStream(np.ndarray, leaky=True)
    BUSY = ez.OutputStream(asyncio.Event)

    async def initialize(self) -> None:
        self.seen: list[int] = []

    @ez.subscriber(INPUT)
    @ez.publisher(BUSY)
    async def take(self, array: np.ndarray) -> AsyncGenerator:
        self.seen.append(int(array[0]))
        array[0] = -1  # a leaky stream gives copies, that may be changed
        if len(self.seen) == 1:
            over = asyncio.Event()
            yield self.BUSY, over
            await over.wait()
        elif self.seen[-1] == COUNT - 1:
            say(self.address, self.seen)
            raise ez.NormalTermination


class SlowWithQueue(Slow):
    INPUT = ez.InputStream(np.ndarray, leaky=True, max_queue=3)


class Witness(ez.Unit):
    """Beside the slow ones: everything comes, nothing is changed."""

    INPUT = ez.InputStream(np.ndarray)

    async def initialize(self) -> None:
        self.seen: list[int] = []

    @ez.subscriber(INPUT)
    async def take(self, array: np.ndarray) -> None:
        self.seen.append(int(array[0]))
        if len(self.seen) == COUNT:
            say(self.address, self.seen)


def run(slow: ez.Unit) -> None:
    burst, witness = Burst(), Witness()
    ez.run(
        BURST=burst,
        SLOW=slow,
        WITNESS=witness,
        connections=((burst.OUTPUT, slow.INPUT), (burst.OUTPUT, witness.INPUT), (slow.BUSY, burst.BUSY)),
    )
    say("run", type(slow).__name__, "returned")


# --- without units --------------------------------------------------------------------------------------------


async def by_hand(**options: object) -> None:
    """Publish before anything is received, and see what is left; with no buffer taken, publishing never waits."""
    async with ez.GraphContext() as context:
        publisher = await context.publisher("LEAKY", num_buffers=8)
        subscriber = await context.subscriber("LEAKY", leaky=True, **options)
        for number in range(COUNT):
            await publisher.broadcast(number)
        await publisher.broadcast("last")
        seen = []
        while not seen or seen[-1] != "last":
            seen.append(await subscriber.recv())
        say("by hand", options, seen)


async def held_up() -> None:
    """A subscriber that is not leaky holds its publisher up when all buffers are taken, until it goes on."""
    async with ez.GraphContext() as context:
        publisher = await context.publisher("HELD_UP", num_buffers=2)
        subscriber = await context.subscriber("HELD_UP")
        sent: list[int] = []

        async def send() -> None:
            for number in range(6):
                await publisher.broadcast(number)
                sent.append(number)

        sending = asyncio.create_task(send())
        done, _ = await asyncio.wait((sending,), timeout=0.5)
        say("held up", len(done), sent)
        say("held up", [await subscriber.recv() for _ in range(6)])
        await sending
        say("held up", sent)


def refused() -> None:
    for max_queue in (0, -1):
        try:
            ez.InputStream(int, leaky=True, max_queue=max_queue)
        except ValueError:
            say("refused", f"max_queue={max_queue}")
    stream = ez.InputStream(int, leaky=True)
    say("defaults", stream.leaky, stream.max_queue, ez.InputStream(int).leaky, ez.InputStream(int).max_queue)


async def without_units() -> None:
    await by_hand()
    await by_hand(max_queue=1)
    await by_hand(max_queue=5)
    await held_up()


def main() -> None:
    run(Slow())
    run(SlowWithQueue())
    asyncio.run(without_units())
    refused()


if __name__ == "__main__":
    main()
