"""Stacks as text for people: like Python's own, the innermost frame last, so that editors find the places."""

from collections.abc import Iterator, Sequence

from ezmsg.protocol.model.stacks import ProcessStacks, StackFrame, TaskStack, ThreadStack


def stack_lines(stacks: ProcessStacks) -> Iterator[str]:
    """Yield who it is, the tasks, and then the threads; an empty line comes before each of them.

    Names and lines of code are the program's: what in them could steer a terminal is made visible.
    """
    return map(visible, _lines(stacks))


def visible(text: str) -> str:
    """Return a text with its control characters, and others that cannot be seen, as Python's escape sequences."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def _lines(stacks: ProcessStacks) -> Iterator[str]:
    tasks = _counted(len(stacks.tasks) + stacks.tasks_left_out, "task")
    threads = _counted(len(stacks.threads) + stacks.threads_left_out, "thread")
    yield f"pid {stacks.pid} on {stacks.host}   {tasks} on the units' event loop, {threads}"
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
        yield f"  ({_counted(left_out, 'outer frame')} left out)"
    for frame in frames:
        line = "" if frame.line is None else f", line {frame.line}"
        yield f'  File "{frame.file}"{line}, in {frame.function}'
        if frame.text:
            yield f"    {frame.text}"


def _left_out(count: int, what: str) -> Iterator[str]:
    if count:
        yield ""
        yield f"({_counted(count, f'more {what}')} left out)"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
