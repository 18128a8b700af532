"""Time by unit and task, for https://www.speedscope.app: each process a profile of weighted stacks.

Under each unit stand the tasks with the time that they spent on messages, how long the unit held messages besides,
and how long it waited for buffers to publish into. What a task waited in its own publishing is part of its time,
and so is what it has measured within itself, which does not stand beside it.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any
from uuid import UUID

from ezmsg.control.exporting.timeline import LEASE, USER, WAIT, ProcessTimeline, Span, timeline
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

Stack = tuple[str, ...]
_Message = tuple[str, UUID | None, int | None]


def to_speedscope_json(batches: Iterable[ProcessProfilingTraceBatch]) -> str:
    """Return a speedscope file of what processes have traced; a profile's name says how many samples it lacks."""
    frames = _Frames()
    profiles = [_profile(process, frames) for process in timeline(batches).processes]
    file = {
        "$schema": SCHEMA,
        "shared": {"frames": [{"name": name} for name in frames.numbers]},
        "profiles": profiles,
        "name": "ezmsg",
        "exporter": f"ezmsg-control@{version('ezmsg-control')}",
    }
    return json.dumps(file)


class _Frames:
    """Every frame has a number."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def stack(self, names: Stack) -> list[int]:
        return [self.numbers.setdefault(name, len(self.numbers)) for name in names]


def _profile(process: ProcessTimeline, frames: _Frames) -> dict[str, Any]:
    weighed = sorted(_weighed(process), key=lambda each: each[0])
    lost = sum(loss.samples for loss in process.losses)
    return {
        "type": "sampled",
        "name": f"{process.name}, {lost} samples lost" if lost else process.name,
        "unit": "nanoseconds",
        "startValue": 0,
        "endValue": sum(weight_ns for _, _, weight_ns in weighed),
        "samples": [frames.stack(stack) for _, stack, _ in weighed],
        "weights": [weight_ns for _, _, weight_ns in weighed],
    }


def _weighed(process: ProcessTimeline) -> Iterable[tuple[int, Stack, int]]:
    """Yield when it began, the stack and the time of each span; of a lease only what no task accounts for."""
    in_tasks = _time_in_tasks(process)
    for track in process.tracks:
        unit, _, stream = track.topic.rpartition("/")
        path = (unit, stream) if unit else (stream,)
        for span in (span for lane in track.lanes for span in lane):
            length_ns = span.end_ns - span.start_ns
            if track.metric == LEASE:
                rest_ns = length_ns - in_tasks.get(_message(span), 0)
                yield span.start_ns, (*path, "lease, in no task"), max(rest_ns, 0)
            elif track.metric == WAIT or _is_task(span):
                yield span.start_ns, (*path, span.name), length_ns


def _time_in_tasks(process: ProcessTimeline) -> dict[_Message, int]:
    in_tasks: dict[_Message, int] = defaultdict(int)
    for track in process.tracks:
        for span in (span for lane in track.lanes for span in lane):
            if _is_task(span) and span.sample.sample_seq is not None:
                in_tasks[_message(span)] += span.end_ns - span.start_ns
    return in_tasks


def _is_task(span: Span) -> bool:
    """Whether it is a measurement of what was done with a message, and not within another one."""
    return span.sample.metric == USER and span.sample.within is None


def _message(span: Span) -> _Message:
    return span.sample.endpoint_id, span.sample.publisher_id, span.sample.sample_seq
