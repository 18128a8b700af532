"""How a main thread waits for other threads and stays open to signals all the while.

The interpreter runs signal handlers on the main thread, between two steps of Python. A signal that comes in the
moment between the last such look and the system call that puts the thread to sleep does not end that sleep: without
a bound, the handler would never run. So a main thread sleeps in slices.
"""

import os
import threading
from time import monotonic

LONGEST_SLEEP_S = 0.1 if os.name == "nt" else 0.5
"""Seconds after which a thread that sleeps looks whether there was a signal; on Windows, none ever wakes it."""


def wait_for(event: threading.Event) -> None:
    """Wait until an event is set."""
    while not event.wait(LONGEST_SLEEP_S):
        pass


def join(thread: threading.Thread, limit_s: float = float("inf")) -> None:
    """Wait until a thread has ended, for at most ``limit_s`` seconds."""
    until = monotonic() + limit_s
    while thread.is_alive() and (left_s := until - monotonic()) > 0:
        thread.join(min(left_s, LONGEST_SLEEP_S))
