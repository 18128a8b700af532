"""The three descriptors that every process counts on: 0, 1 and 2."""

import os
import select


def occupy_standard_descriptors() -> None:
    """Let the null device stand where standard input, output or error was closed before the program began.

    Otherwise the next thing that is opened gets that number, an event loop's own among them, and whoever writes to
    standard error writes into it.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _occupy(descriptor)


def _occupy(descriptor: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    if null != descriptor:  # a lower one was free, too, and is taken by somebody else by now
        os.dup2(null, descriptor)
        os.close(null)


def output_is_closed() -> bool:
    """Return whether nobody reads standard output any more, as behind ``| head``."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(1, 0)  # errors are always told
    return any(events & select.POLLERR for _, events in poll.poll(0))


def leave_closed_output() -> None:
    """Let the null device stand for a standard output that nobody reads: what is left in its buffer goes there.

    For the end of a process, whose interpreter would stumble over the rest, and say so.
    """
    if output_is_closed():
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)
