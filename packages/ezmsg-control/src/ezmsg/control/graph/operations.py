"""What is asked of a server on an open connection, each a function of the connection."""

import asyncio
from uuid import UUID

from ezmsg.control.connection.client import DEFAULT_TIMEOUT, ControlConnection
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded
from ezmsg.protocol.graph.dag import DAG
from ezmsg.protocol.messages.service import (
    ConnectedPeer,
    ConnectedPeers,
    Shutdown,
    TakePeers,
    TakeTopology,
    Topology,
)
from ezmsg.protocol.messages.sessions import DropSession, SnapshotTaken, TakeSnapshot
from ezmsg.protocol.model.snapshot import GraphSnapshot


async def take_dag(connection: ControlConnection, timeout: float = DEFAULT_TIMEOUT) -> DAG:
    """Return the graph as it is now, with the owners of each edge: session ids, ``None`` for persistent."""
    topology: Topology = await connection.request(TakeTopology(), timeout=timeout)
    dag = DAG()
    for edge in topology.edges:
        for owner in edge.owners:
            dag.add_edge(edge.from_topic, edge.to_topic, owner)
    return dag


async def take_snapshot(connection: ControlConnection, timeout: float = DEFAULT_TIMEOUT) -> GraphSnapshot:
    """Return all that the server knows at one moment.

    The snapshot is the caller's own, but for the components in its metadata: they are the same objects in every
    snapshot of this connection for as long as they stay as they are, and not to be changed.
    """
    held = connection.known_metadata.held()
    taken: SnapshotTaken = await connection.request(TakeSnapshot(list(held)), timeout=timeout)
    return connection.known_metadata.expand(taken, held)


async def take_peers(connection: ControlConnection, timeout: float = DEFAULT_TIMEOUT) -> list[ConnectedPeer]:
    """Return every client of the server as it introduced itself, this connection's own included.

    :raises UnknownMessage: if the server is of a release that does not tell.
    """
    answer: ConnectedPeers = await connection.request(TakePeers(), timeout=timeout)
    return answer.peers


async def drop_session(connection: ControlConnection, session_id: UUID, timeout: float = DEFAULT_TIMEOUT) -> None:
    """End a session, whosever it is: its edges and its metadata go, and its program goes on without them.

    :raises UnknownSession: if there is none of that id.
    """
    await connection.request(DropSession(session_id), timeout=timeout)


async def shut_down(connection: ControlConnection, timeout: float = DEFAULT_TIMEOUT) -> None:
    """End the server, and return when it no longer listens; the connection is lost then.

    :raises DeadlineExceeded: if it goes on for more than ``timeout`` seconds.
    """
    was_open = not connection.closed
    ended = asyncio.Event()
    connection.on_lost(lambda _: ended.set())
    try:
        async with asyncio.timeout(timeout):
            await connection.request(Shutdown(), timeout=None)
            await ended.wait()
    except ConnectionLost:
        if not was_open:
            raise
        # Otherwise it was quicker than its reply.
    except TimeoutError:
        operation = f"The end of the graph server at {connection.address}"
        raise DeadlineExceeded(operation=operation, seconds=timeout) from None
