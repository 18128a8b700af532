"""The subscribers' end of a channel: one publisher's messages, for all subscribers of one event loop."""

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.forms import HeardForms
from ezmsg.core.messages.memory import span_of
from ezmsg.core.messages.payload import Array, unset_memory
from ezmsg.core.profiling import trace_sources


class Source(Protocol):
    """Where a message comes from, as profiles tell it."""

    kind: str
    number_in_traces: int


class Nowhere:
    """The source of what no publisher has sent."""

    kind = "LOCAL"
    number_in_traces = 0


NOWHERE = Nowhere()


class Lease(ABC):
    """One message, held for the subscribers that were given it until the last of them lets go.

    ``number`` counts the publisher's messages from 0, ``source`` is the channel that it came by, ``size`` how many
    bytes of it are counted. ``lent`` says whether views of the message lie in memory that is used again after the
    lease; ``handed_on`` is set when such a view was published again inside this process. What is ``revocable`` its
    publisher may take back, and use its memory again: only what is ``detached`` of it can be relied on.
    """

    __slots__ = ("_missing", "_value", "handed_on", "holders", "number", "size", "source")

    lent: bool = False
    revocable: bool = False
    handed_on: bool

    @property
    def memory(self) -> tuple[object, ...]:
        """The owners of the memory that is lent."""
        return ()

    @property
    def roots(self) -> "tuple[EncodedLease, ...]":
        """The leases on slots in which the message lies: its own, or those of what was handed on."""
        return ()

    @property
    def channel(self) -> "Channel | None":
        """Where the message occupies a slot, or ``None``."""
        return None

    @property
    def room(self) -> int:
        """How many messages of this kind may wait before a publisher has to."""
        return sys.maxsize if self.channel is None else self.channel.room

    def __init__(self, number: int, source: Source = NOWHERE, size: int = 0) -> None:
        self.number = number
        self.source = source
        self.size = size
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

    @abstractmethod
    def detached(self) -> "Lease | None":
        """Return a lease on a private copy that occupies no slot, so that this one may be released early.

        It is ``None`` if the publisher took the message back before it was copied.
        """

    def guarded(self) -> "tuple[Any, Array | None]":
        """Return a view of the caller's own, and an object that lives as long as anything that lies in the view.

        The latter is ``None`` where a view cannot be told from what others have of the message.
        """
        return self.view(), None

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


class EncodedLease(Lease):
    """A message that arrived as bytes, in memory that is not to be written."""

    __slots__ = ("_codec", "_forms", "_memory", "_token")

    lent = True

    def __init__(
        self, number: int, token: int, memory: memoryview, source: Source, codec: Codec, forms: HeardForms
    ) -> None:
        super().__init__(number, source, len(memory))
        self._token = token
        self._memory = memory
        self._codec = codec
        self._forms = forms

    @property
    def memory(self) -> tuple[object, ...]:
        return (self._memory.obj,)

    @property
    def roots(self) -> "tuple[EncodedLease, ...]":
        return (self,)

    @property
    def span(self) -> tuple[int, int]:
        """From where to where its slot lies, in addresses."""
        return span_of(self._memory)

    def private(self) -> Any:
        return self._codec.decode(self._memory, self._forms, copy=True)

    def detached(self) -> "DetachedLease | None":
        body = unset_memory(len(self._memory))
        body[:] = self._memory
        return DetachedLease(self.number, body.toreadonly(), self.source, self._codec, self._forms)

    def guarded(self) -> "tuple[Any, Array | None]":
        return decode_guarded(self._memory, self._codec, self._forms)

    def _decode(self) -> Any:
        return self._codec.decode(self._memory, self._forms)


class DetachedLease(EncodedLease):
    """A message whose bytes lie in memory of their own, for which no publisher waits."""

    __slots__ = ()

    lent = False

    def __init__(self, number: int, memory: memoryview, source: Source, codec: Codec, forms: HeardForms) -> None:
        super().__init__(number, -1, memory, source, codec, forms)
        self.holders = 1

    def detached(self) -> "DetachedLease":
        return self

    def _free(self) -> None:
        """Nothing of the publisher's is occupied."""


def decode_guarded(memory: memoryview, codec: Codec, forms: HeardForms | None = None) -> tuple[Any, Array]:
    """Return the message that read-only memory holds, and an object that all views of it keep alive."""
    import numpy as np  # a memoryview does not tell what its views are kept by

    guard = np.frombuffer(memory, np.uint8)
    return codec.decode(guard.data, forms or {}), guard


class Receiver(Protocol):
    """What a channel needs of a subscriber."""

    leaky: bool  # no publisher need wait for it

    def put(self, lease: Lease) -> None:
        """Take a message in; :meth:`Lease.release` must follow sooner or later."""

    def put_all(self, leases: "Sequence[Lease]") -> None:
        """Take several, in order."""

    def joined(self, channel: "Channel") -> None:
        """Learn of a channel that messages will come by."""

    def skipped(self, count: int) -> None:
        """Learn that older messages were dropped in favour of a newer one before they were sent."""

    def missed(self, topic: str, count: int) -> None:
        """Learn that messages of a publisher did not come and never will."""

    def left(self, publisher_id: UUID) -> None:
        """Learn that a publisher is heard no more, in good order."""

    def lost(self, publisher_id: UUID, last_seq: int) -> None:
        """Learn that a publisher's channel broke off after a message."""


MANY_BUFFERS = 8
"""With fewer, half of them is too much to keep from a publisher, as subscribers may hold some for long."""


def patience(num_buffers: int, *, leaky: bool = False) -> int:
    """Return how many releases may gather before the publisher is told, as it may soon be waiting for them.

    :param leaky: a subscriber is leaky: nobody waits for it, so that its releases must not wait long either.
    """
    return max(1, num_buffers // (4 if leaky or num_buffers < MANY_BUFFERS else 2))


class Channel:
    """One publisher, as one event loop hears it; each transport has its own kind."""

    kind = "UNKNOWN"

    def __init__(self, publisher_id: UUID, topic: str, receivers: list[Receiver], num_buffers: int) -> None:
        self.publisher_id = publisher_id
        self.topic = topic
        self.receivers = receivers
        self.num_buffers = num_buffers
        self.patience = patience(num_buffers, leaky=any(receiver.leaky for receiver in receivers))
        self.first_message = 0  # from which on everything comes by this channel
        self.next_message = 0
        self.number_in_traces = trace_sources.add(self)
        self.revocable = False  # the publisher may take back what comes
        self._told_leaky = False
        self._unheard = 0  # how often that was told and not heard yet
        self._firm = asyncio.Event()
        self.over = asyncio.Event()  # nothing more will come

    @property
    def room(self) -> int:
        """How many messages may wait before the publisher has to; those whose release is under way wait, too."""
        return self.num_buffers - patience(self.num_buffers, leaky=True)

    def deliver(self, lease: Lease) -> None:
        """Hand a message to every subscriber that hears this publisher."""
        self.next_message = lease.number + 1
        self._hand_out(lease, self.receivers)

    def deliver_all(self, leases: Sequence[Lease]) -> None:
        """Hand several messages to every subscriber that hears this publisher, numbered one after the other."""
        self.next_message = leases[-1].number + 1
        receivers = self.receivers
        if not receivers:
            for lease in leases:
                self._hand_out(lease, receivers)
            return
        holders = len(receivers)
        for lease in leases:
            lease.holders = holders
        for receiver in receivers:
            receiver.put_all(leases)

    def deliver_revocable(self, lease: Lease) -> None:
        """Hand a message that may be taken back to the leaky subscribers; the others have not joined yet."""
        leaky = [receiver for receiver in self.receivers if receiver.leaky]
        if lease.number > self.next_message:  # there was no time for those between
            for receiver in leaky:
                receiver.skipped(lease.number - self.next_message)
        self.next_message = lease.number + 1
        self._hand_out(lease, leaky)

    def _hand_out(self, lease: Lease, receivers: Sequence[Receiver]) -> None:
        if not receivers:
            lease.holders = 1
            lease.release()
            return
        lease.holders = len(receivers)
        for receiver in receivers:
            receiver.put(lease)

    # --- whether anybody is waited for ----------------------------------------------------------------------

    def receivers_changed(self) -> None:
        """Let the publisher know whether it need wait for those who hear it, if that has changed."""
        self.patience = patience(self.num_buffers, leaky=any(receiver.leaky for receiver in self.receivers))
        leaky = bool(self.receivers) and all(receiver.leaky for receiver in self.receivers)
        if leaky != self._told_leaky and self._tell_leaky(leaky):
            self._told_leaky = leaky
            self._unheard += 1
            self.revocable = True
            self._firm.clear()

    def _tell_leaky(self, leaky: bool) -> bool:
        """Tell the publisher; return whether it takes anything back from this kind of channel at all."""
        return False

    def leaky_heard(self) -> None:
        """The publisher has heard what it was told, once; it sends no more that contradicts it."""
        self._unheard -= 1
        if self._unheard == 0 and not self._told_leaky:
            self.revocable = False
            self._firm.set()

    @property
    def yet_to_agree(self) -> bool:
        """Whether the publisher has yet to hear that a subscriber has come that is not leaky."""
        return self.revocable and not self._told_leaky

    async def agreed(self) -> None:
        """Wait until it has, so that such a subscriber gets whatever comes from here on."""
        waiting = [asyncio.ensure_future(event.wait()) for event in (self._firm, self.over)]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()

    def leave(self) -> None:
        """Ask for no more. What is under way still comes, until the channel is ``over``."""
