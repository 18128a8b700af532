"""``counting.py send COUNT RATE`` and ``counting.py hear COUNT``: numbers over Zenoh, and which of them came."""

import asyncio
import sys
from itertools import pairwise

import numpy as np

import ezmsg.core as ez
from ezmsg.core.profiling.registry import REGISTRY


async def send(count: int, rate_hz: float) -> None:
    async with ez.GraphContext() as context:
        publisher = await context.publisher("NUMBERS", transport="zenoh", force_tcp=True, num_buffers=8)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for number in range(count):
            await publisher.broadcast(np.full((30, 32), number, np.float32))
            await asyncio.sleep(max(0.0, began_s + (number + 1) / rate_hz - loop.time()))
        publisher.close()
        await publisher.wait_closed()
        print("sent", publisher.undelivered, flush=True)


async def hear(count: int) -> None:
    async with ez.GraphContext() as context:
        subscriber = await context.subscriber("NUMBERS")
        print("ready", flush=True)
        heard = []
        while len(heard) < count:
            heard.append(int((await subscriber.recv())[0, 0]))
            if len(heard) % 100 == 0:
                print("heard", len(heard), flush=True)
        (counted,) = REGISTRY.subscribers()
        assert counted.channel_kind_last.value == "ZENOH"
        in_order = heard == list(range(count))
        print("all" if in_order else f"not all: {[b for a, b in pairwise(heard) if b != a + 1]}", flush=True)


async def main() -> None:
    if sys.argv[1] == "send":
        await send(int(sys.argv[2]), float(sys.argv[3]))
    else:
        await hear(int(sys.argv[2]))


asyncio.run(main())
