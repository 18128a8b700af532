"""Messages of a topic shown as they come, without holding back whoever publishes them."""

import asyncio
import math
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.targets import resolved_publisher
from ezmsg.control.rendering.quantities import counted
from ezmsg.control.rendering.topics import topics, unknown
from ezmsg.core.commands.messages.showing import NoSuchPart, line, part_of, plain
from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import DeadlineExceeded, EzmsgError

_FAILED, _USAGE, _TIMED_OUT = 1, 2, 5

_KEPT = 16
"""So many messages wait for being shown; those before are let go of, so that no publisher waits for a screen."""


@dataclass(frozen=True)
class Wanted:
    """What is to be shown: of which topic, which part, how often, how many, after which wait it is enough."""

    topic: str
    field: str
    every_s: float
    count: int | None
    timeout: float
    json: bool


async def show_messages(wanted: Wanted, server: Address) -> int:
    """Show messages until there were as many as are wanted; return the exit code."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(wanted.timeout):
                context = await stack.enter_async_context(GraphContext(server, auto_start=False))
                known = topics(await context.snapshot())
                topic = resolved_publisher(wanted.topic, known)
                # Of the newest only, where it is not shown but now and then.
                subscriber = await context.subscriber(topic, leaky=True, max_queue=1 if wanted.every_s else _KEPT)
        except TimeoutError:
            raise DeadlineExceeded(operation=f"Subscribing to {wanted.topic}", seconds=wanted.timeout) from None
        try:
            return await _show(wanted, subscriber, list(known))
        finally:
            if subscriber.dropped:
                note(f"{counted(subscriber.dropped, 'message')} came faster than they were shown, and were dropped")


async def _show(wanted: Wanted, subscriber: Subscriber, known: list[str]) -> int:
    head: dict[str, Any] = {"$schema": "ezmsg.message/1"}
    left = math.inf if wanted.count is None else wanted.count
    while left > 0:
        try:
            async with asyncio.timeout(wanted.timeout):
                message = await subscriber.recv()
        except TimeoutError:
            note(f"ezmsg: {_silence(wanted, subscriber.topic, known)}")
            return _TIMED_OUT
        except EzmsgError:
            raise
        except Exception as error:  # noqa: BLE001  a message is a stranger's: reading it may raise anything
            what = f"{type(error).__name__}: {error}"
            note(f"ezmsg: A message of {subscriber.topic} cannot be read here: {what}. Install what defines it.")
            return _FAILED
        try:
            part = part_of(message, wanted.field)
        except NoSuchPart as error:
            note(f"ezmsg: {error}.")
            return _USAGE
        if wanted.json:
            form = {"topic": subscriber.topic, "at": time.time(), "type": type(part).__name__, "value": plain(part)}
            say_json({**head, **form}, flush=True)
            head = {}
        else:
            say([line(part)], flush=True)
        left -= 1
        if left > 0 and wanted.every_s:
            await asyncio.sleep(wanted.every_s)
    return 0


def _silence(wanted: Wanted, topic: str, known: list[str]) -> str:
    said = f"No message came on {topic} within {wanted.timeout:g} s."
    return f"{said} {unknown(topic, known) or f'Whether anything flows: ezmsg topic hz {topic}'}"
