"""Stacks as text for people: like Python's own, the innermost frame last, so that editors find the places."""

from collections.abc import Iterator, Sequence

from ezmsg.control.rendering.own_frames import own_frames
from ezmsg.control.rendering.quantities import counted
from ezmsg.protocol.model.stacks import ProcessStacks, StackFrame, TaskStack, ThreadStack
from ezmsg.protocol.surroundings.visible import visible


def stack_lines(stacks: ProcessStacks) -> Iterator[str]:
    """Yield who it is, the tasks, and then the threads; an empty line comes before each of them.

    Names and lines of code are the program's: what in them could steer a terminal is made visible.
    """
    return map(visible, _lines(stacks))


def folded_lines(stacks: ProcessStacks) -> Iterator[str]:
    """Yield only what the program itself does: its own frames, and a line for all that is left away.

    A thread whose task is shown already is not shown again.
    """
    return map(visible, _folded(stacks))


def _folded(stacks: ProcessStacks) -> Iterator[str]:
    yield _first_line(stacks)
    names = {thread.ident: thread.name or str(thread.ident) for thread in stacks.threads}
    tasks = [task for task in stacks.tasks if own_frames(task.frames)]
    running = {task.thread for task in tasks}
    threads = [each for each in stacks.threads if own_frames(each.frames) and each.ident not in running]
    for head, frames, left_out in (
        *((f"task {task.name}   {_doing(task, names)}", task.frames, task.frames_left_out) for task in tasks),
        *((_head(thread), thread.frames, thread.frames_left_out) for thread in threads),
    ):
        own = own_frames(frames)
        yield ""
        yield head
        yield from _frames(own, 0)
        if others := len(frames) - len(own) + left_out:
            yield f"  ({counted(others, 'frame')} of ezmsg and Python)"
    waiting_tasks = len(stacks.tasks) - len(tasks) + stacks.tasks_left_out
    waiting_threads = len(stacks.threads) - len(threads) - len(running & set(names)) + stacks.threads_left_out
    parts = [(waiting_tasks, "task"), (waiting_threads, "thread")]
    if others_said := " and ".join(counted(count, what) for count, what in parts if count > 0):
        yield ""
        yield f"({others_said} with nothing of the program's own; all of it: --all)"


def _lines(stacks: ProcessStacks) -> Iterator[str]:
    yield _first_line(stacks)
    names = {thread.ident: thread.name or str(thread.ident) for thread in stacks.threads}
    for task in stacks.tasks:
        yield ""
        yield f"task {task.name}   {_doing(task, names)}"
        yield from _frames(task.frames, task.frames_left_out)
    yield from _left_out(stacks.tasks_left_out, "task")
    for thread in stacks.threads:
        yield ""
        yield _head(thread)
        yield from _frames(thread.frames, thread.frames_left_out)
    yield from _left_out(stacks.threads_left_out, "thread")


def _first_line(stacks: ProcessStacks) -> str:
    tasks = counted(len(stacks.tasks) + stacks.tasks_left_out, "task")
    threads = counted(len(stacks.threads) + stacks.threads_left_out, "thread")
    return f"pid {stacks.pid} on {stacks.host}   {tasks} on the units' event loop, {threads}"


def _doing(task: TaskStack, threads: dict[int, str]) -> str:
    if task.thread is not None:
        return f"runs now, in thread {threads.get(task.thread, task.thread)}"
    return "is about to run" if task.awaits is None else f"awaits {task.awaits}"


def _head(thread: ThreadStack) -> str:
    if thread.daemon is None:
        return f"thread {thread.ident}   not started by Python"
    return f"thread {thread.name}   {thread.ident}{', daemon' if thread.daemon else ''}"


def _frames(frames: Sequence[StackFrame], left_out: int) -> Iterator[str]:
    if left_out:
        yield f"  ({counted(left_out, 'outer frame')} left out)"
    for frame in frames:
        line = "" if frame.line is None else f", line {frame.line}"
        yield f'  File "{frame.file}"{line}, in {frame.function}'
        if frame.text:
            yield f"    {frame.text}"


def _left_out(count: int, what: str) -> Iterator[str]:
    if count:
        yield ""
        yield f"({counted(count, f'more {what}')} left out)"
