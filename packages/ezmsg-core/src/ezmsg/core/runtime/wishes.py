"""The signals that ask a worker's process for its end, kept until they can be told to the supervisor."""

import contextlib
import os
from types import FrameType


class Wishes:
    """The signals that ask a worker's process for its end, as something to wait for; made before they can come."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def fileno(self) -> int:
        """Return the file descriptor that is readable when there was one."""
        return self._read

    def take(self) -> int:
        """Return the number of the next signal."""
        return os.read(self._read, 1)[0]

    def put(self, number: int, _frame: FrameType | None) -> None:
        """Take note of a signal; this is its handler."""
        with contextlib.suppress(BlockingIOError):  # thousands were not looked at yet
            os.write(self._write, bytes([number]))
