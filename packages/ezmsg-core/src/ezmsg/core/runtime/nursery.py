"""Where workers come from that are started again while a run goes on.

By then the program has threads, and a fork of it might hold a lock for ever that one of them had. So where
processes are forked, one is forked before there is any thread: the nurse. She does nothing but fork workers when
she is asked to, each as the first one was, of units that have not run. Where processes are spawned, the supervisor
starts them itself.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import recv_handle, send_handle
from typing import Protocol

from ezmsg.core.runtime.deaths import Death
from ezmsg.protocol.declared import declared

START_LIMIT_S = 5.0
"""How long the nurse has to fork, in seconds."""


class WorkerProcess(Protocol):
    """What a supervisor needs of a worker's process, its own child or the nurse's."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    @property
    def exitcode(self) -> int | None: ...

    def kill(self) -> None: ...

    def join(self, timeout: float | None = None) -> None: ...


class Nursery(Protocol):
    """A way to start a worker once more."""

    def start(self, worker: int) -> tuple[Connection, WorkerProcess]:
        """Start a worker, and return the pipe to it and its process.

        :raises OSError: if that is not possible.
        """

    def fileno(self) -> int | None:
        """Return a descriptor that is readable when :meth:`deaths` has something to tell; else ``None``."""

    def deaths(self) -> Iterator[WorkerProcess]:
        """Yield the processes that are known to have ended since the last time."""

    def close(self) -> None:
        """Start no more."""


class Spawning:
    """The nursery of a program that does not fork."""

    def __init__(self, start: Callable[[int], tuple[Connection, BaseProcess]]) -> None:
        self._start = start

    def start(self, worker: int) -> tuple[Connection, WorkerProcess]:
        """Start a worker."""
        return self._start(worker)

    def fileno(self) -> None:
        """Children of our own are watched by themselves."""

    def deaths(self) -> Iterator[WorkerProcess]:
        """Yield nothing."""
        return iter(())

    def close(self) -> None:
        """There is nothing to close."""


class NursedProcess:
    """A process that is the nurse's child, and a grandchild of the program's."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.exitcode: int | None = None

    def kill(self) -> None:
        """End it with force; the nurse takes its number back, so until we know of its end it is nobody else's."""
        if self.exitcode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def join(self, timeout: float | None = None) -> None:
        """Its end is told by the nurse, before anybody asks."""


@declared
class _Started:
    name: str
    pid: int


@declared
class _Left:
    pid: int
    exit_code: int


class Nurse:
    """The supervisor's end of the nurse.

    :param pipe: the way to her.
    :param process: her process.
    """

    def __init__(self, pipe: Connection, process: BaseProcess) -> None:
        self._pipe = pipe
        self._process = process
        self._children: dict[int, NursedProcess] = {}
        self._left: list[_Left] = []

    def start(self, worker: int) -> tuple[Connection, WorkerProcess]:
        """Have a worker forked."""
        ours, theirs = Pipe()
        try:
            with theirs:
                self._pipe.send(worker)
                send_handle(self._pipe, theirs.fileno(), None)
            started = self._answer()
        except BaseException:  # whatever interrupts it: the descriptor goes back
            ours.close()
            raise
        process = self._children[started.pid] = NursedProcess(started.name, started.pid)
        return ours, process

    def fileno(self) -> int:
        """Return the descriptor by which she tells of deaths."""
        return self._pipe.fileno()

    def deaths(self) -> Iterator[WorkerProcess]:
        """Yield those of whose end she has told.

        :raises EOFError: if she herself is gone.
        """
        while self._left or self._pipe.poll():
            told = self._left.pop(0) if self._left else self._pipe.recv()
            process = self._children.pop(told.pid, None)
            if process is not None:
                process.exitcode = told.exit_code
                yield process

    def close(self) -> None:
        """Let her go; she waits for those of her children that are still there, but not for ever."""
        self._pipe.close()
        self._process.join(START_LIMIT_S)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join(START_LIMIT_S)

    def _answer(self) -> _Started:
        while self._pipe.poll(START_LIMIT_S):
            told = self._pipe.recv()
            if isinstance(told, _Started):
                return told
            self._left.append(told)
        raise TimeoutError(f"the process that starts workers did not answer within {START_LIMIT_S:g} s")


def nurse(
    pipe: Connection, inherited: list[Connection], start: Callable[[int, Connection, Connection], BaseProcess]
) -> None:
    """The whole life of the nurse's process: fork when asked, tell of deaths, leave when nobody is there to ask.

    :param inherited: the ends of others, which a fork has got, too.
    :param start: starts a worker at the other end of a pipe; its last argument is what the child has to close.
    """
    for other in inherited:
        other.close()
    children: dict[int, tuple[Death, BaseProcess]] = {}  # by what is to be waited for
    while True:
        ready = wait([pipe, *children])
        for descriptor in [each for each in children if each in ready]:
            death, process = children.pop(descriptor)
            process.join()
            death.close()
            assert process.pid is not None
            with contextlib.suppress(OSError):  # the end of the pipe is looked at next
                pipe.send(_Left(process.pid, process.exitcode or 0))
        if pipe in ready:
            try:
                worker = pipe.recv()
                theirs = Connection(recv_handle(pipe))
            except (EOFError, OSError):
                return
            with theirs:
                process = start(worker, theirs, pipe)
            assert process.pid is not None
            death = Death(process)
            children[death.fileno()] = (death, process)
            pipe.send(_Started(process.name, process.pid))
