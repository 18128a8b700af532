"""A file that a verb writes in one go: writable before the work begins, and untouched until it is done."""

import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self


class OutputFile:
    """Unless :meth:`write` was called until it is left, all is as it was before.

    :raises OSError: if it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_leftover = not path.exists()
        self._file = path.open("ab", buffering=0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        if self._is_leftover:
            self._path.unlink(missing_ok=True)

    def write(self, data: bytes) -> None:
        """Write all that it is to hold, in place of what it holds.

        :raises OSError: if that fails on the way.
        """
        if stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):  # not a pipe or a device
            self._file.truncate(0)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._is_leftover = False
