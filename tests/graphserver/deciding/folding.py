"""What a client knows that starts from a snapshot and then only listens: it never asks without having been told to.

Settings come with their events. Of the topology an event says where to look again, so only that is looked at.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.messages.settings import SettingsEvent, SettingsTaken
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.settings import SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, SnapshotProcess
from ezmsg.protocol.model.topology import TopologyChangedEvent, TopologyEventType


class FoldedSettings:
    """The settings of every component, from a snapshot, events, gaps and resets.

    ``received`` and ``missed`` count what came since number ``first`` and what gaps stood for; ``seq`` is the last
    number heard of.

    :param take: takes a snapshot, at the beginning and after each gap or reset.
    """

    def __init__(self, take: Callable[[], SettingsTaken]) -> None:
        self._take = take
        self._look()
        self._count_from(self._covered)

    def hear(self, item: object) -> None:
        """Take the next item of a stream that was opened after ``seq`` of the run ``epoch``."""
        match item:
            case SettingsEvent(event):
                assert event.seq == self.seq + 1, "out of order, twice, or missing without a gap"
                self.seq, self.received = event.seq, self.received + 1
                if event.seq <= self._covered:
                    return  # the snapshot taken after a gap shows it already
                if event.event_type is SettingsEventType.SETTINGS_REMOVED:
                    assert self.values.pop(event.component_address) == event.value, "it shows the last value"
                else:
                    self.values[event.component_address] = event.value
            case Gap(first=first, last=last):
                assert first == self.seq + 1 <= last, "a gap begins after what was read, and is not empty"
                self.seq, self.missed = last, self.missed + last - first + 1
                self._look()
            case Reset(epoch=epoch, after_seq=after_seq):
                assert epoch != self.epoch, "a reset within a run"
                self._look()
                assert self.epoch == epoch
                self._count_from(after_seq)
            case _:
                raise AssertionError(f"a stream of settings brings no {item!r}")

    def check(self, taken: SettingsTaken) -> None:
        """See that it is what the server has, when everything was heard."""
        assert (self.epoch, self.seq) == (taken.epoch, taken.seq)
        assert self.received + self.missed == self.seq - self.first
        assert self.values == taken.values

    def _look(self) -> None:
        """Take a snapshot; what the stream brings next may be older than that."""
        taken = self._take()
        self.values: dict[str, SettingsSnapshotValue] = dict(taken.values)
        self.epoch: UUID = taken.epoch
        self._covered = taken.seq

    def _count_from(self, seq: int) -> None:
        self.first = self.seq = seq
        self.received = self.missed = 0


class FoldedTopology:
    """The edges, the processes and what is described, from a snapshot and the places that events name.

    Sessions that hold nothing are left out: they are nobody's concern, and no event tells of them.
    """

    def __init__(self, snapshot: GraphSnapshot) -> None:
        self.edges: dict[Edge, list[str]] = dict(snapshot.edge_owners)
        self.processes: dict[UUID, SnapshotProcess] = dict(snapshot.processes)
        self.described: dict[str, GraphMetadata] = _described(snapshot)

    def hear(self, event: TopologyChangedEvent, snapshot: GraphSnapshot) -> None:
        """Look again at what an event names, and at nothing else."""
        if event.event_type is TopologyEventType.PROCESS_CHANGED:
            assert event.source_process_id is not None
            _renew(self.processes, snapshot.processes, lambda process: process == event.source_process_id)
            return
        topics = set(event.changed_topics)
        _renew(self.edges, snapshot.edge_owners, lambda edge: edge.to_topic in topics)
        _renew(self.described, _described(snapshot), lambda session: session == event.source_session_id)

    def check(self, snapshot: GraphSnapshot) -> None:
        """See that it is what the server has."""
        assert self.edges == snapshot.edge_owners
        assert self.processes == snapshot.processes
        assert self.described == _described(snapshot)


def _described(snapshot: GraphSnapshot) -> dict[str, GraphMetadata]:
    sessions = snapshot.sessions.items()
    return {session: known.metadata for session, known in sessions if known.metadata is not None}


def _renew(known: dict[Any, Any], now: dict[Any, Any], concerned: Callable[..., bool]) -> None:
    for key in [key for key in known if concerned(key)]:
        del known[key]
    known.update({key: value for key, value in now.items() if concerned(key)})
