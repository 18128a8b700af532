"""Where this process is at this moment: the stacks of its threads, and of the tasks of one event loop.

They are looked at from a thread beside them, so that it does not matter what the event loop is busy with. Nothing
is stopped for it: while one stack is read another one moves on, and a task may be seen a step after its thread. No
frame is kept for longer than it is read, as with it the messages in its variables would stay alive.
"""

import asyncio
import gc
import linecache
import os
import socket
import sys
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple
from uuid import UUID

from ezmsg.protocol.model.stacks import ProcessStacks, StackFrame, TaskStack, ThreadStack

FRAMES_LIMIT = 40
"""So many frames of a stack are told, the innermost ones."""

TASKS_LIMIT = 100
THREADS_LIMIT = 50

NAME_LIMIT = 100
FILE_LIMIT = 200
TEXT_LIMIT = 120
"""The longest texts, in characters: with the limits above, an answer is of 11 MB at most, and most are of 50 kB."""

_DEEPEST = 10_000
"""More awaitables that wait for one another are not followed."""

_KEEPERS = ("builtins", "_asyncio")
"""Where the types are from that the interpreter puts between an ``await`` and what it waits for."""


class _Place(NamedTuple):
    """A frame without its variables."""

    code: CodeType
    line: int | None
    names: dict[str, Any]


def look_at_stacks(
    process_id: UUID,
    units: Collection[str],
    loop: asyncio.AbstractEventLoop,
    asking: asyncio.Task[Any] | None = None,
) -> ProcessStacks:
    """Return the stacks of all threads but the one that calls this, and of the tasks of an event loop.

    :param units: whose tasks come before the others of the loop.
    :param asking: a task that is not told, because it is there only for this.
    """
    frames = _Frames()
    threads = _threads(frames)
    tasks, gaps = _tasks(loop)
    told = sorted(
        (_task(task, frames) for task in tasks if task is not asking),
        key=lambda task: (task.thread is None, not _is_of(task.name, units), task.name),
    )
    return ProcessStacks(
        process_id=process_id,
        pid=os.getpid(),
        host=socket.gethostname(),
        timestamp=time.time(),
        tasks=told[:TASKS_LIMIT],
        threads=threads[:THREADS_LIMIT],
        tasks_left_out=max(0, len(told) - TASKS_LIMIT),
        threads_left_out=max(0, len(threads) - THREADS_LIMIT),
        gaps=gaps,
    )


def _is_of(task: str, units: Iterable[str]) -> bool:
    """Whether a task has the name of a unit's function (``UNIT:function``), or of the topic that one reads."""
    return any(task.startswith((f"{unit}:", f"{unit}/")) for unit in units)


# --- threads --------------------------------------------------------------------------------------------------


def _threads(frames: "_Frames") -> list[ThreadStack]:
    known = {thread.ident: thread for thread in threading.enumerate()}
    stacks = {ident: _outwards(innermost) for ident, innermost in sys._current_frames().items()}
    stacks.pop(threading.get_ident(), None)
    told = [
        ThreadStack(
            name=_beginning(known[ident].name, NAME_LIMIT) if ident in known else "",
            ident=ident,
            daemon=known[ident].daemon if ident in known else None,
            frames=frames.of(stack),
            frames_left_out=max(0, len(stack) - FRAMES_LIMIT),
        )
        for ident, stack in stacks.items()
    ]
    main = threading.main_thread().ident
    return sorted(told, key=lambda thread: (thread.ident != main, thread.name, thread.ident))


def _outwards(innermost: FrameType | None, outermost: FrameType | None = None) -> list[_Place]:
    """Return the places of a frame and of those that called it, up to one of them if that is given.

    Nothing if that one is not among them. The outermost is the first.
    """
    places: list[_Place] = []
    frame = innermost
    while frame is not None:
        places.append(_place(frame))
        if frame is outermost:
            return places[::-1]
        frame = frame.f_back
    return places[::-1] if outermost is None else []


def _place(frame: FrameType) -> _Place:
    return _Place(frame.f_code, frame.f_lineno, frame.f_globals)


# --- tasks ----------------------------------------------------------------------------------------------------


def _tasks(loop: asyncio.AbstractEventLoop) -> tuple[list[asyncio.Task[Any]], list[str]]:
    """Return the tasks of a loop that runs in another thread, and what to say if that is not possible.

    Before Python 3.14 the tasks are in a set that other threads change meanwhile. What is read of it is right, but
    reading may fail, and :func:`asyncio.all_tasks` itself then begins anew, a thousand times.
    """
    try:
        return list(asyncio.all_tasks(loop)), []
    except RuntimeError:
        return [], ["Tasks came and went too fast to be listed. Ask again."]


def _task(task: asyncio.Task[Any], frames: "_Frames") -> TaskStack:
    coroutine = task.get_coro()
    thread, stack = _running(coroutine)
    awaits = None
    if thread is None:
        stack, awaited = _waiting(coroutine)
        awaits = _name_of(awaited)
    return TaskStack(
        name=_beginning(task.get_name(), NAME_LIMIT),
        awaits=awaits,
        thread=thread,
        frames=frames.of(stack),
        frames_left_out=max(0, len(stack) - FRAMES_LIMIT),
    )


def _running(coroutine: object) -> tuple[int | None, list[_Place]]:
    """Return the thread in which a coroutine runs at this moment, and its part of the thread's stack."""
    if not (isinstance(coroutine, CoroutineType) and coroutine.cr_running):
        return None, []
    outermost = coroutine.cr_frame  # read once: it is gone as soon as the coroutine ends, in its own thread
    if outermost is None:
        return None, []
    for ident, innermost in sys._current_frames().items():
        if stack := _outwards(innermost, outermost):
            return ident, stack
    return None, []  # it has come to an await, or to its end, in between


def _waiting(coroutine: object) -> tuple[list[_Place], object]:
    """Return the stack of a coroutine that does not run, and what it waits for in the end."""
    stack: list[_Place] = []
    awaited: object = coroutine
    for _ in range(_DEEPEST):
        frame: FrameType | None = None
        match awaited:
            case CoroutineType():
                frame, awaited = awaited.cr_frame, awaited.cr_await
            case AsyncGeneratorType():
                frame, awaited = awaited.ag_frame, awaited.ag_await
            case GeneratorType():
                frame, awaited = awaited.gi_frame, awaited.gi_yieldfrom
            case _:
                inside = _inside(awaited)
                if inside is None:
                    break
                awaited = inside
        if frame is not None:
            stack.append(_place(frame))
    return stack, awaited


def _inside(awaited: object) -> object | None:
    """Return what an object of the interpreter's own stands for in an ``await``, if it is one.

    Such are a step of an asynchronous generator and a future's iterator; only the garbage collector knows of what.
    """
    if asyncio.isfuture(awaited) or type(awaited).__module__ not in _KEEPERS:
        return None
    for kept in gc.get_referents(awaited):
        if isinstance(kept, CoroutineType | AsyncGeneratorType | GeneratorType) or asyncio.isfuture(kept):
            return kept
    return None


def _name_of(awaited: object) -> str | None:
    """Name what a task waits for; ``None`` if that is there."""
    if awaited is None or (asyncio.isfuture(awaited) and awaited.done()):
        return None
    if isinstance(awaited, asyncio.Task):
        return f"task {_beginning(awaited.get_name(), NAME_LIMIT)}"
    return _beginning(type(awaited).__qualname__, NAME_LIMIT)


# --- frames ---------------------------------------------------------------------------------------------------


class _Frames:
    """Reads the lines of places, out of files that are looked at once."""

    def __init__(self) -> None:
        self._checked: set[str] = set()

    def of(self, places: Sequence[_Place]) -> list[StackFrame]:
        """Return the innermost of these places as frames, so many as are told."""
        return [self._frame(place) for place in places[-FRAMES_LIMIT:]]

    def _frame(self, place: _Place) -> StackFrame:
        file, function = place.code.co_filename, place.code.co_qualname
        text = "" if place.line is None else self._line(file, place.line, place.names)
        return StackFrame(
            _end(file, FILE_LIMIT), place.line, _end(function, NAME_LIMIT), _beginning(text, TEXT_LIMIT)
        )

    def _line(self, file: str, line: int, names: dict[str, Any]) -> str:
        if file not in self._checked:
            self._checked.add(file)
            linecache.checkcache(file)
            linecache.lazycache(file, names)  # it may be in an archive
        return linecache.getline(file, line).strip()


def _beginning(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _end(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"…{text[1 - limit :]}"
