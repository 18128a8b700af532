"""``chain.py source|middle|sink COUNT [RATE]``: numbered arrays through three programs, and which of them came."""

import asyncio
import sys
from itertools import pairwise

import numpy as np

import ezmsg.core as ez

SHAPE = (30, 32)


async def source(context: ez.GraphContext, count: int, rate_hz: float) -> None:
    publisher = await context.publisher("FIRST", force_tcp=True)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    for number in range(count):
        await publisher.broadcast(np.full(SHAPE, number, np.float32))
        await asyncio.sleep(max(0.0, began_s + (number + 1) / rate_hz - loop.time()))
    publisher.close()
    await publisher.wait_closed()


async def middle(context: ez.GraphContext, count: int) -> None:
    publisher = await context.publisher("SECOND", force_tcp=True)
    subscriber = await context.subscriber("FIRST")
    print("ready", flush=True)
    number = -1
    while number < count - 1:
        async with subscriber.recv_zero_copy() as array:
            number = int(array[0, 0])
            await publisher.broadcast(array)
    print("missed", subscriber.messages_missed, flush=True)
    publisher.close()
    await publisher.wait_closed()


async def sink(context: ez.GraphContext, count: int) -> None:
    subscriber = await context.subscriber("SECOND")
    print("ready", flush=True)
    heard: list[int] = []
    while not heard or heard[-1] < count - 1:
        async with subscriber.recv_zero_copy() as array:
            heard.append(int(array[0, 0]))
        if len(heard) % 500 == 0:
            print("heard", len(heard), flush=True)
    assert heard[0] == 0
    assert all(a < b for a, b in pairwise(heard)), "out of order, or twice"
    print("lost", count - len(heard), flush=True)
    print("missed", subscriber.messages_missed, flush=True)


async def main() -> None:
    async with ez.GraphContext() as context:
        match sys.argv[1:]:
            case ["source", count, rate]:
                await source(context, int(count), float(rate))
            case ["middle", count]:
                await middle(context, int(count))
            case ["sink", count]:
                await sink(context, int(count))


asyncio.run(main())
