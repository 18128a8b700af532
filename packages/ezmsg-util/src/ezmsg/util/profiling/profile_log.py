"""The file of the profiler: what a line is, where lines go, and whether they are written.

They are if ``EZMSG_LOGLEVEL`` is ``DEBUG``, or the program sets the logger ``ezprofiler`` to that level.
"""

import csv
import io
import logging
import os
import sys
import time
from pathlib import Path
from typing import BinaryIO, Final

import ezmsg.core as ez

if sys.platform != "win32":
    import fcntl

HEADER: Final = "Time,Source,Topic,SampleTime,PerfCounter,Elapsed"

logger = logging.getLogger("ezprofiler")


def get_logger_path() -> Path:
    """Return the file that ``EZMSG_PROFILER`` names now; there is none before the first line is written."""
    return Path.home() / ".ezmsg" / "profiler" / os.environ.get("EZMSG_PROFILER", "ezprofiler.log")


def line(source: str, topic: str | None, sample_time: object, start_ns: int, end_ns: int) -> str:
    """Return the columns of :data:`HEADER`; times in seconds, but what elapsed in milliseconds."""
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    columns = io.StringIO()
    csv.writer(columns, lineterminator="").writerow(
        [now, source, str(topic), str(sample_time), end_ns / 1e9, f"{(end_ns - start_ns) / 1e6:.4f}"]
    )
    return columns.getvalue()


class LogFile(logging.Handler):
    """Appends to the file of the moment, unbuffered and whole lines, as several processes write to it."""

    _chosen: str | None = None
    _file: BinaryIO | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line. A file that cannot be written is told once, and the program goes on without it."""
        try:
            file = self._file
            if file is None or self._chosen != os.environ.get("EZMSG_PROFILER"):
                file = self._open()
            file.write(f"{record.getMessage()}\n".encode(errors="backslashreplace"))
        except (OSError, RuntimeError) as error:  # RuntimeError is what a user without a home gets
            logger.setLevel(logging.WARNING)
            ez.logger.warning("The profiler is off: %s. Let EZMSG_PROFILER name a file that can be written.", error)

    def close(self) -> None:
        """Close the file; the next line opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
        super().close()

    def _open(self) -> BinaryIO:
        if self._file is not None:
            self._file.close()
        self._chosen, path = os.environ.get("EZMSG_PROFILER"), get_logger_path()
        path.parent.mkdir(parents=True, exist_ok=True)
        file = self._file = path.open("ab", buffering=0)
        if sys.platform != "win32":  # of the processes that begin together only one writes the header
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_size == 0:
            file.write(f"{HEADER}\n".encode())
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_UN)
        return file


def _set_up() -> None:
    """Follow ``EZMSG_LOGLEVEL``, unless the program has chosen a level before."""
    if logger.level == logging.NOTSET:
        on = os.environ.get("EZMSG_LOGLEVEL", "").upper() == "DEBUG"
        logger.setLevel(logging.DEBUG if on else logging.INFO)
    logger.addHandler(LogFile())


_set_up()
