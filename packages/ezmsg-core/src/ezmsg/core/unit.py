"""A door: units live in `ezmsg.core.graph.unit` and `decorators`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.decorators import (
    LEAKY_ATTR,
    MAIN_ATTR,
    MAX_QUEUE_ATTR,
    PROCESS_ATTR,
    PUBLISHES_ATTR,
    SUBSCRIBES_ATTR,
    TASK_ATTR,
    THREAD_ATTR,
    TIMEIT_ATTR,
    ZERO_COPY_ATTR,
    main,
    process,
    publisher,
    subscriber,
    task,
    thread,
    timeit,
)
from ezmsg.core.graph.unit import Unit

__all__ = [
    "LEAKY_ATTR",
    "MAIN_ATTR",
    "MAX_QUEUE_ATTR",
    "PROCESS_ATTR",
    "PUBLISHES_ATTR",
    "SUBSCRIBES_ATTR",
    "TASK_ATTR",
    "THREAD_ATTR",
    "TIMEIT_ATTR",
    "ZERO_COPY_ATTR",
    "Unit",
    "main",
    "process",
    "publisher",
    "subscriber",
    "task",
    "thread",
    "timeit",
]
