"""One process of the chaos: publishes or receives numbered messages until it is told to end, then says how it was.

Run by ``chaos.py``: ``python chaos_program.py source|sink ADDRESS [tcp]``. It writes lines of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from itertools import count
from uuid import UUID

import ezmsg.core as ez
from ezmsg.protocol.errors import EzmsgError

TOPIC = "CHAOS"
PAUSE_S = 0.004
LARGE_EVERY, LARGE_BYTES = 50, 200_000


def say(**what: object) -> None:
    """Write a line for the chaos to read."""
    print(json.dumps(what), flush=True)


async def source(address: str, ended: asyncio.Event, *, tcp: bool) -> None:
    """Publish; at the end deliver everything, and say how many messages there were."""
    async with ez.GraphContext(address) as context:
        publisher = await context.publisher(TOPIC, num_buffers=16, force_tcp=tcp)
        say(ready=True, publisher=str(publisher.id))
        published = 0
        for number in count():
            if ended.is_set():
                break
            size = LARGE_BYTES if number % LARGE_EVERY == 0 else 100
            await publisher.broadcast(publisher.id.bytes + number.to_bytes(8, "big") + bytes(size))
            published = number + 1
            await asyncio.sleep(PAUSE_S)
        publisher.close()
        await publisher.wait_closed()
        say(publisher=str(publisher.id), published=published, undelivered=publisher.undelivered)


async def sink(address: str, ended: asyncio.Event) -> None:
    """Receive, and say at the end what came of each publisher, what is missing, and what was told of that."""
    came: dict[str, list[int]] = {}  # the first, the last, how many lack between
    wrong: list[str] = []
    async with ez.GraphContext(address) as context:
        subscriber = await context.subscriber(TOPIC)
        say(ready=True)

        async def receive() -> None:
            while True:
                message = await subscriber.recv()
                publisher, number = str(UUID(bytes=message[:16])), int.from_bytes(message[16:24], "big")
                known = came.setdefault(publisher, [number, number - 1, 0])
                if number <= known[1]:
                    wrong.append(f"{publisher}: {number} after {known[1]}")
                known[2] += number - known[1] - 1
                known[1] = number

        receiving = asyncio.create_task(receive())
        await ended.wait()
        receiving.cancel()
        await asyncio.wait([receiving])
        say(came=came, missed=subscriber.messages_missed, wrong=wrong)


async def main() -> None:
    """Be what the command line says, until SIGTERM."""
    role, address, *options = sys.argv[1:]
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    while True:
        try:
            if role == "source":
                await source(address, ended, tcp="tcp" in options)
            else:
                await sink(address, ended)
            return
        except EzmsgError as error:  # the server is killed or stopped just when this one begins
            print(f"{role}: {error!r}, and tries again", file=sys.stderr, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("EZMSG_LOGLEVEL", "ERROR")
    asyncio.run(main())
