"""The table of handlers, and what each of them is given."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

from attrs import frozen

from ezmsg.graphserver.deciding import effects
from ezmsg.graphserver.deciding.effects import Effect, Moment, PeerId
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.protocol.errors import InvalidMessage


@frozen
class Request:
    """Who asks, under which id, and when."""

    peer: PeerId
    id: int
    now: Moment

    def reply(self, body: Any) -> Effect:
        """Answer it."""
        return effects.Reply(self.peer, self.id, body)

    def deadline(self, tag: str, timeout_s: float) -> float:
        """Return the monotonic time at which it has waited that long.

        :raises InvalidMessage: if nobody can wait that long.
        """
        if not 0 <= timeout_s < math.inf:
            raise InvalidMessage(tag=tag, reason=f"a time-out of {timeout_s} s")
        return self.now.monotonic + timeout_s


Handler = Callable[[GraphState, Request, Any], list[Effect]]
F = TypeVar("F", bound=Handler)

HANDLERS: dict[type, Handler] = {}


def handles(message: type) -> Callable[[F], F]:
    """Make the decorated function the one handler of a request's class.

    A handler checks first and changes afterwards, so that an error it raises has left no trace.
    """

    def register(handler: F) -> F:
        assert message not in HANDLERS, f"{message.__name__} has two handlers"
        HANDLERS[message] = handler
        return handler

    return register
