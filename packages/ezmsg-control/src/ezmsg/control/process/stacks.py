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
from collections.abc import Collection, Container, Sequence
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType
from typing import Any, NamedTuple
from uuid import UUID

from ezmsg.protocol.model.stacks import ProcessStacks, StackFrame, TaskStack, ThreadStack
from ezmsg.protocol.wire.plain import safe_repr

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

_NAMELESS = "<name unknown>"
_UNKNOWN = "something unknown"

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
    asking: Container[asyncio.Task[Any]] = (),
) -> ProcessStacks:
    """Return the stacks of all threads but the one that calls this, and of the tasks of an event loop.

    Only names are read of those that are left out.

    :param units: whose tasks come before the others of the loop.
    :param asking: tasks that are not told, because they are there only for this.
    """
    frames, failures = _Frames(), _Failures()
    threads, threads_left_out = _threads(frames, failures)
    tasks, gaps = _tasks(loop)
    beginnings = tuple(f"{unit}{mark}" for unit in units for mark in ":/")
    listed = sorted((_listed(task, beginnings, failures) for task in tasks if task not in asking), key=_rank)
    told = [(one, _task(one, frames, failures)) for one in listed[:TASKS_LIMIT]]
    told.sort(key=lambda pair: (pair[1].thread is None, *_rank(pair[0])[1:]))  # meanwhile others may run
    return ProcessStacks(
        process_id=process_id,
        pid=os.getpid(),
        host=socket.gethostname(),
        timestamp=time.time(),
        tasks=[task for _, task in told],
        threads=threads,
        tasks_left_out=len(listed) - len(told),
        threads_left_out=threads_left_out,
        gaps=gaps + failures.sentences(),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the name is no text, it is of type {type(value).__name__}")
    return str.__str__(value)  # also of a subclass, whose own methods may do anything


class _Failures:
    """What could not be read of tasks and threads whose classes, or what they wait for, are the program's own."""

    def __init__(self) -> None:
        self._failed: dict[str, set[int]] = {}
        self._why: dict[str, str] = {}

    def add(self, what: str, one: object, error: Exception) -> None:
        """Note that of this task or thread something could not be read; only the first error is told."""
        self._failed.setdefault(what, set()).add(id(one))
        if what not in self._why:
            self._why[what] = _beginning(safe_repr(error), NAME_LIMIT)

    def sentences(self) -> list[str]:
        return [
            f"{len(ones)} {what}{'' if len(ones) == 1 else 's'} could not be read in full: {self._why[what]}."
            for what, ones in self._failed.items()
        ]


# --- threads --------------------------------------------------------------------------------------------------


class _Started(NamedTuple):
    """What Python knows of a thread that it has started."""

    name: str
    daemon: bool | None


_FOREIGN = _Started("", None)


def _threads(frames: "_Frames", failures: _Failures) -> tuple[list[ThreadStack], int]:
    """Return as many threads as are told, and how many there are besides."""
    started = _started(failures)
    main = threading.main_thread().ident
    innermost = sys._current_frames()
    innermost.pop(threading.get_ident(), None)
    listed = sorted(innermost, key=lambda ident: (ident != main, started.get(ident, _FOREIGN).name, ident))
    stacks = {ident: _outwards(innermost[ident]) for ident in listed[:THREADS_LIMIT]}
    innermost.clear()
    told = [_thread(ident, started.get(ident, _FOREIGN), stack, frames) for ident, stack in stacks.items()]
    return told, len(listed) - len(told)


def _started(failures: _Failures) -> dict[int | None, _Started]:
    started: dict[int | None, _Started] = {}
    for thread in threading.enumerate():
        ident, name, daemon = None, _NAMELESS, False
        try:
            ident, daemon = thread.ident, bool(thread.daemon)
            name = _text(thread.name)
        except Exception as error:  # noqa: BLE001  protects the answer on all others from a thread of a user's class
            failures.add("thread", thread, error)
        started[ident] = _Started(name, daemon)
    return started


def _thread(ident: int, started: _Started, stack: list[_Place], frames: "_Frames") -> ThreadStack:
    return ThreadStack(
        name=_beginning(started.name, NAME_LIMIT),
        ident=ident,
        daemon=started.daemon,
        frames=frames.of(stack),
        frames_left_out=max(0, len(stack) - FRAMES_LIMIT),
    )


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


class _Listed(NamedTuple):
    """A task before its stack is read."""

    task: asyncio.Task[Any]
    name: str
    is_running: bool
    is_of_unit: bool


def _listed(task: asyncio.Task[Any], beginnings: tuple[str, ...], failures: _Failures) -> _Listed:
    """Look at a task; those of units have the name of their function (``UNIT:function``), or of its topic."""
    name, is_running = _NAMELESS, False
    try:
        coroutine = task.get_coro()
        is_running = isinstance(coroutine, CoroutineType) and coroutine.cr_running
        name = _text(task.get_name())
    except Exception as error:  # noqa: BLE001  protects the answer on all others from a task of a user's class
        failures.add("task", task, error)
    return _Listed(task, name, is_running, name.startswith(beginnings))


def _rank(listed: _Listed) -> tuple[bool, bool, str]:
    """Return what tasks are sorted by: those that run are first, then those of units."""
    return not listed.is_running, not listed.is_of_unit, listed.name


def _task(listed: _Listed, frames: "_Frames", failures: _Failures) -> TaskStack:
    thread, awaits, stack = None, None, list[_Place]()
    try:
        coroutine = listed.task.get_coro()
        thread, stack = _running(coroutine)
        if thread is None:
            awaits = _name_of(_waiting(coroutine, stack))
    except Exception as error:  # noqa: BLE001  protects the answer on all others from what a user's task waits for
        awaits = _UNKNOWN
        failures.add("task", listed.task, error)
    return TaskStack(
        name=_beginning(listed.name, NAME_LIMIT),
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


def _waiting(coroutine: object, stack: list[_Place]) -> object:
    """Return what a coroutine that does not run waits for in the end, and add the places on the way to a stack."""
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
    return awaited


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
        return f"task {_beginning(_text(awaited.get_name()), NAME_LIMIT)}"
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
        try:
            if file not in self._checked:
                self._checked.add(file)
                linecache.checkcache(file)
                linecache.lazycache(file, names)  # it may be in an archive
            return linecache.getline(file, line).strip()
        except Exception:  # noqa: BLE001  protects the answer from a module's own loader, and from odd file names
            return ""


def _beginning(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _end(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"…{text[1 - limit :]}"
