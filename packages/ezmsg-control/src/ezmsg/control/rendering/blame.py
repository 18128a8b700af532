"""For whom a publisher waited, as text for people."""

import math
from collections.abc import Iterator

from ezmsg.control.profiling.blaming import Blame, Culprit
from ezmsg.control.rendering.columns import padded, places
from ezmsg.control.rendering.quantities import counted, duration, percent

_SATURATED = 0.9
"""Who is busy for a larger part of the time is behind for good; more buffers would only fill up, too."""


def blame_lines(blame: Blame) -> Iterator[str]:
    """Yield how long it waited, those it waited for, and what can be done next."""
    if not blame.window_ns:
        yield f"{blame.topic} could not be watched"
        return
    window = duration(blame.window_ns)
    if not blame.waited_ns:
        yield f"{blame.topic} did not wait in the last {window}; it published {counted(blame.messages, 'message')}"
        return
    yield (
        f"{blame.topic} waited {duration(blame.waited_ns)} of the last {window} ({percent(blame.share)}), "
        f"with {counted(blame.num_buffers, 'buffer')}"
    )
    width = max((places(culprit.topic) for culprit in blame.culprits), default=0)
    several_hosts = len({culprit.host for culprit in blame.culprits}) > 1
    for culprit in blame.culprits:
        yield _line(culprit, width, several_hosts).rstrip()
    if blame.unattributed_ns:
        yield f"{percent(blame.unattributed_ns / blame.waited_ns):>8}  nobody can be named"
    if blame.culprits:
        yield _next(blame)


def _line(culprit: Culprit, width: int, with_host: bool) -> str:
    where = f"pid {culprit.pid} on {culprit.host}" if with_host else f"pid {culprit.pid}"
    busy = percent(min(culprit.busy_share, 1.0))  # it may have had several messages in its hands at a time
    parts = [f"{percent(culprit.share):>8}  {padded(culprit.topic, width)}", where, f"busy {busy}"]
    if culprit.tasks:
        task = culprit.tasks[0]
        if task.p50_ns is not None and task.p99_ns is not None:
            parts.append(f"user code p50 {duration(task.p50_ns)}  p99 {duration(task.p99_ns)}")
        parts.append(task.name if task.source is None else f"{task.name}  {_file_name(task.source)}")
    if culprit.through:
        parts.append(f"through {', '.join(culprit.through)}")
    return "   ".join(parts)


def _file_name(source: str) -> str:
    """Return a place in a file without the folders, which may be those of another operating system."""
    return source.replace("\\", "/").rpartition("/")[2]


def _next(blame: Blame) -> str:
    worst = blame.culprits[0]
    stacks = f"Next: ezmsg process stacks {worst.pid}"
    slowest = max((task.p99_ns or 0 for task in worst.tasks), default=0)
    if slowest and blame.window_ns and worst.busy_share < _SATURATED:
        more = math.ceil(slowest * blame.messages / blame.window_ns)
        buffers = f"num_buffers {blame.num_buffers} -> {blame.num_buffers + more}"
        return f"{stacks}      more buffers hide bursts up to {duration(slowest)}: {buffers}"
    return stacks
