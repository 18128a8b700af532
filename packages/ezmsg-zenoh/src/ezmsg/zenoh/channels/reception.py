"""The order of what arrives: whatever is lost, comes twice or overtakes, each message is delivered once."""

from collections.abc import Iterable, Sequence
from typing import Generic, TypeVar

from ezmsg.zenoh.channels.messages import Held

M = TypeVar("M")


class Reception(Generic[M]):
    """The messages of one publisher, from ``next_message`` on; of those that come too early, ``limit`` may wait."""

    def __init__(self, next_message: int, limit: int) -> None:
        self.next_message = next_message
        self.leaving = False
        self._sent = next_message  # all before it were sent, as far as is known here
        self._limit = limit
        self._early: dict[int, M] = {}
        self._held: dict[int, None] = {}
        self._asked: set[int] = set()  # what was asked for, and may be on its way

    def take(self, number: int, message: M) -> Sequence[M]:
        """Take a message that arrived; return those that are to be delivered now."""
        if number == self.next_message == self._sent:  # as nearly always; so none waits, and none was asked for
            self.next_message = self._sent = number + 1
            self._held[number] = None
            return (message,)
        self._sent = max(self._sent, number + 1)
        if number < self.next_message or number in self._early or number >= self.next_message + self._limit:
            return []
        self._early[number] = message
        due = []
        while self.next_message in self._early:
            self._asked.discard(self.next_message)
            self._held[self.next_message] = None
            due.append(self._early.pop(self.next_message))
            self.next_message += 1
        return due

    @property
    def misses_some(self) -> bool:
        """Whether something did not come, as far as is known, that was not asked for yet."""
        return self.next_message != self._sent and bool(self.missing())

    def release(self, number: int) -> None:
        """Nobody here holds a message any more."""
        self._held.pop(number, None)

    def hear(self, sent: int) -> None:
        """Learn how much was sent, from words that come behind the messages: what is missing now is lost."""
        self._sent = max(self._sent, sent)
        self._asked.clear()

    def missing(self) -> list[int]:
        """Return what did not come, as far as is known, and was not asked for yet."""
        last = min(self._sent, self.next_message + self._limit)
        unseen = (number for number in range(self.next_message, last) if number not in self._early)
        return [number for number in unseen if number not in self._asked]

    def state(self) -> Held:
        """Return what the publisher is to know; what is missing counts as asked for."""
        missing = self.missing()
        self._asked.update(missing)
        return Held(self.next_message, list(self._held), missing, self.leaving)


def released(held: Held, under_way: Iterable[tuple[int, int]]) -> list[int]:
    """Return the tokens that the other end has let go of; ``under_way`` are numbers and tokens of messages."""
    kept = set(held.held)
    return [token for number, token in under_way if number < held.next_message and number not in kept]
