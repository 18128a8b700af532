"""Where a process is at one moment: the stacks of its threads, and of the tasks of its units' event loop.

Every stack has its outermost frame first. ``..._left_out`` count what there was besides: of a stack, the outermost
frames. Long texts are cut, with an ellipsis for what is missing.
"""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass
class StackFrame:
    """A place in code; ``text`` is that line as its file is now, empty where it cannot be read."""

    file: str
    line: int | None
    function: str
    text: str = ""


@dataclass
class ThreadStack:
    """A thread; ``daemon`` is ``None``, and the name empty, of one that Python has not started."""

    name: str
    ident: int
    daemon: bool | None
    frames: list[StackFrame] = field(default_factory=list)
    frames_left_out: int = 0


@dataclass
class TaskStack:
    """A task of asyncio, from the coroutine that it was made of to what that waits for.

    ``awaits`` names that in the end, ``thread`` is the identifier of the thread that runs the task at this moment.
    A task that has neither will be run as soon as its event loop comes to it.
    """

    name: str
    awaits: str | None
    thread: int | None = None
    frames: list[StackFrame] = field(default_factory=list)
    frames_left_out: int = 0


@dataclass
class ProcessStacks:
    """All that a process is doing; ``timestamp`` is wall time in seconds.

    The tasks that run come first, then the others of units, then those of the event loop besides. ``gaps`` are
    sentences that say what could not be told.
    """

    process_id: UUID
    pid: int
    host: str
    timestamp: float
    tasks: list[TaskStack] = field(default_factory=list)
    threads: list[ThreadStack] = field(default_factory=list)
    tasks_left_out: int = 0
    threads_left_out: int = 0
    gaps: list[str] = field(default_factory=list)
