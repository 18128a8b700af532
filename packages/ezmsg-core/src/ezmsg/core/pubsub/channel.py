"""The subscribers' end of a channel: one publisher's messages, for all subscribers of one event loop."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, Protocol
from uuid import UUID


class Lease(ABC):
    """One message, held for the subscribers that were given it until the last of them lets go.

    ``number`` counts the publisher's messages from 0.
    """

    __slots__ = ("_missing", "_value", "holders", "number")

    def __init__(self, number: int) -> None:
        self.number = number
        self.holders = 0  # how many subscribers hold the message
        self._missing = True
        self._value: Any = None

    def view(self) -> Any:
        """Return the message without copying; it is shared, and good until :meth:`release`."""
        if self._missing:
            self._value = self._decode()
            self._missing = False
        return self._value

    @abstractmethod
    def private(self) -> Any:
        """Return a copy of the message that belongs to the caller."""

    def release(self) -> None:
        """One subscriber lets go; the last one frees what the message occupies."""
        self.holders -= 1
        if self.holders == 0:
            self._value = None
            self._free()

    @abstractmethod
    def _decode(self) -> Any: ...

    @abstractmethod
    def _free(self) -> None: ...


class Receiver(Protocol):
    """What a channel needs of a subscriber."""

    def put(self, lease: Lease) -> None:
        """Take a message in; :meth:`Lease.release` must follow sooner or later."""


class Channel:
    """One publisher, as one event loop hears it; each transport has its own kind."""

    kind = "UNKNOWN"

    def __init__(self, publisher_id: UUID, topic: str, receivers: list[Receiver]) -> None:
        self.publisher_id = publisher_id
        self.topic = topic
        self.receivers = receivers
        self.next_message = 0
        self.over = asyncio.Event()  # nothing more will come

    def deliver(self, lease: Lease) -> None:
        """Hand a message to every subscriber that hears this publisher."""
        self.next_message = lease.number + 1
        receivers = self.receivers
        if not receivers:
            lease.holders = 1
            lease.release()
            return
        lease.holders = len(receivers)
        for receiver in receivers:
            receiver.put(lease)

    def leave(self) -> None:
        """Ask for no more. What is under way still comes, until the channel is ``over``."""
