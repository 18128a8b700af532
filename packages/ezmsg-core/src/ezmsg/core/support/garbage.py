"""Garbage is not looked for while much is made that stays: each look would walk all that was made before."""

import contextlib
import gc
import os
import threading
from collections.abc import Iterator

_lock = threading.RLock()  # a fork waits for it, too
_under_way = 0  # how many do not want it at the moment
_was_looked_for = True  # before the first of them


@contextlib.contextmanager
def no_look_for_garbage() -> Iterator[None]:
    """Let the interpreter not look for garbage in the meantime; several threads may want that at a time."""
    global _under_way, _was_looked_for
    with _lock:
        if not _under_way:
            _was_looked_for = gc.isenabled()
            gc.disable()
        _under_way += 1
    try:
        yield
    finally:
        with _lock:
            _under_way = max(0, _under_way - 1)  # in a forked process it had ended already
            if not _under_way and _was_looked_for:
                gc.enable()


def _end() -> None:
    """Begin anew in a forked process, where the threads are not that did not want it."""
    global _lock, _under_way
    _lock = threading.RLock()
    if _under_way and _was_looked_for:
        gc.enable()
    _under_way = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release(), after_in_child=_end
    )
