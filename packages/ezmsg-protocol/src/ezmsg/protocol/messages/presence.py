"""The least that two ends say to each other: that they are there. A notice, which an older peer does not heed."""

from typing import ClassVar

from ezmsg.protocol.declared import declared


@declared
class Beat:
    """This end is there; to one that ``asks``, the server answers with one of its own.

    ``blocked_s`` is for how long the event loop of a process's units has not moved, as its control link sees it;
    ``lease_s`` for how long the server waits for another sign of life. Both are in seconds.
    """

    TAG: ClassVar[str] = "beat"
    blocked_s: float = 0.0
    lease_s: float | None = None
    asks: bool = False


MESSAGES = (Beat,)
