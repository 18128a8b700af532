"""Inside one process: the object itself is handed on, also between the event loops of two threads."""

import contextlib
import copy
from collections.abc import Callable
from typing import Any
from uuid import UUID

from ezmsg.core.pubsub.backpressure import Window
from ezmsg.core.pubsub.channel import Channel, Lease, Receiver
from ezmsg.core.transports.mailbox import Mailbox
from ezmsg.core.transports.sender import Sender


class LocalLease(Lease):
    """An object that publisher and subscribers share."""

    __slots__ = ("_object", "_release", "_token")

    def __init__(self, number: int, token: int, obj: object, sender: "LocalSender") -> None:
        super().__init__(number)
        self._token = token
        self._object: object = obj
        self._release = sender.release_from_subscriber

    def private(self) -> Any:
        return copy.deepcopy(self._object)

    def _decode(self) -> Any:
        return self._object

    def _free(self) -> None:
        self._object = None
        self._release(self._token)


class LocalChannel(Channel):
    """A publisher of the same process."""

    kind = "LOCAL"

    def __init__(self, publisher_id: UUID, topic: str, receivers: list[Receiver]) -> None:
        super().__init__(publisher_id, topic, receivers)
        self.detach: Callable[[], object] | None = None

    def leave(self) -> None:
        if self.detach is not None:
            self.detach()
            self.detach = None
        self.over.set()


class LocalSender(Sender):
    """Delivers at once on the same event loop, and through mailboxes to another thread's."""

    kind = "LOCAL"

    def __init__(self, window: Window, channel: LocalChannel, ours: Mailbox, theirs: Mailbox) -> None:
        super().__init__(window)
        self._channel = channel
        self._ours = ours
        self._theirs = theirs
        self._same_loop = ours is theirs

    def send(self, number: int, token: int, obj: object) -> None:
        """Hand an object over."""
        self.hold(token)
        lease = LocalLease(number, token, obj, self)
        if self._same_loop:
            self._channel.deliver(lease)
            return
        try:
            self._theirs.post(self._channel.deliver, lease)
        except RuntimeError:  # their event loop was closed without a word; nobody there holds anything now
            self.abandon()

    def release_from_subscriber(self, token: int) -> None:
        """Take a token back, from whichever thread the subscriber runs in."""
        if self._same_loop:
            self.released(token)
        else:
            with contextlib.suppress(RuntimeError):  # the publisher's event loop is closed, and needs no token
                self._ours.post(self.released, token)
