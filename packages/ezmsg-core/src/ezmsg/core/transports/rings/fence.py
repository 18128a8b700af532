"""In which order another processor sees what this one does to shared memory.

A store that was made first may be seen last. x86 keeps stores in order, and loads, but lets a load overtake a store
before it; ARM keeps nothing in order. Python has no word for a fence, but its locks are made of one: to take a lock
is an atomic exchange (``sem_trywait`` up to Python 3.12, a compare-exchange later), which on x86 is a fence in both
directions. On ARM taking a lock only holds back what follows, and releasing it what came before, so that both may
slip into the time between; of two rounds, the first's release and the second's taking enclose nothing: the
architecture keeps a load-acquire behind a store-release. The compiler cannot move anything, since each access is
a call of its own to the interpreter's machine code.

Words of eight bytes, aligned, are copied by one instruction where a native ``Q`` is read or written through a
memoryview, so that nobody sees half of one.
"""

import os
import sys
from collections.abc import Callable
from threading import Lock

_MACHINE = os.uname().machine if hasattr(os, "uname") else ""

WHOLE_WORDS = sys.maxsize > 2**32
"""Whether eight bytes are written at once."""

IN_ORDER = _MACHINE in ("x86_64", "AMD64")
"""Whether only a load can overtake what comes before it, and only a store."""


def make_fence() -> Callable[[], None]:
    """Return a fence: everything before it is seen by everybody before anything after it happens."""
    lock = Lock()  # of its own, so that nobody else holds it

    def one_round() -> None:
        with lock:
            pass

    def two_rounds() -> None:
        with lock:
            pass
        with lock:
            pass

    return one_round if IN_ORDER else two_rounds


def in_order_already() -> None:
    """What a fence is, on a machine that keeps them in order, for all but a load after a store."""
