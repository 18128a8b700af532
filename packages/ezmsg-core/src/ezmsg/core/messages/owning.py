"""Whose the memory is that a message is put together from."""

import threading


class Owning(threading.local):
    """Whether this thread puts an object together whose reader may write to every array."""

    now = False


owning = Owning()
