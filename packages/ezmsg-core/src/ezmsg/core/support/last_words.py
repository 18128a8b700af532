"""Words of those who may not wait: whoever ends a run or a process says its lines here, and goes on.

A log may lead into a pipe that nobody reads, and a handler of the program's own may block for ever. So a thread of
their own writes the lines, and at the end there is a limit to how long that is waited for.
"""

import logging
import queue
import threading
from types import TracebackType

logger = logging.getLogger("ezmsg")

LIMIT_S = 1.0
"""How long the last lines may take, in seconds."""

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


class LastWords:
    """Lines for the log, written in their order by a thread that begins with the first of them."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[logging.LogRecord | None] = queue.SimpleQueue()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None

    def say(self, level: int, text: str, *args: object, error: BaseException | None = None) -> None:
        """Have a line written; never waits."""
        if not logger.isEnabledFor(level):
            return
        file, line, function, _ = logger.findCaller(stacklevel=2)
        info: _ExcInfo | None = None if error is None else (type(error), error, error.__traceback__)
        with self._beginning:
            if self._thread is None:
                self._thread = threading.Thread(target=_write, args=(self._lines,), name="LastWords", daemon=True)
                self._thread.start()
            self._lines.put(logger.makeRecord(logger.name, level, file, line, text, args, info, function))

    def finish(self, limit_s: float = LIMIT_S) -> bool:
        """Wait until all is written, for at most ``limit_s`` seconds; return whether it is, and its thread gone."""
        with self._beginning:
            thread = self._thread
            if thread is None:
                return True
            self._lines.put(None)
        thread.join(limit_s)
        if thread.is_alive():
            return False
        with self._beginning:
            if self._thread is thread:
                self._thread, self._lines = None, queue.SimpleQueue()
        return True


def _write(lines: "queue.SimpleQueue[logging.LogRecord | None]") -> None:
    while (record := lines.get()) is not None:
        logger.handle(record)
