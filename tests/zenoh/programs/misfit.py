"""Somebody whom a router does not let in: what it is told when it would publish, and whether it hears something."""

import asyncio
import sys

import ezmsg.core as ez
from ezmsg.protocol import EzmsgError


async def main() -> None:
    async with ez.GraphContext() as context:
        subscriber = await context.subscriber("NUMBERS")
        hearing = asyncio.create_task(subscriber.recv())
        try:
            await context.publisher("OTHER", transport="zenoh", force_tcp=True)
        except EzmsgError as error:
            print(error, flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print("heard" if hearing.done() else "nothing", flush=True)
        hearing.cancel()


asyncio.run(main())
