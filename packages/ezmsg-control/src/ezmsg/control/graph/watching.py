"""Streams of events from the graph server, as they are: events in order, gaps where history is gone, resets.

A reader that is too slow for its connection is not cut off: the stream is opened again where it stopped, and what
the server no longer has then is a `Gap`. So it is when the server was lost; another run of it begins with a
`Reset`. The stream ends only with its connection.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any
from uuid import UUID

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import StreamOverrun
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded
from ezmsg.protocol.messages.events import FollowTopology, Gap, Reset, TopologyEvent
from ezmsg.protocol.messages.settings import FollowSettings, SettingsEvent
from ezmsg.protocol.model.settings import SettingsChangedEvent
from ezmsg.protocol.model.topology import TopologyChangedEvent

OPEN_TIMEOUT_S = 5.0
"""Seconds in which the server has to open a stream."""

Follow = Callable[[int, UUID | None], object]
"""Makes the request for the stream after a sequence number of a run of the server."""


def follow_settings(
    connection: ControlConnection, after_seq: int = 0, epoch: UUID | None = None
) -> AsyncGenerator[SettingsChangedEvent | Gap | Reset, None]:
    """Return every change of settings after a sequence number; closing the iterator ends the stream.

    :param epoch: the run of the server that ``after_seq`` is of. If that run is over, the first item is a `Reset`.
    """
    return _follow(connection, FollowSettings, after_seq, epoch)


def follow_topology(
    connection: ControlConnection, after_seq: int = 0, epoch: UUID | None = None
) -> AsyncGenerator[TopologyChangedEvent | Gap | Reset, None]:
    """Return every change of the graph after a sequence number; see :func:`follow_settings`."""
    return _follow(connection, FollowTopology, after_seq, epoch)


async def _follow(
    connection: ControlConnection, request: Follow, after_seq: int, epoch: UUID | None
) -> AsyncGenerator[Any, None]:
    opened = False
    while True:
        current = await connection.wait_connected()
        try:
            async with aclosing(connection.stream(request(after_seq, epoch), timeout=OPEN_TIMEOUT_S)) as items:
                epoch = epoch or current
                async for item in items:
                    opened = True
                    match item:
                        case Gap(last=after_seq):
                            yield item
                        case Reset(epoch, after_seq):
                            yield item
                        case SettingsEvent(event) | TopologyEvent(event):
                            after_seq = event.seq
                            yield event
            return
        except StreamOverrun:
            continue
        except ConnectionLost:
            if connection.closed:
                raise
            opened = True  # or was about to be; that nothing has happened so far is no reason to give up
        except DeadlineExceeded:  # the server stands still; who has read before goes on when it does
            if not opened:
                raise
