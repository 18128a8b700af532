"""What a process does for its relays: a bridge each, that takes messages in and publishes them again.

A bridge forwards in order, one message at a time. If that fails for one of them, the log says so, and the next one
is tried. Bridges neither keep a run going nor end it: they go on until the units have ended, and then forward what
has come, for a limited time.
"""

import asyncio
import logging
from typing import Any

from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.errors import EndpointClosed
from ezmsg.core.graph.relays import ResolvedRelay
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber

logger = logging.getLogger("ezmsg")

DRAIN_LIMIT_S = 1.0
"""How long the bridges of a process may go on after its units have ended, in seconds."""

QUIET_TURNS = 4
"""When nothing came for so many turns of the event loop, each of which reads from sockets, nothing is waiting."""


class Bridge:
    """One relay that runs."""

    def __init__(self, relay: ResolvedRelay, subscriber: Subscriber, publisher: Publisher) -> None:
        self.relay = relay
        self.waiting = asyncio.Event()  # for a message, so that everything that came is forwarded
        self._subscriber = subscriber
        self._publisher = publisher

    async def run(self) -> None:
        """Forward until cancelled, or until an endpoint is closed."""
        try:
            while True:
                await self._forward_one()
                await asyncio.sleep(0)  # so that who gets messages here has a turn between them
        except EndpointClosed:
            logger.debug("The relay %s was closed while it ran", self.relay.address)
        finally:
            self.waiting.set()

    async def _forward_one(self) -> None:
        self.waiting.set()
        try:
            if self.relay.copy_on_forward:
                await self._send(await self._subscriber.recv())
            else:
                async with self._subscriber.recv_zero_copy() as message:
                    await self._send(message)
        except EndpointClosed:
            raise
        except Exception:  # what a user's class does when it is copied or pickled; the next message may be good
            self.waiting.clear()
            logger.exception("A message for %s could not be forwarded, and is skipped", self.relay.address)

    async def _send(self, message: Any) -> None:
        self.waiting.clear()
        await self._publisher.broadcast(message)


class Bridges:
    """The bridges of one process."""

    def __init__(self) -> None:
        self._bridges: list[Bridge] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, context: GraphContext, relays: list[ResolvedRelay]) -> None:
        """Make the endpoints; the publishers first, so that nothing comes in that could not go out."""
        for relay in relays:
            publisher = await _publisher(context, relay)
            subscriber = await context.subscriber(relay.input_topic, leaky=relay.leaky, max_queue=relay.max_queue)
            self._bridges.append(Bridge(relay, subscriber, publisher))

    def start(self) -> None:
        """Begin to forward."""
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(bridge.run(), name=bridge.relay.address) for bridge in self._bridges]

    async def end(self) -> None:
        """Forward what has come, and stop; the endpoints are closed with their context."""
        if not self._tasks:
            return
        try:
            async with asyncio.timeout(DRAIN_LIMIT_S):
                await self._until_quiet()
        except TimeoutError:
            busy = ", ".join(bridge.relay.address for bridge in self._bridges if not bridge.waiting.is_set())
            logger.warning(
                "Relays were stopped %g s after the units, with messages that were not forwarded: %s. See what "
                "holds up those who receive them.",
                *(DRAIN_LIMIT_S, busy or "they came until the end"),
            )
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)

    async def _until_quiet(self) -> None:
        """Wait until all bridges have waited for some turns on end, because one may feed another."""
        turns = 0
        while turns < QUIET_TURNS:
            for bridge in self._bridges:
                await bridge.waiting.wait()
            await asyncio.sleep(0)
            turns = turns + 1 if all(bridge.waiting.is_set() for bridge in self._bridges) else 0


async def _publisher(context: GraphContext, relay: ResolvedRelay) -> Publisher:
    return await context.publisher(
        relay.output_topic,
        host=relay.host,
        port=relay.port,
        buf_size=relay.buf_size,
        num_buffers=relay.num_buffers,
        force_tcp=relay.force_tcp or None,  # unless it insists, it is as the environment says
    )
