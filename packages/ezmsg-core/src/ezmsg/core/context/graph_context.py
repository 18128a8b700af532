"""The graph as a program sees it: a session, and the publishers and subscribers made in it."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from ezmsg.control.connection import sharing
from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.session import Session
from ezmsg.core.context.operating import Operator
from ezmsg.core.context.service import GraphService
from ezmsg.core.pubsub.publisher import Publisher
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.core.support.wording import counted
from ezmsg.protocol.addresses import Address, AddressType
from ezmsg.protocol.errors import SessionRequired
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot

if TYPE_CHECKING:
    from ezmsg.graphserver.embedded import GraphServer

MANY_CLIENTS = 32
"""From so many endpoints on it is looked now and then which of them were closed."""


class GraphContext(Operator):
    """A program's hold on the graph.

    ::

        async with ez.GraphContext() as context:
            publisher = await context.publisher("TEMPERATURE")
            await publisher.broadcast(36.6)

    What it connects and registers lasts as long as the context; what it publishes and subscribes is closed on
    leaving. Publishers and subscribers may be made before entering, too; then :meth:`revert` closes them.

    :param graph_address: where the graph server is, else as ``EZMSG_GRAPHSERVER_ADDR`` says. Where nobody names
        one: the server at 127.0.0.1:25978, else the one graph that you run on this machine, which the log names;
        see ``docs/explain/finding-the-graph.md``.
    :param auto_start: whether to start a server if none answers; ``None`` means only if no address was given.
    :param apart: do not join a graph that is found in that way; ``run()`` does so, that two runs stay apart.
    :param transport: the transport of its publishers that name none, see :meth:`Publisher.create`.
    """

    def __init__(
        self,
        graph_address: AddressType | None = None,
        auto_start: bool | None = None,
        *,
        apart: bool = False,
        transport: str | None = None,
    ) -> None:
        super().__init__()
        self._service = GraphService(graph_address, apart=apart)
        self._auto_start = auto_start
        self._transport = transport
        self._clients: set[Publisher | Subscriber] = set()
        self._many_clients = MANY_CLIENTS
        self._server: GraphServer | None = None
        self._connection: ControlConnection | None = None
        self._session: Session | None = None
        self._ensuring: asyncio.Task[None] | None = None
        self._entering = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.summary}>"

    @property
    def summary(self) -> str:
        """The graph server, what was made here, and the state, as the repr tells them."""
        where = self._service.place if self._connection is None else f"at {self._connection.address}"
        clients = [each for each in list(self._clients) if not _has_left(each)]  # a copy: another thread may ask
        publishers = sum(isinstance(client, Publisher) for client in clients)
        made = f"{counted(publishers, 'publisher')}, {counted(len(clients) - publishers, 'subscriber')}"
        return f"{where}, {made}, {'not open' if self._session is None else 'open'}"

    @property
    def graph_address(self) -> Address:
        """Where the graph server is."""
        return self._service.address

    @property
    def server_spawned(self) -> bool:
        """Whether this context started the graph server."""
        return self._server is not None

    async def __aenter__(self) -> Self:
        """Open the session; if it is open, that one serves, and the first to leave ends it.

        :raises ServerUnreachable: if no server answers and none may be started.
        :raises SeveralServers: if nobody named a graph, and this user runs several.
        """
        async with self._entering:  # so that two who come at once do not open a session each
            if self._session is None:
                await self._open_session()
        return self

    async def _open_session(self) -> None:
        try:
            await self._ensure_server()
            self._connection = await sharing.acquire(self.graph_address)
            session = Session(self._connection)
            await session.open()
        except BaseException:
            await self.revert()
            raise
        self._session = session

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.revert()

    # --- endpoints ----------------------------------------------------------------------------------------

    async def publisher(self, topic: str, **kwargs: Any) -> Publisher:
        """Make a publisher of ``topic``; see :meth:`Publisher.create` for the options."""
        await self._ensure_server()
        if kwargs.get("transport") is None:
            kwargs["transport"] = self._transport
        publisher = await Publisher.create(topic, self.graph_address, **kwargs)
        self._keep(publisher)
        return publisher

    async def subscriber(self, topic: str, **kwargs: Any) -> Subscriber:
        """Make a subscriber of ``topic``; see :meth:`Subscriber.create` for the options."""
        await self._ensure_server()
        subscriber = await Subscriber.create(topic, self.graph_address, **kwargs)
        self._keep(subscriber)
        return subscriber

    # --- the session --------------------------------------------------------------------------------------

    async def connect(self, from_topic: str, to_topic: str) -> None:
        """Let messages of one topic reach another; return when they do.

        :raises CyclicException: if they could then come back to where they started.
        :raises SessionRequired: outside ``async with``.
        """
        await self._required("connect").connect(from_topic, to_topic)

    async def disconnect(self, from_topic: str, to_topic: str) -> None:
        """Take back what :meth:`connect` did; the edge stays while others own it too.

        :raises SessionRequired: outside ``async with``.
        """
        await self._required("disconnect").disconnect(from_topic, to_topic)

    async def register_metadata(self, metadata: GraphMetadata) -> None:
        """Describe this program's components to the graph server.

        :raises ComponentCollision: if another session describes a component of the same address.
        :raises SessionRequired: outside ``async with``.
        """
        await self._required("register_metadata").register_metadata(metadata)

    async def snapshot(self) -> GraphSnapshot:
        """Return the whole graph as the server knows it.

        The components in its metadata are shared by all snapshots, and not to be changed.

        :raises SessionRequired: outside ``async with``.
        """
        return await self._required("snapshot").snapshot()

    # --- private names that tools for ezmsg 3 use ---------------------------------------------------------

    @property
    def _session_id(self) -> UUID | None:
        """The session's id, as snapshots show it; ``None`` outside ``async with``."""
        return None if self._session is None else self._session.id

    async def _close_session(self) -> None:
        """End the session and leave the publishers and subscribers as they are."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    # --- every publisher of the graph ---------------------------------------------------------------------

    async def pause(self) -> None:
        """Let every publisher of the graph hold back its messages."""
        await self._service.pause()

    async def resume(self) -> None:
        """Let every publisher of the graph go on."""
        await self._service.resume()

    async def sync(self, timeout: float | None = None) -> None:
        """Pause every publisher, and wait until everything published so far is released; then :meth:`resume`.

        A quiet graph is one that can be changed. ``timeout`` is in seconds, 5 unless given; publishers stay paused
        after it, too.

        :raises DeadlineExceeded: if it takes longer.
        """
        await self._service.sync(timeout)

    async def revert(self) -> None:
        """Close what was made here, end the session, and stop the server if it was started here."""
        if self._ensuring is not None:  # whoever waited for it may have gone, and nobody would stop what it starts
            self._ensuring.cancel()
            await asyncio.wait([self._ensuring])
        clients, self._clients = self._clients, set()
        session, self._session = self._session, None
        connection, self._connection = self._connection, None
        server, self._server = self._server, None
        async with AsyncExitStack() as steps:  # backwards; each is taken even if another fails or is cancelled
            if server is not None:
                steps.push_async_callback(_stop, server)
            if connection is not None:
                steps.push_async_callback(sharing.release, connection)
            if session is not None:
                steps.push_async_callback(session.close)
            for client in clients:
                client.close()
            await asyncio.gather(*(client.wait_closed() for client in clients))

    async def _ensure_server(self) -> None:
        if self._holds_connection:
            return
        if self._ensuring is None:  # one for all who come at once, or each would start a server
            self._ensuring = asyncio.ensure_future(self._ensure_once())
            self._ensuring.add_done_callback(self._ensured)
        await asyncio.shield(self._ensuring)

    async def _ensure_once(self) -> None:
        if self._server is None:
            self._server = await self._service.ensure(self._auto_start)

    def _ensured(self, ensuring: asyncio.Task[None]) -> None:
        self._ensuring = None
        if not ensuring.cancelled():
            ensuring.exception()  # who waits for it is told; perhaps nobody does any more

    @property
    def _holds_connection(self) -> bool:
        """Whether the session or an endpoint has one; if that is lost, it comes back by itself."""
        return self._connection is not None or not all(map(_has_left, self._clients))

    def _keep(self, client: Publisher | Subscriber) -> None:
        """Remember to close an endpoint, and forget closed ones as soon as there may be many."""
        if len(self._clients) >= self._many_clients:
            self._clients -= {other for other in self._clients if _has_left(other)}
            self._many_clients = max(MANY_CLIENTS, 2 * len(self._clients))
        self._clients.add(client)

    def _required(self, operation: str) -> Session:
        if self._session is None:
            raise SessionRequired(operation=operation)
        return self._session

    def _joined(self, operation: str) -> ControlConnection:
        """Return the session's connection."""
        self._required(operation)
        assert self._connection is not None
        return self._connection


def _has_left(client: Publisher | Subscriber) -> bool:
    """Whether an endpoint is closed and nothing of it is under way, so that nobody must wait for it."""
    leaving = client._closing if isinstance(client, Publisher) else client._withdrawal
    return leaving is not None and leaving.done()


async def _stop(server: "GraphServer") -> None:
    try:
        await asyncio.to_thread(server.stop)
    except RuntimeError:  # the interpreter is at its end, and starts no more threads
        server.stop()
