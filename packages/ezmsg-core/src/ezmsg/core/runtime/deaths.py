"""How the end of another process is seen, whatever it leaves behind.

The sentinel of :mod:`multiprocessing` is a pipe that closes with the last process that holds it, and that may be
one which the dead one had forked. Linux tells of the process itself.
"""

import contextlib
import multiprocessing
import os
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess


class Death:
    """Something to wait for, readable when a worker's process has ended."""

    def __init__(self, process: BaseProcess) -> None:
        self._sentinel = process.sentinel
        # A fork server's children are not ours; it tells of their end itself, and with it their status.
        ours = multiprocessing.get_start_method() != "forkserver"
        self._descriptor = _watch(process.pid) if ours else None

    def fileno(self) -> int:
        """Return the file descriptor to wait for."""
        return self._sentinel if self._descriptor is None else self._descriptor

    def close(self) -> None:
        """Stop watching."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class Parent:
    """The process that started this one, and the pipe to it."""

    def __init__(self, pipe: Connection, pid: int | None) -> None:
        self._pipe = pipe
        descriptor = _watch(pid)
        self._gone: list[int] = [] if descriptor is None else [descriptor]

    def wait(self, timeout_s: float | None = None, *, unless: Sequence[int] = ()) -> bool:
        """Wait until the pipe has something to read, which may be its end, or a descriptor of ``unless`` has.

        :return: False if the parent is gone, and has left nothing to read.
        :raises OSError: if the pipe is closed.
        """
        ready = wait([self._pipe, *self._gone, *unless], timeout_s)
        return self._pipe in ready or not any(gone in ready for gone in self._gone)

    def has_spoken(self) -> bool:
        """Return whether there is something to read from the pipe."""
        return self._pipe.poll()


def _watch(pid: int | None) -> int | None:
    """Return a descriptor that becomes readable when a process ends, where the platform has such a thing."""
    if pid is None or not hasattr(os, "pidfd_open"):
        return None
    with contextlib.suppress(OSError):
        return os.pidfd_open(pid)
    return None
