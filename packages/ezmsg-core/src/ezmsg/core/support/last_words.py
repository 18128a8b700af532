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
        self._lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._left = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def say(self, level: int, text: str, *args: object, error: BaseException | None = None) -> None:
        """Have a line written; never waits."""
        if not logger.isEnabledFor(level):
            return
        file, line, function, _ = logger.findCaller(stacklevel=2)
        info: _ExcInfo | None = None if error is None else (type(error), error, error.__traceback__)
        record = logger.makeRecord(logger.name, level, file, line, text, args, info, function)
        with self._changed:
            self._left += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._write, name="LastWords", daemon=True)
                self._thread.start()
        self._lines.put(record)

    def finish(self, limit_s: float = LIMIT_S) -> bool:
        """Wait until all is written, for at most ``limit_s`` seconds; return whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: self._left == 0, limit_s)

    def _write(self) -> None:
        while True:
            record = self._lines.get()
            try:
                logger.handle(record)
            finally:
                with self._changed:
                    self._left -= 1
                    self._changed.notify_all()
