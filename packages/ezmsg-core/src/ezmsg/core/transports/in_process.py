"""Inside one process: the object itself is handed on, also between the event loops of two threads.

With ``strict_views`` each subscriber gets a read-only counterpart of its own instead.
"""

import contextlib
import logging
from collections.abc import Callable
from typing import Any
from uuid import UUID

from ezmsg.core.channels.backpressure import MAX_NUM_BUFFERS, Window
from ezmsg.core.channels.channel import Channel, EncodedLease, Lease, Receiver, decode_guarded
from ezmsg.core.channels.loans import lenders_of, open_loans
from ezmsg.core.messages.active import CODEC
from ezmsg.core.messages.payload import Array, unset_memory
from ezmsg.core.messages.read_only import IMMUTABLE
from ezmsg.core.support.copying import copied
from ezmsg.core.transports.mailbox import Mailbox
from ezmsg.core.transports.sender import Sender

logger = logging.getLogger("ezmsg")


class LocalLease(Lease):
    """An object that publisher and subscribers share."""

    __slots__ = ("_object", "_sender", "_token", "lent")

    def __init__(self, number: int, token: int, obj: object, size: int, sender: "LocalSender") -> None:
        super().__init__(number, sender.channel, size)
        self._token = token
        self._object: object = obj
        self._sender = sender
        self.lent = False

    @property
    def memory(self) -> tuple[object, ...]:
        return tuple({id(owner): owner for root in self.roots for owner in root.memory}.values())

    @property
    def roots(self) -> tuple[EncodedLease, ...]:
        return self._sender.roots_of(self._token)

    def private(self) -> Any:
        return copied(self._object)

    @property
    def channel(self) -> Channel:
        return self._sender.channel

    @property
    def room(self) -> int:
        lenders = self._sender.lenders_of(self._token) if self.lent else ()
        return min(self.channel.room, *(lease.room for lease in lenders)) if lenders else self.channel.room

    def detached(self) -> Lease:
        return CopyLease(self)

    def _decode(self) -> Any:
        return self._object

    def _free(self) -> None:
        self._object = None
        self._sender.release_from_subscriber(self._token)


class StrictLease(LocalLease):
    """An object that its publisher keeps to itself: nobody shares with anybody what could be changed."""

    __slots__ = ()

    def view(self) -> Any:
        try:
            return CODEC.read_only(self._object)
        except Exception as error:  # noqa: BLE001  protects subscribers from what a user's class raises when pickled
            self._sender.tell_unprotected(self._object, error)
            return self._object

    def guarded(self) -> "tuple[Any, Array | None]":
        if type(self._object) in IMMUTABLE:
            return self._object, None
        try:
            payload = CODEC.encode(self._object)
        except Exception:  # noqa: BLE001  as in view(), which says so
            return self.view(), None
        body = unset_memory(payload.size)
        payload.write(body, 0)
        return decode_guarded(body.toreadonly(), CODEC)


class CopyLease(Lease):
    """A private copy of an object, which waits to be received. If it cannot be made, its receiver is told why."""

    __slots__ = ("_error",)

    def __init__(self, original: LocalLease) -> None:
        super().__init__(original.number, original.source, original.size)
        self.holders = 1
        self._error: Exception | None = None
        try:
            self._value = original.private()
        except Exception as error:  # noqa: BLE001  protects the publisher from what a user's class raises when copied
            self._error = error.with_traceback(None)  # else it would keep everything on the way to here

    def private(self) -> Any:
        return self._decode()

    def detached(self) -> Lease:
        return self

    def _decode(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def _free(self) -> None:
        """Nothing of the publisher's is occupied."""


class LocalChannel(Channel):
    """A publisher of the same process; its ``num_buffers`` are known once it feeds the channel."""

    kind = "LOCAL"

    def __init__(self, publisher_id: UUID, topic: str, receivers: list[Receiver]) -> None:
        super().__init__(publisher_id, topic, receivers, MAX_NUM_BUFFERS)
        self.detach: Callable[[], object] | None = None

    def leave(self) -> None:
        if self.detach is not None:
            self.detach()
            self.detach = None
        self.over.set()


class LocalSender(Sender):
    """Delivers at once on the same event loop, and through mailboxes to another thread's."""

    kind = "LOCAL"

    def __init__(
        self,
        window: Window,
        channel: LocalChannel,
        ours: Mailbox,
        theirs: Mailbox,
        *,
        strict_views: bool = False,
    ) -> None:
        super().__init__(window)
        self.channel = channel
        self._ours = ours
        self._theirs = theirs
        self._same_loop = ours is theirs
        self._lease = StrictLease if strict_views else LocalLease
        self._loans = open_loans()
        self._lenders: dict[int, tuple[Lease, ...]] = {}
        self._roots: dict[int, tuple[EncodedLease, ...]] = {}
        self._unprotected: set[type] = set()

    def send(self, number: int, token: int, obj: object, size: int) -> None:
        """Hand an object over, of which so many bytes are counted."""
        self.hold(number, token)
        lease = self._lease(number, token, obj, size, self)
        if self._loans:
            lease.lent = self._borrow(token, obj)
        if self._same_loop:
            self.channel.deliver(lease)
            return
        try:
            self._theirs.post(self.channel.deliver, lease)
        except RuntimeError:  # their event loop was closed without a word; nobody there holds anything now
            self.abandon()

    def abandon_if_closed(self) -> None:
        """Give up what an event loop holds that was closed without a word: nobody there will let go of it."""
        if self._held and self._theirs.closed:
            self.abandon()

    def release_from_subscriber(self, token: int) -> None:
        """Take a token back, from whichever thread the subscriber runs in."""
        if self._same_loop:
            if self._lenders:
                self._return(token)
            self.released(token)
        else:
            with contextlib.suppress(RuntimeError):  # the publisher's event loop is closed, and needs no token
                self._ours.post(self._take_back, token)

    def abandon(self) -> None:
        super().abandon()
        for token in list(self._lenders):
            self._return(token)

    # --- objects in memory that was lent --------------------------------------------------------------------

    def roots_of(self, token: int) -> tuple[EncodedLease, ...]:
        """Return the leases on the slots that an object under way lies in, each once."""
        return self._roots.get(token, ())

    def lenders_of(self, token: int) -> tuple[Lease, ...]:
        """Return the leases on the lent memory that an object under way lies in."""
        return self._lenders.get(token, ())

    def _borrow(self, token: int, obj: object) -> bool:
        """Keep what the object lies in lent until the object is released; return whether it lies in anything."""
        lenders = lenders_of(obj, self._loans)
        if lenders:
            self._lenders[token] = lenders
            self._roots[token] = tuple({id(root): root for lease in lenders for root in lease.roots}.values())
        return bool(lenders)

    def _take_back(self, token: int) -> None:
        self._return(token)
        self.released(token)

    def _return(self, token: int) -> None:
        self._roots.pop(token, None)
        for lease in self._lenders.pop(token, ()):
            lease.release()

    # --- what cannot be protected -----------------------------------------------------------------------------

    def tell_unprotected(self, obj: object, error: Exception) -> None:
        """Say once for each class that its objects are handed on as they are."""
        if type(obj) in self._unprotected:
            return
        self._unprotected.add(type(obj))
        logger.warning(
            "Messages of type %s on %s are handed on as they are, in spite of strict_views: they cannot be "
            "pickled. Publish something that can, or see that no subscriber changes them.",
            type(obj).__qualname__,
            self.channel.topic,
            exc_info=error,
        )
