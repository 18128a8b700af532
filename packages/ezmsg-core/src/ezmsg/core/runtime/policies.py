"""What a run does when one of its worker processes dies while everything runs."""

import re
from enum import Enum

from ezmsg.core.errors import InvalidOption
from ezmsg.protocol.declared import declared

FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 10.0
"""After how long a worker is started again, in seconds: the first time, doubling each time, and at most."""

WELL_AFTER_S = 60.0
"""A worker that ran for so long, in seconds, has all its restarts again when it dies."""

_RESTART = re.compile(r"restart\(\s*([1-9][0-9]{0,5})\s*\)")


class Kind(Enum):
    """What is done."""

    FAIL_FAST = "fail_fast"
    IGNORE = "ignore"
    RESTART = "restart"


@declared
class DeadWorkerPolicy:
    """End the run; or let the others go on; or start the process again, at most ``restarts`` times in a row."""

    kind: Kind = Kind.FAIL_FAST
    restarts: int = 0

    def __str__(self) -> str:
        return f"restart({self.restarts})" if self.kind is Kind.RESTART else self.kind.value

    def delay_s(self, restarted: int) -> float | None:
        """Return after how long a worker is started again that was so often before; ``None``: no more."""
        if self.kind is not Kind.RESTART or restarted >= self.restarts:
            return None
        return min(FIRST_DELAY_S * 2.0 ** min(restarted, 30), LONGEST_DELAY_S)


FAIL_FAST = DeadWorkerPolicy()


def policy_named(text: str) -> DeadWorkerPolicy:
    """Return the policy that is written so: ``fail_fast``, ``ignore``, or ``restart(3)``.

    :raises InvalidOption: if none is.
    """
    if isinstance(text, str):
        if found := _RESTART.fullmatch(text.strip()):
            return DeadWorkerPolicy(Kind.RESTART, int(found[1]))
        if text in (Kind.FAIL_FAST.value, Kind.IGNORE.value):
            return DeadWorkerPolicy(Kind(text))
    reason = "it is one of 'fail_fast', 'ignore', and 'restart(N)' with N from 1 on"
    raise InvalidOption(option="dead_worker", value=repr(text), reason=reason)
