"""For how long a unit's functions work on a message: ``user_span_ns``, each labelled with the function's name.

A span is the whole time of a call, also that in which it waits for something or for a buffer of its own publishers.
What is measured within a call is told to be within it, as its time is in that of the call already.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ezmsg.core.profiling.tracers import Lease, SubscriberTracer


class _Task:
    """A function that works on a message, and who measures it.

    It may be ``over`` for those who still see it: what a function has started in the background.
    """

    __slots__ = ("lease", "name", "over", "tracer")

    def __init__(self, tracer: "SubscriberTracer", lease: "Lease | None", name: str) -> None:
        self.tracer = tracer
        self.lease = lease
        self.name = name
        self.over = False


_task: ContextVar[_Task | None] = ContextVar("_task", default=None)


@contextmanager
def span_of_task(tracer: "SubscriberTracer", name: str) -> Iterator[None]:
    """Measure a function of a unit that works on the message taken last."""
    task = _Task(tracer, tracer.latest, name)
    before = _task.set(task)
    start_ns = time.perf_counter_ns()
    try:
        yield
    finally:
        tracer.add_span(start_ns, task.lease, name)
        task.over, task.lease = True, None
        _task.reset(before)


def add_span(start_ns: int, name: str) -> None:
    """Add a span of something that is called, from a moment until now, by a function that is measured.

    What has the name of that function itself is measured already.
    """
    task = _task.get()
    if task is not None and not task.over and task.name != name:
        task.tracer.add_span(start_ns, task.lease, name, task.name)


def add_profile(tracer: "SubscriberTracer", start_ns: int, label: str) -> None:
    """Add a span that a program has measured by itself, with a message of a subscriber, from a moment until now."""
    task = _task.get()
    if task is None or task.over or task.tracer is not tracer:
        tracer.add_span(start_ns, tracer.latest, label)
    else:
        tracer.add_span(start_ns, task.lease, label, task.name)
