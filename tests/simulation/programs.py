"""What runs in the processes of a simulation: sources, sinks, owners of units, and a watcher.

Each does what it is ordered, one order after the other, by the public means of the product, and keeps an account
of its own of what was confirmed to it, what it does not know, and what has come.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any
from uuid import UUID

from tests.simulation.network import Host
from tests.simulation.processes import Process, forget_loop, server_address
from tests.simulation.virtual_time import Clock

from ezmsg.control.connection import sharing
from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.resynchronising import settings_changes
from ezmsg.control.graph.session import Session
from ezmsg.control.graph.watching import follow_topology
from ezmsg.control.process.process_client import ProcessControlClient
from ezmsg.core.channels.channel import Channel
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.protocol.errors import (
    ConnectionLost,
    CyclicException,
    DeadlineExceeded,
    EzmsgError,
    OwnershipCollision,
    ServerUnreachable,
)
from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.model.settings import SettingsEventType, SettingsSnapshotValue

TOPIC = "SAMPLES"
BUFFERS = 4
Failed = Callable[[str], None]
Order = Callable[[], Awaitable[None]]
Edge = tuple[str, str]


class Account:
    """What somebody holds at the server: what was confirmed, and what may or may not have been done."""

    def __init__(self) -> None:
        self.sure: set[Any] = set()
        self.doubtful: set[Any] = set()

    def gained(self, what: Any) -> None:
        """The server has confirmed it."""
        self.sure.add(what)
        self.doubtful.discard(what)

    def lost(self, what: Any) -> None:
        """The server has confirmed that it is no more."""
        self.sure.discard(what)
        self.doubtful.discard(what)

    def doubt(self, what: Any) -> None:
        """Nobody knows."""
        self.sure.discard(what)
        self.doubtful.add(what)

    def fits(self, held: set[Any]) -> bool:
        """Whether what the server says can be true."""
        return self.sure <= held <= self.sure | self.doubtful


class Program(Process):
    """A process with a session, that does what it is told."""

    def __init__(self, host: Host, server: Host, clock: Clock, failed: Failed) -> None:
        super().__init__(host, clock, failed)
        self.address = server_address(server)
        self.connection: ControlConnection | None = None
        self.session: Session | None = None
        self.edges = Account()
        self.busy = True
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self.spawn(self._run())

    def order(self, order: Order) -> None:
        """Have something done when all before is done."""
        self.busy = True
        self._orders.put_nowait(order)

    def kill(self) -> None:
        super().kill()
        forget_loop(self.loop)

    async def _run(self) -> None:
        await self._patiently(self._begin)
        while True:
            self.busy = not self._orders.empty()
            order = await self._orders.get()
            with contextlib.suppress(ConnectionLost, DeadlineExceeded, ServerUnreachable):
                await order()  # it has noted by itself what it does not know

    async def _patiently(self, begin: Order) -> None:
        """Begin, and again for as long as the server is not to be had."""
        while True:
            try:
                await begin()
                return
            except (EzmsgError, OSError) as error:
                if not isinstance(error, ConnectionLost | DeadlineExceeded | ServerUnreachable):
                    self.failed(f"{self.host.name} could not begin: {error!r}")
                await asyncio.sleep(0.3)

    async def _begin(self) -> None:
        if self.connection is None:
            self.connection = await sharing.acquire(self.address)
        session = self.session or Session(self.connection)
        await session.open()
        self.session = session

    # --- orders -------------------------------------------------------------------------------------------

    async def connect(self, edge: Edge) -> None:
        """Own an edge."""
        assert self.session is not None
        try:
            await self.session.connect(*edge)
        except BaseException:
            if edge not in self.edges.sure:
                self.edges.doubt(edge)
            raise
        self.edges.gained(edge)

    async def disconnect(self, edge: Edge) -> None:
        """Give up an edge."""
        assert self.session is not None
        try:
            await self.session.disconnect(*edge)
        except BaseException:
            self.edges.doubt(edge)
            raise
        self.edges.lost(edge)

    async def close_circle(self, _: object) -> None:
        """Try what must be refused: the way back along an edge that is here."""
        assert self.session is not None
        for here, there in sorted(self.edges.sure)[:1]:
            try:
                await self.session.connect(there, here)
            except CyclicException:
                return
            self.failed(f"{there} -> {here} was let in, against {here} -> {there}")


class Source(Program):
    """Publishes numbered messages."""

    publisher: Publisher | None = None

    def __init__(self, host: Host, server: Host, clock: Clock, failed: Failed) -> None:
        super().__init__(host, server, clock, failed)
        self.published = 0

    async def _begin(self) -> None:
        await super()._begin()
        if self.publisher is None:
            self.publisher = await Publisher.create(
                TOPIC, self.address, num_buffers=BUFFERS, force_tcp=True, allow_local=False
            )

    async def publish(self, sizes: list[int]) -> None:
        """Publish a message of each size."""
        assert self.publisher is not None
        for size in sizes:
            body = self.publisher.id.bytes + self.published.to_bytes(4, "big") + bytes(size)
            await self.publisher.broadcast(body)
            self.published += 1


class NotingSubscriber(Subscriber):
    """Notes from which message on it hears each publisher, and whether it had no route to it for a while."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.first: dict[UUID, int] = {}
        self.resumed: set[UUID] = set()
        self._left: set[UUID] = set()

    def joined(self, channel: Channel) -> None:
        publisher = channel.publisher_id
        self.first.setdefault(publisher, channel.first_message)
        if publisher in self._left:
            self._left.discard(publisher)
            self.resumed.add(publisher)
        super().joined(channel)

    def left(self, publisher_id: UUID) -> None:
        self._left.add(publisher_id)
        super().left(publisher_id)


class Sink(Program):
    """Receives, and notes of each publisher which messages came."""

    subscriber: NotingSubscriber | None = None

    def __init__(self, host: Host, server: Host, clock: Clock, failed: Failed) -> None:
        super().__init__(host, server, clock, failed)
        self.received: dict[UUID, list[int]] = {}
        self.without_route: set[UUID] = set()  # publishers to which the server took the route for a while
        self._pause_s = 0.0

    async def _begin(self) -> None:
        await super()._begin()
        if self.subscriber is None:
            self.subscriber = await NotingSubscriber.create(TOPIC, self.address)
            self.spawn(self._receive(self.subscriber))

    async def nap(self, seconds: float) -> None:
        """Have no time for messages for a while."""
        self._pause_s = seconds

    async def _receive(self, subscriber: NotingSubscriber) -> None:
        while True:
            if self._pause_s:
                pause_s, self._pause_s = self._pause_s, 0.0
                await asyncio.sleep(pause_s)
            message = await subscriber.recv()
            self._note(subscriber, UUID(bytes=message[:16]), int.from_bytes(message[16:20], "big"))

    def _note(self, subscriber: NotingSubscriber, publisher: UUID, number: int) -> None:
        first = subscriber.first.setdefault(publisher, number)  # it may come together with the channel
        come = self.received.setdefault(publisher, [first - 1])
        if number <= come[-1]:
            self.failed(f"{self.host.name} got message {number} after {come[-1]}")
        if publisher in subscriber.resumed:
            self.without_route.add(publisher)
        come.append(number)


class Owner(Program):
    """Owns units and reports their settings."""

    client: ProcessControlClient | None = None

    def __init__(self, host: Host, server: Host, clock: Clock, failed: Failed) -> None:
        super().__init__(host, server, clock, failed)
        self._client: ProcessControlClient | None = None  # which may yet have to register
        self.units = Account()
        self.reported: dict[str, int] = {}
        self.unsure: set[str] = set()

    async def _begin(self) -> None:
        await super()._begin()
        client = self._client = self._client or ProcessControlClient(self.address)
        await client.connect()
        await client.register([])
        self.client = client

    async def own(self, unit: str) -> None:
        """Own a unit, unless another process does."""
        assert self.client is not None
        try:
            await self.client.update_ownership(added_units=[unit])
        except OwnershipCollision:
            self.units.lost(unit)
            return
        except BaseException:
            if unit not in self.units.sure:
                self.units.doubt(unit)
            raise
        self.units.gained(unit)

    async def disown(self, unit: str) -> None:
        """Own a unit no more."""
        assert self.client is not None
        if unit not in self.units.sure:
            return
        try:
            await self.client.update_ownership(removed_units=[unit])
        except BaseException:
            self.units.doubt(unit)
            raise
        self.units.lost(unit)
        self.reported.pop(unit, None)

    async def report(self, change: tuple[str, int]) -> None:
        """Report the settings of a unit, if it is owned."""
        assert self.client is not None
        unit, value = change
        if unit not in self.units.sure:
            return
        self.unsure.add(unit)
        await self.client.report_settings_update(unit, SettingsSnapshotValue(None, str(value), {"value": value}))
        self.reported[unit] = value
        self.unsure.discard(unit)


class Watcher(Program):
    """Follows both streams of events, and folds what they say.

    ``opens_again``: whether it tries again where a stream could not be opened, as the server stood still.
    """

    opens_again = True

    def __init__(self, host: Host, server: Host, clock: Clock, failed: Failed) -> None:
        super().__init__(host, server, clock, failed)
        self.seq = 0
        self.epoch: UUID | None = None
        self.settings: dict[str, Any] = {}
        self.told = 0  # events and those that gaps stand for, of this run of the server
        self._follower: asyncio.Task[None] | None = None

    async def _begin(self) -> None:
        await super()._begin()
        assert self.connection is not None
        self.epoch = self.connection.epoch
        self._follower = self.spawn(self._follow())
        self.spawn(self._fold())

    async def again(self, seconds: float) -> None:
        """Stop reading, and go on from there after a while."""
        if self._follower is not None:
            self._follower.cancel()
            await asyncio.wait([self._follower])
        await asyncio.sleep(seconds)
        self._follower = self.spawn(self._follow())

    async def _follow(self) -> None:
        while True:
            try:
                await self._follow_once()
            except DeadlineExceeded:  # the server stood still when the stream was to be opened
                continue

    async def _follow_once(self) -> None:
        assert self.connection is not None
        async with aclosing(follow_topology(self.connection, self.seq, self.epoch)) as items:
            async for item in items:
                match item:
                    case Reset(epoch, seq):
                        if epoch == self.epoch:
                            self.failed("the stream began anew in the same run of the server")
                        self.epoch, self.seq = epoch, seq
                    case Gap(first, last):
                        if first != self.seq + 1 or last < first:
                            self.failed(f"a gap from {first} to {last} after event {self.seq}")
                        self.seq = last
                    case event:
                        if event.seq != self.seq + 1:
                            self.failed(f"event {event.seq} after event {self.seq}, and no word of a gap")
                        self.seq = event.seq

    async def _fold(self) -> None:
        while True:
            try:
                await self._fold_once()
            except DeadlineExceeded:
                if not self.opens_again:
                    raise
                self.settings.clear()

    async def _fold_once(self) -> None:
        assert self.connection is not None
        async with aclosing(settings_changes(self.connection)) as changes:
            async for change in changes:
                if change.event_type is SettingsEventType.SETTINGS_REMOVED:
                    self.settings.pop(change.component_address, None)
                else:
                    self.settings[change.component_address] = change.value
