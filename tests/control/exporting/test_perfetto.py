"""A trace for Perfetto, read back with Perfetto's own package."""

import sys
from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace
from tests.control.exporting.traces import (
    BOOT_NS,
    THREE_PROCESSES,
    USER,
    A,
    B,
    batch,
    batches,
    joined,
    sample,
    sums,
)

from ezmsg.control.errors import MissingExtra
from ezmsg.control.exporting.perfetto import to_perfetto
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch


class Reading:
    """What a trace holds, by Perfetto's rules: tracks have parents, and what begins on a track ends on it."""

    def __init__(self, data: bytes) -> None:
        self.trace = Trace()
        self.trace.ParseFromString(data)
        packets = self.trace.packet
        assert {packet.trusted_packet_sequence_id for packet in packets} == {1}
        self.tracks = {
            packet.track_descriptor.uuid: packet.track_descriptor
            for packet in packets
            if packet.HasField("track_descriptor")
        }
        described = [packet.track_descriptor.uuid for packet in packets if packet.HasField("track_descriptor")]
        assert len(described) == len(self.tracks), "a track is described twice"
        assert 0 not in self.tracks
        self.slices: list[tuple[Any, int, int]] = []
        self.instants: list[tuple[Any, int]] = []
        open_slices: dict[int, list[Any]] = defaultdict(list)
        timed = [packet for packet in packets if packet.HasField("track_event")]
        for packet in sorted(timed, key=lambda packet: packet.timestamp):  # it is stable, as Perfetto's own
            event = packet.track_event
            assert event.track_uuid in self.tracks
            match event.type:
                case event.TYPE_SLICE_BEGIN:
                    assert not open_slices[event.track_uuid], "slices overlap"
                    open_slices[event.track_uuid].append(packet)
                case event.TYPE_SLICE_END:
                    begun = open_slices[event.track_uuid].pop()
                    self.slices.append((begun.track_event, begun.timestamp, packet.timestamp))
                case event.TYPE_INSTANT:
                    self.instants.append((event, packet.timestamp))
        assert not any(open_slices.values())

    def path(self, uuid: int) -> list[str]:
        track = self.tracks[uuid]
        own = track.process.process_name or track.name
        return [*(self.path(track.parent_uuid) if track.parent_uuid else []), own]

    def flows(self) -> dict[int, list[Any]]:
        ends: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        events = [*self.instants, *((event, start) for event, start, _ in self.slices)]
        for event, at in events:
            for flow in event.flow_ids:
                ends[flow].append((at, event))
        return {flow: [event for _, event in sorted(two, key=lambda end: end[0])] for flow, two in ends.items()}


def annotation(event: Any, name: str) -> int | None:
    return next((each.int_value for each in event.debug_annotations if each.name == name), None)


def test_three_processes() -> None:
    reading = Reading(to_perfetto(THREE_PROCESSES))
    processes = {
        track.process.pid: track.process.process_name
        for track in reading.tracks.values()
        if track.HasField("process")
    }
    assert processes == {4001: "pid 4001 on lab", 4002: "pid 4002 on lab", 4003: "pid 4003 on lab"}
    ways = [[reading.path(event.track_uuid) for event in ends] for ends in reading.flows().values()]
    publish = ["pid 4001 on lab", "SYSTEM/A/OUTPUT", "publish"]
    to_b, to_c = ["pid 4002 on lab", "SYSTEM/B/INPUT", "lease"], ["pid 4003 on lab", "SYSTEM/C/INPUT", "lease"]
    assert sorted(ways) == [[publish, to_b], [publish, to_b], [publish, to_c]]
    spans = {(event.name, start - BOOT_NS, end - BOOT_NS) for event, start, end in reading.slices}
    assert ("on_message", 1_300, 1_900) in spans
    assert ("lease", 1_100, 1_500) in spans, "the clocks of one host do not fit together"
    assert ("wait for a buffer", 2_500, 3_000) in spans
    (lost,) = [event for event, _ in reading.instants if annotation(event, "lost_samples")]
    assert (annotation(lost, "lost_samples"), reading.path(lost.track_uuid)) == (7, ["pid 4002 on lab"])
    deltas = {annotation(event, "publish_delta_ns") for event, _ in reading.instants} - {None}
    assert deltas == {900, 2_100}
    (clocks,) = [packet.clock_snapshot for packet in reading.trace.packet if packet.HasField("clock_snapshot")]
    assert {clock.timestamp - BOOT_NS for clock in clocks.clocks} == {1_000}


@given(batches())
def test_whatever_was_traced(traced: list[ProcessProfilingTraceBatch]) -> None:
    reading = Reading(to_perfetto(traced))
    found: Counter[tuple[str, str]] = Counter()
    for event, start, end in reading.slices:
        found[event.categories[0], event.name if event.categories[0] == USER else ""] += end - start
    assert +found == sums(traced)
    ends = reading.flows()
    assert all(len(two) == 2 for two in ends.values())
    assert len(ends) == len(joined(traced))
    lost = sum(annotation(event, "lost_samples") or 0 for event, _ in reading.instants)
    assert lost == sum(one.lost_samples for one in traced)
    pids = [track.process.pid for track in reading.tracks.values() if track.HasField("process")]
    assert len(pids) == len(set(pids)) == len({one.process_id for one in traced})


def test_overlapping_spans_of_a_task_are_drawn_as_one_row_and_stay_apart() -> None:
    overlapping = [sample(USER, B, end, 100, number, A, "work") for number, end in enumerate((100, 150, 210))]
    reading = Reading(to_perfetto([batch(1, *overlapping)]))
    rows = [track for track in reading.tracks.values() if track.name == "work"]
    assert len(rows) == 2
    assert len({row.parent_uuid for row in rows}) == 1
    assert len(reading.slices) == 3


def test_nothing_was_traced() -> None:
    assert Reading(to_perfetto([])).slices == []


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "perfetto.trace_builder.proto_builder", None)
    with pytest.raises(MissingExtra, match=r"EZ-4303 .* pip install 'ezmsg-control\[trace\]'"):
        to_perfetto(THREE_PROCESSES)
