"""The publisher's end of a channel: what every transport's end has in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from math import inf
from uuid import UUID

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.messages.forms import Form

Body = Sequence[bytes | memoryview]
"""A message's bytes in parts, none of which changes any more."""


class Sender:
    """Keeps count of the messages that the other end still holds.

    ``exchange_id`` names the event loop at the other end. ``messages_before`` and ``bytes_before`` are what the
    publisher had counted when it began to feed this channel, ``waited_ns`` how long it waited for buffers that this
    channel was the last to release.

    A subclass adds ``send``, each with what its transport needs; all are called on the publisher's event loop.
    """

    kind = "UNKNOWN"

    def __init__(self, window: Window) -> None:
        self._window = window
        self._held: dict[int, int] = {}  # the number of each token's message, in the order in which they were sent
        self.exchange_id: UUID | None = None
        self.messages_before = 0
        self.bytes_before = 0
        self.waited_ns = 0
        self.closing = False  # the other end wants no more, and still holds something

    @property
    def held(self) -> int:
        """How many messages the other end still holds."""
        return len(self._held)

    @property
    def held_messages(self) -> list[tuple[int, int]]:
        """The messages that the other end still holds, the oldest first: the number and the token of each."""
        return [(number, token) for token, number in self._held.items()]

    @property
    def oldest(self) -> int | None:
        """The number of the message that the other end has held longest."""
        return next(iter(self._held.values()), None)

    def hold(self, number: int, token: int) -> None:
        """Note that a message was sent, which has a token."""
        self._held[token] = number

    def released(self, token: int) -> None:
        """The other end let go of a message; a token that it does not hold is ignored."""
        if token in self._held:
            del self._held[token]
            self._window.release(token, self)

    def released_all(self, tokens: Iterable[int]) -> None:
        """The other end let go of several messages."""
        for token in tokens:
            self.released(token)

    def abandon(self) -> None:
        """The other end is gone, and holds nothing any more."""
        while self._held:
            self._window.release(self._held.popitem()[0], self)

    def tell(self, form: Form) -> None:
        """Let the other end know a form before the next message; who is handed the object itself needs none."""

    def unresponsive(self, silence_s: float) -> str:
        """Return why the other end surely has not answered for so long; nothing if it may, however slow it is."""
        return ""

    def cut(self, reason: str) -> None:
        """Let the other end know, when it comes back, that it was cut off; it is fed no more."""

    async def end(self, next_message: int) -> int:
        """Send what waits and say that no more will come; return how many messages were not delivered."""
        return 0


class WholeSender(Sender, ABC):
    """Sends each message whole, to another event loop that may be anywhere."""

    limit_bytes: float = inf
    """The largest message that comes to the other end; a larger one is refused before anybody gets it."""

    @abstractmethod
    def send(self, number: int, token: int, body: Body) -> None:
        """Send a message, and :meth:`hold` it until the other end has released it; whatever fails fails later."""

    @abstractmethod
    def tell(self, form: Form) -> None:
        """Make sure that the other end knows a form before the next message."""
