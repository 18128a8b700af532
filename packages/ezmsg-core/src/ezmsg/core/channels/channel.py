"""The subscribers' end of a channel: one publisher's messages, for all subscribers of one event loop."""

import asyncio
import sys
from abc import ABC, abstractmethod
from typing import Any, Protocol
from uuid import UUID

from ezmsg.core.messages.codec import Codec
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
    lease; ``handed_on`` is set when such a view was published again inside this process.
    """

    __slots__ = ("_missing", "_value", "handed_on", "holders", "number", "size", "source")

    lent: bool = False
    handed_on: bool

    @property
    def memory(self) -> tuple[object, ...]:
        """The owners of the memory that is lent."""
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
    def detached(self) -> "Lease":
        """Return a lease on a private copy that occupies no slot, so that this one may be released early."""

    def settled(self) -> "Lease | None":
        """Return a lease on what cannot be taken back any more; ``None`` if it has been."""
        return self

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

    __slots__ = ("_codec", "_memory", "_token")

    lent = True

    def __init__(self, number: int, token: int, memory: memoryview, source: Source, codec: Codec) -> None:
        super().__init__(number, source, len(memory))
        self._token = token
        self._memory = memory
        self._codec = codec

    @property
    def memory(self) -> tuple[object, ...]:
        return (self._memory.obj,)

    def private(self) -> Any:
        return self._codec.decode(self._memory, copy=True)

    def detached(self) -> "DetachedLease":
        body = unset_memory(len(self._memory))
        body[:] = self._memory
        return DetachedLease(self.number, body.toreadonly(), self.source, self._codec)

    def guarded(self) -> "tuple[Any, Array | None]":
        return decode_guarded(self._memory, self._codec)

    def _decode(self) -> Any:
        return self._codec.decode(self._memory)


class DetachedLease(EncodedLease):
    """A message whose bytes lie in memory of their own, for which no publisher waits.

    It is ``void`` if its publisher took it back before it was copied.
    """

    __slots__ = ("void",)

    lent = False

    def __init__(self, number: int, memory: memoryview, source: Source, codec: Codec) -> None:
        super().__init__(number, -1, memory, source, codec)
        self.holders = 1
        self.void = False

    def detached(self) -> "DetachedLease":
        return self

    def settled(self) -> "Lease | None":
        return None if self.void else self

    def _free(self) -> None:
        """Nothing of the publisher's is occupied."""


def decode_guarded(memory: memoryview, codec: Codec) -> tuple[Any, Array]:
    """Return the message that read-only memory holds, and an object that all views of it keep alive."""
    import numpy as np  # a memoryview does not tell what its views are kept by

    guard = np.frombuffer(memory, np.uint8)
    return codec.decode(guard.data), guard


class Receiver(Protocol):
    """What a channel needs of a subscriber."""

    def put(self, lease: Lease) -> None:
        """Take a message in; :meth:`Lease.release` must follow sooner or later."""

    def joined(self, channel: "Channel") -> None:
        """Learn of a channel that messages will come by."""

    def skipped(self, count: int) -> None:
        """Learn that older messages were dropped in favour of a newer one before they were sent."""

    def missed(self, topic: str, count: int) -> None:
        """Learn that messages of a publisher did not come and never will."""


def patience(num_buffers: int) -> int:
    """Return how many releases may gather before the publisher is told, as it may soon be waiting for them."""
    return max(1, num_buffers // 4)


class Channel:
    """One publisher, as one event loop hears it; each transport has its own kind."""

    kind = "UNKNOWN"

    def __init__(self, publisher_id: UUID, topic: str, receivers: list[Receiver], num_buffers: int) -> None:
        self.publisher_id = publisher_id
        self.topic = topic
        self.receivers = receivers
        self.num_buffers = num_buffers
        self.first_message = 0  # from which on everything comes by this channel
        self.next_message = 0
        self.number_in_traces = trace_sources.add(self)
        self.told_leaky = False
        self.over = asyncio.Event()  # nothing more will come

    @property
    def room(self) -> int:
        """How many messages may wait before the publisher has to; those whose release is under way wait, too."""
        return self.num_buffers - patience(self.num_buffers)

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

    def receivers_changed(self) -> None:
        """Let the publisher know whether it need wait for those who hear it, if that has changed."""
        leaky = bool(self.receivers) and all(getattr(each, "revocable", False) for each in self.receivers)
        if leaky != self.told_leaky:
            self.told_leaky = leaky
            self.tell_leaky(leaky)

    def tell_leaky(self, leaky: bool) -> None:
        """Tell the publisher that nobody who hears it wants to be waited for, or that somebody does."""

    def skip_to(self, message: int) -> None:
        """Count the messages that the publisher did not send, as there was no time for them."""
        for receiver in self.receivers:
            receiver.skipped(message - self.next_message)

    def leave(self) -> None:
        """Ask for no more. What is under way still comes, until the channel is ``over``."""
