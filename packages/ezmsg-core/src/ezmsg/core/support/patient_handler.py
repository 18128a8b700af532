"""A handler that writes log lines to standard error, and never waits long for somebody to read them.

A pipe that nobody empties, or a terminal that was stopped with Ctrl-S, takes no more bytes. An ordinary handler
would then wait for ever, with its lock held, and everybody who has a word to say behind it: no run could end.
"""

import logging
import os
import select
import sys
import time

LIMIT_S = 1.0
"""How long a line waits for room, in seconds; the next ones then do not wait at all, until there is room again."""

CHUNK_BYTES = 512
"""No more than this is written at once: a pipe that reports room has at least so much, on every POSIX system."""


class PatientHandler(logging.StreamHandler):  # type: ignore[type-arg]  # its stream is what sys.stderr is
    """Writes to standard error; what finds no reader is counted, and told when somebody reads again."""

    def __init__(self) -> None:
        super().__init__()
        self._unread = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line, or leave it out if nobody reads."""
        descriptor = self._descriptor()
        if descriptor is None:
            super().emit(record)
            return
        try:
            line = self.format(record) + self.terminator
            if self._unread:
                line = f"(before this, {self._unread} lines of the log found no reader)\n{line}"
            # A line that was begun is not broken off for less than the whole limit.
            if self._write(descriptor, line, 0.0 if self._unread else LIMIT_S):
                self._unread = 0
            else:
                self._unread += 1
        except Exception:  # noqa: BLE001  whatever formatting a user's arguments raises, as in logging itself
            self.handleError(record)

    def _write(self, descriptor: int, line: str, limit_s: float) -> bool:
        self.stream.flush()
        data = memoryview(line.encode(getattr(self.stream, "encoding", None) or "utf-8", "backslashreplace"))
        deadline_s = time.monotonic() + limit_s
        begun = False
        while data:
            wait_s = max(0.0, deadline_s - time.monotonic())
            if not _has_room(descriptor, wait_s if not begun else max(wait_s, LIMIT_S)):
                return False
            begun = True
            data = data[os.write(descriptor, data[:CHUNK_BYTES]) :]
        return True

    def _descriptor(self) -> int | None:
        """Return the descriptor of the stream if it can be asked whether it has room."""
        stream = sys.__stderr__
        if not hasattr(select, "poll") or stream is None or self.stream is not stream:
            return None
        try:
            return stream.fileno()
        except (AttributeError, OSError, ValueError):
            return None


def _has_room(descriptor: int, wait_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    # An error or a reader that has gone is for the write to find out.
    return bool(poll.poll(1000 * wait_s))
