"""``slow_link.py PORT TO``: a link between two ports of this machine on which everything takes its time.

Each piece is late by up to 50 ms, and now and then nothing passes for half a second, as where packets are lost and
sent again by TCP.
"""

import asyncio
import random
import sys

STALLS, STALL_S, LATE_S = 0.02, 0.5, 0.05


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, chance: random.Random) -> None:
    try:
        while data := await reader.read(16_384):
            await asyncio.sleep(STALL_S if chance.random() < STALLS else LATE_S * chance.random())
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def main() -> None:
    port, to = map(int, sys.argv[1:])
    chance = random.Random(1)

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", to)
        await asyncio.gather(carry(reader, there[1], chance), carry(there[0], writer, chance))

    async with await asyncio.start_server(join, "127.0.0.1", port) as server:
        print("ready", flush=True)
        await server.serve_forever()


asyncio.run(main())
