"""Where threads are: for which unit, at which line of the user's code; for sentences about what does not end."""

import asyncio
import functools
import sys
import threading
from collections.abc import Container, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from ezmsg.core.graph.unit import Unit
from ezmsg.core.runtime.executor import working_for

_INSTALLED = ("site-packages", "dist-packages")
_OURS = str(Path(__file__).parents[1])


def lasting_threads(before: Container[threading.Thread] = ()) -> list[threading.Thread]:
    """Return the threads, beside the main one and those ``before``, that keep an interpreter from leaving."""
    main = threading.main_thread()
    return [each for each in threading.enumerate() if not (each.daemon or each is main or each in before)]


def whereabouts(threads: Iterable[threading.Thread]) -> str:
    """Return names of threads, whose they are, and where in the user's code, as far as that can be told.

    Where some are known to be a unit's, the others are left out: they only wait for those.
    """
    owners = {thread: _owner(thread) for thread in threads}
    told = [thread for thread, owner in owners.items() if owner] or list(owners)
    return "; ".join(_told(thread, owners[thread]) for thread in told)


def _told(thread: threading.Thread, owner: str) -> str:
    line = users_line(thread.ident)
    parts = (f"thread {thread.name}", owner and f"of {owner}", line and f"at {line}")
    return " ".join(part for part in parts if part)


def users_line(thread_id: int | None) -> str:
    """Return the line of the user's code that a thread is at, or nothing if it is at none."""
    for frame in _frames(thread_id):
        code = frame.f_code
        if _is_users(code.co_filename):
            return f"{code.co_filename}:{frame.f_lineno}, in {code.co_qualname}"
    return ""


def line_of_task(task: asyncio.Task[Any] | None) -> str:
    """Return the line of the user's code at which a task waits, or nothing if it waits at none."""
    line, awaited = "", None if task is None else task.get_coro()
    while awaited is not None:  # from the task's own coroutine to the one that waits
        frame = getattr(awaited, "cr_frame", None)
        if frame is not None and _is_users(frame.f_code.co_filename):
            line = f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_qualname}"
        awaited = getattr(awaited, "cr_await", None)
    return line


def _owner(thread: threading.Thread) -> str:
    selves = (frame.f_locals.get("self") for frame in _frames(thread.ident))
    unit = next((each.address for each in selves if isinstance(each, Unit)), "")
    return working_for.get(thread.ident or -1) or unit


def _frames(thread_id: int | None) -> list[FrameType]:
    """Return a thread's frames, the innermost first."""
    frames = []
    frame = sys._current_frames().get(thread_id or -1)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames


def _is_users(file: str) -> bool:
    if file.startswith(_OURS):
        return False
    return any(folder in file for folder in _INSTALLED) or not file.startswith(_library())


@functools.cache
def _library() -> tuple[str, ...]:
    import sysconfig  # by who does not end, and not by every process that starts

    return (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), "<frozen")
