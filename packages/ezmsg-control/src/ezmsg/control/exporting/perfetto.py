"""Traces as Perfetto TrackEvents, for https://ui.perfetto.dev; needs the extra ``[trace]``.

A row for each process, under it one for each endpoint, under it one for each kind of span and each task. Arrows
lead from a publish to every receive of its message.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from ezmsg.control.errors import MissingExtra
from ezmsg.control.exporting.timeline import PUBLISH, ProcessTimeline, Span, Track, timeline
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch

_SEQUENCE = 1
"""All packets are of one sequence, as one writer wrote them."""

_BOOTTIME, _REALTIME = 6, 1
"""Perfetto's numbers of the clock that packets are in unless they say otherwise, and of wall time."""


def to_perfetto(batches: Iterable[ProcessProfilingTraceBatch]) -> bytes:
    """Return a Perfetto trace of what processes have traced.

    :raises MissingExtra: if the extra is not installed.
    """
    try:
        from perfetto.trace_builder.proto_builder import TraceProtoBuilder
    except ImportError as error:
        raise MissingExtra(what="A trace for Perfetto", requirement="ezmsg-control[trace]") from error
    lines = timeline(batches)
    writer = _Writer(TraceProtoBuilder(), shift_ns=max(0, -lines.origin_ns))
    writer.set_clock(lines.origin_ns)
    for process in lines.processes:
        writer.write_process(process)
    return bytes(writer.builder.serialize())


class _Writer:
    """Writes into a ``TraceProtoBuilder``.

    :param shift_ns: is added to all times, as none may lie before 1970.
    """

    def __init__(self, builder: Any, shift_ns: int) -> None:
        self.builder = builder
        self._shift_ns = shift_ns

    def set_clock(self, at_ns: int) -> None:
        """Say that the trace's clock is wall time."""
        packet = self._packet()
        for number in (_BOOTTIME, _REALTIME):
            packet.clock_snapshot.clocks.add(clock_id=number, timestamp=at_ns + self._shift_ns)

    def write_process(self, process: ProcessTimeline) -> None:
        """Write what one process has traced."""
        root = _uuid(process.process_id)
        descriptor = self._packet().track_descriptor
        descriptor.uuid = root
        descriptor.process.pid = process.shown_pid
        descriptor.process.process_name = process.name
        for loss in process.losses:
            event = self._event("INSTANT", root, loss.at_ns)
            event.name = f"{loss.samples} samples were lost before this"
            event.debug_annotations.add(name="lost_samples", int_value=loss.samples)
        for endpoint_id, topic in sorted({(track.endpoint_id, track.topic) for track in process.tracks}):
            self._write_track(_uuid(process.process_id, endpoint_id), root, topic)
        for track in process.tracks:
            self._write_lanes(process, track)

    def _write_lanes(self, process: ProcessTimeline, track: Track) -> None:
        endpoint = process.process_id, track.endpoint_id
        for number, lane in enumerate(track.lanes):
            uuid = _uuid(*endpoint, track.metric, track.name, number)
            self._write_track(uuid, _uuid(*endpoint), track.name)  # those of one name are drawn as one row
            for span in lane:
                self._write_span(uuid, span)

    def _write_track(self, uuid: int, parent: int, name: str) -> None:
        descriptor = self._packet().track_descriptor
        descriptor.uuid = uuid
        descriptor.parent_uuid = parent
        descriptor.name = name

    def _write_span(self, uuid: int, span: Span) -> None:
        is_publish = span.sample.metric == PUBLISH
        event = self._event("INSTANT" if is_publish else "SLICE_BEGIN", uuid, span.start_ns)
        event.name = span.name
        event.categories.append(span.sample.metric)
        event.flow_ids.extend(span.flows)
        if is_publish:
            event.debug_annotations.add(name=PUBLISH, int_value=span.value_ns)
        if span.sample.sample_seq is not None:
            event.debug_annotations.add(name="message", int_value=span.sample.sample_seq)
        if span.sample.channel_kind is not None:
            event.debug_annotations.add(name="channel", string_value=span.sample.channel_kind.value)
        if not is_publish:
            self._event("SLICE_END", uuid, span.end_ns)

    def _event(self, kind: str, uuid: int, at_ns: int) -> Any:
        packet = self._packet()
        packet.timestamp = at_ns + self._shift_ns
        packet.track_event.type = getattr(packet.track_event, f"TYPE_{kind}")
        packet.track_event.track_uuid = uuid
        return packet.track_event

    def _packet(self) -> Any:
        packet = self.builder.add_packet()
        packet.trusted_packet_sequence_id = _SEQUENCE
        return packet


def _uuid(*parts: object) -> int:
    """Return a number that only this row has, 0 excepted, which means none."""
    digest = blake2b("\0".join(map(str, parts)).encode(), digest_size=8)
    return int.from_bytes(digest.digest()) or 1
