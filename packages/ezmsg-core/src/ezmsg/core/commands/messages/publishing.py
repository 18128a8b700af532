"""A message that somebody typed, published when somebody is there to receive it."""

import asyncio
import json
from typing import Any

import numpy as np

from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import DeadlineExceeded

_LOOK_AGAIN_S = 0.02


def message_of(text: str, array: str | None) -> Any:
    """Return what a text stands for: JSON, else the text; as an array, if a type of elements is given.

    :raises TypeError: if there is no such type of elements.
    :raises ValueError: if no array can be made of it.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    if array is None:
        return value
    dtype = np.dtype(array)
    if dtype.kind not in "biufc":
        raise TypeError("it is no type of numbers")
    return np.asarray(value, dtype)


async def publish(
    topic: str, message: Any, count: int, every_s: float, server: Address, timeout: float
) -> tuple[int, int]:
    """Publish a message so often; return how many were, and for how many processes.

    Nothing is published if nobody has subscribed in time.

    :raises DeadlineExceeded: if one could not be sent in time, because a subscriber holds all buffers.
    """
    async with GraphContext(server, auto_start=False) as context:
        publisher = await context.publisher(topic)
        if not await _subscribed(publisher, timeout):
            return 0, 0
        for number in range(count):
            if number:
                await asyncio.sleep(every_s)
            try:
                async with asyncio.timeout(timeout):
                    await publisher.broadcast(message)
            except TimeoutError:
                raise DeadlineExceeded(operation=f"Publishing to {topic}", seconds=timeout) from None
        return count, len(publisher.senders)


async def _subscribed(publisher: Publisher, timeout: float) -> bool:
    """Wait until somebody receives what is published."""
    deadline = asyncio.get_running_loop().time() + timeout
    while not publisher.senders:
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_LOOK_AGAIN_S)
    return True
