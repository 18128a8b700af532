"""Streams of events only: where history is gone, a snapshot says what became of it, told as events.

Whoever folds these events arrives at the server's own state. Several of them may have one number, that of the last
event before the snapshot; a stream that is resumed after it misses nothing.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar
from uuid import UUID

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.graph.settings import take_settings
from ezmsg.control.graph.watching import follow_settings, follow_topology
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded
from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import GraphSnapshot
from ezmsg.protocol.model.topology import TopologyChangedEvent, TopologyEventType
from ezmsg.protocol.snapshots.metadata_topics import metadata_topics
from ezmsg.protocol.wire.codec import encode

T = TypeVar("T")


class ToldSettings:
    """What the reader of a stream has been told that components have."""

    def __init__(self) -> None:
        self._values: dict[str, SettingsSnapshotValue] = {}
        self._supposed: dict[str, SettingsSnapshotValue] = {}

    def suppose(self, values: dict[str, SettingsSnapshotValue]) -> None:
        """Remember which components a reader may know that has read up to somewhere before.

        Which value it knows of them is not known, so a snapshot tells all of theirs again.
        """
        self._supposed = dict(values)

    def tell(self, event: SettingsChangedEvent) -> None:
        """Remember what an event says."""
        self._supposed.pop(event.component_address, None)
        if event.event_type is SettingsEventType.SETTINGS_REMOVED:
            self._values.pop(event.component_address, None)
        else:
            self._values[event.component_address] = event.value

    def changes(self, taken: SettingsTaken, now: float) -> list[SettingsChangedEvent]:
        """Return, as events, how a snapshot differs from what was told, and remember it; ``now`` is wall time."""
        events = [
            SettingsChangedEvent(taken.seq, SettingsEventType.SETTINGS_REMOVED, address, now, None, None, value)
            for address, value in {**self._supposed, **self._values}.items()
            if address not in taken.values
        ]
        for address, value in taken.values.items():
            known = self._values.get(address)
            # As bytes, because a NaN is not equal to itself.
            if known is None or encode(known) != encode(value):
                kind = SettingsEventType.SETTINGS_UPDATED
                events.append(SettingsChangedEvent(taken.seq, kind, address, now, None, None, value))
        self._values, self._supposed = dict(taken.values), {}
        return events


def everything_changed(snapshot: GraphSnapshot, seq: int, now: float) -> list[TopologyChangedEvent]:
    """Return the events that have a reader look at all of a snapshot again; ``now`` is wall time."""
    topics = {*snapshot.graph, *(topic for ends in snapshot.graph.values() for topic in ends)}
    for session in snapshot.sessions.values():
        if session.metadata is not None:
            topics |= metadata_topics(session.metadata)
    return [
        TopologyChangedEvent(seq, TopologyEventType.GRAPH_CHANGED, now, sorted(topics), None, None),
        TopologyChangedEvent(seq, TopologyEventType.PROCESS_CHANGED, now, [], None, None),
    ]


async def settings_changes(
    connection: ControlConnection, after_seq: int = 0, epoch: UUID | None = None
) -> AsyncGenerator[SettingsChangedEvent, None]:
    """Return every change of settings after a sequence number, of the run ``epoch`` of the server if that is given.

    Who begins so late that the server has forgotten changes after that number already is not told which components
    are gone since; a snapshot says it.
    """
    told = ToldSettings()
    if after_seq > 0:
        told.suppose((await _persistently(connection, take_settings)).values)
    async with aclosing(follow_settings(connection, after_seq, epoch)) as items:
        covered = -1  # by a snapshot
        async for item in items:
            if not isinstance(item, SettingsChangedEvent):
                taken = await _persistently(connection, take_settings)
                covered = taken.seq
                for event in told.changes(taken, time.time()):
                    yield event
            elif item.seq > covered:
                told.tell(item)
                yield item


async def topology_changes(
    connection: ControlConnection, after_seq: int = 0, epoch: UUID | None = None
) -> AsyncGenerator[TopologyChangedEvent, None]:
    """Return every change of the graph after a sequence number, see :func:`settings_changes`."""
    async with aclosing(follow_topology(connection, after_seq, epoch)) as items:
        covered = -1  # by a snapshot
        async for item in items:
            if not isinstance(item, TopologyChangedEvent):
                snapshot = await _persistently(connection, take_snapshot)
                covered = snapshot.topology_seq or 0
                for event in everything_changed(snapshot, covered, time.time()):
                    yield event
            elif item.seq > covered:
                yield item


async def _persistently(connection: ControlConnection, take: Callable[[ControlConnection], Awaitable[T]]) -> T:
    """Take a snapshot, and again if the server is lost meanwhile: a stream may take any time."""
    while True:
        await connection.wait_connected()
        try:
            return await take(connection)
        except (ConnectionLost, DeadlineExceeded):
            if connection.closed:
                raise
