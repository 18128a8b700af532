"""A unit built on ezmsg-baseproc is tuned while it runs, and what it sends changes. The last line is JSON."""

import asyncio
import json
from typing import Any

import numpy as np
from laboratory import FILTER, FILTERED, laboratory

import ezmsg.core as ez

WAIT_S = 30.0


async def loudness(subscriber: Any, wanted: Any) -> int:
    """Return how loud the tone is once it is as ``wanted``.

    :raises TimeoutError: if it never is.
    """
    async with asyncio.timeout(WAIT_S):
        while True:
            message = await subscriber.recv()
            loud = float(np.abs(message.data).max())
            if wanted(loud):
                return round(loud)


async def tune(address: Any) -> dict[str, Any]:
    """Lower the cutoff below the tone, and lift it again."""
    async with ez.GraphContext(address, auto_start=False) as context:
        subscriber = await context.subscriber(FILTERED)
        found = {"before": await loudness(subscriber, lambda loud: loud > 0.9)}
        told = await context.update_setting(FILTER, "cutoff", 1.0)
        found["below"] = await loudness(subscriber, lambda loud: loud < 0.1)
        await context.update_setting(FILTER, "cutoff", 40.0)
        found["after"] = await loudness(subscriber, lambda loud: loud > 0.9)
        return {**found, "told": type(told).__name__}


def main() -> None:
    """Tune it."""
    with laboratory() as server:
        print(json.dumps(asyncio.run(tune(server.address))), flush=True)


if __name__ == "__main__":
    main()
