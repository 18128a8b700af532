"""How far a process is in its life, as whoever runs its units knows it."""

from collections.abc import Callable

from ezmsg.protocol.declared import declared


@declared
class Progress:
    """``starting``, ``ready``, ``running`` or ``ending``, and the units whose ``initialize()`` goes on.

    :param waits_for: those units, with the seconds since it began.
    :param when_dead: what its program does when the process dies, such as ``restart(3)``, if it does anything.
    :param restarts: how often in a row it was started again for that reason.
    """

    phase: str
    waits_for: dict[str, float]
    when_dead: str | None = None
    restarts: int = 0


TellProgress = Callable[[], Progress]
"""Returns it at any moment, from any thread, also while the units' loop is blocked."""
