"""A clock that stands still while we do: a peer is not to blame for the time in which nobody listened to it."""


class AwakeClock:
    """Counts the seconds in which this process did its work, as told by somebody who looks often.

    A process that was stopped, a virtual machine that was moved, or a loop that was busy finds what its peers said
    meanwhile still unread; to judge them by the time that has passed would be to judge before reading.

    :param step_s: the longest time between two looks that counts.
    """

    def __init__(self, now_s: float, step_s: float) -> None:
        self._step_s = step_s
        self._last_s = now_s
        self.seconds = 0.0
        """How long we were awake."""

    def look(self, now_s: float) -> float:
        """Take in the time of a clock that never jumps; return the seconds awake so far."""
        self.seconds += min(max(now_s - self._last_s, 0.0), self._step_s)
        self._last_s = now_s
        return self.seconds
