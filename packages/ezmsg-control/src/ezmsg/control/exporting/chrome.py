"""Traces as JSON in Chrome's Trace Event Format, for https://ui.perfetto.dev or ``chrome://tracing``.

It takes no package. Each lane is a thread, because in this format slices of one thread must not overlap.
"""

import json
from collections.abc import Iterable
from itertools import count
from typing import Any

from ezmsg.control.exporting.timeline import PUBLISH, ProcessTimeline, Span, timeline
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch


def to_chrome_json(batches: Iterable[ProcessProfilingTraceBatch]) -> str:
    """Return JSON of what processes have traced; times count from ``otherData.origin_unix_ns``, in microseconds."""
    lines = timeline(batches)
    events = [event for process in lines.processes for event in _events(process, lines.origin_ns)]
    lost = {str(process.process_id): sum(loss.samples for loss in process.losses) for process in lines.processes}
    other = {"origin_unix_ns": str(lines.origin_ns), "lost_samples": lost}
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns", "otherData": other})


def _events(process: ProcessTimeline, origin_ns: int) -> Iterable[dict[str, Any]]:
    pid, threads = process.shown_pid, count(1)
    yield _named("process_name", pid, 0, process.name)
    for loss in process.losses:
        name = f"{loss.samples} samples were lost before this"
        yield {"ph": "i", "s": "p", "name": name, "pid": pid, "tid": 0, "ts": _us(loss.at_ns - origin_ns)}
    for track in process.tracks:
        for lane in track.lanes:
            thread = next(threads)
            yield _named("thread_name", pid, thread, f"{track.topic} {track.name}")
            for span in lane:
                yield {"pid": pid, "tid": thread, **_slice(span, origin_ns)}


def _slice(span: Span, origin_ns: int) -> dict[str, Any]:
    sample = span.sample
    arguments: dict[str, Any] = {"value_ns": span.value_ns, "message": sample.sample_seq}
    if sample.channel_kind is not None:
        arguments["channel"] = sample.channel_kind.value
    event: dict[str, Any] = {
        "ph": "X",
        "name": span.name,
        "cat": sample.metric,
        "ts": _us(span.start_ns - origin_ns),
        "dur": _us(span.end_ns - span.start_ns),
        "args": arguments,
    }
    if span.bond:
        event["bind_id"] = hex(span.bond)
        event["flow_out" if sample.metric == PUBLISH else "flow_in"] = True
    return event


def _named(what: str, pid: int, tid: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": what, "pid": pid, "tid": tid, "args": {"name": name}}


def _us(ns: int) -> float:
    return ns / 1000
