"""The boundary behind which a transport of another distribution lies, and how one is found.

A distribution declares a transport by an entry point of the group ``ezmsg.transports``, whose name is that by which
publishers ask for it and whose object makes one :class:`Transport` for an event loop::

    [project.entry-points."ezmsg.transports"]
    zenoh = "ezmsg.zenoh.transport:ZenohTransport"

One message's way through it. A publisher that asks for the transport is *offered* by it: what
:meth:`Transport.offer` returns goes to the graph server, which understands nothing of it, and from there to
whoever is to hear the publisher. There :meth:`Transport.open` makes a :class:`Channel`, by whatever conversation
the two ends need; the one who asks proves with the key of its :class:`Source` that the server sent it. The
publisher's end makes a :class:`WholeSender`, gives it to :meth:`Fed.attach`, and is called with each message from
then on; the other end calls :meth:`Channel.deliver` with a lease on it. When the last subscriber there has let go,
the lease tells the publisher's end, which calls :meth:`Sender.released`: the buffer is free, and so back-pressure
comes to be.

Nothing here awaits between two messages, and nothing of a transport is imported where nobody asks for it.
"""

from collections.abc import Mapping
from typing import Any, Protocol, cast
from uuid import UUID

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.channels.channel import Channel, Receiver
from ezmsg.core.errors import TransportUnusable
from ezmsg.core.support.wording import said
from ezmsg.core.transports.sender import Sender
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.endpoints import Source
from ezmsg.protocol.surroundings.entry_points import installed, loaded
from ezmsg.protocol.wire import auth

GROUP = "ezmsg.transports"

OWN = ("local", "shm", "tcp")
"""The names of those that are always there; to ask for one of them is to ask for no other."""


class Fed(Protocol):
    """A publisher, as a transport sees it."""

    id: UUID
    topic: str
    secret: bytes
    next_message: int

    @property
    def window(self) -> Window:
        """Its buffers; ``size`` is how many messages may be under way."""

    def attach(self, sender: Sender) -> None:
        """Send to one more, from the next message on."""

    def detach(self, sender: Sender) -> None:
        """Send to one less; what it holds it still releases, or is abandoned."""


class Home(Protocol):
    """The event loop that a transport serves: what it may ask there, and what it tells."""

    id: UUID

    @property
    def server(self) -> Address:
        """Where the graph server is."""

    @property
    def client_id(self) -> UUID:
        """As whom the server knows this process; the keys of its channels are made for it."""

    @property
    def fed(self) -> Mapping[UUID, Fed]:
        """The publishers of this event loop, by id."""

    def channel_ended(self, channel: Channel) -> None:
        """Take note that a publisher was closed, and that all it sent was delivered."""

    def channel_lost(self, channel: Channel) -> None:
        """Take note that a channel broke off; it is opened again if its publisher still lives."""


class Transport(Protocol):
    """One way from event loop to event loop; made by its class, given the :class:`Home`. All of it runs there."""

    async def offer(self, publisher: Fed) -> bytes:
        """Get ready for those who are to hear a publisher; return what they need in order to come here.

        :raises EzmsgError: if that is impossible.
        """

    def withdraw(self, publisher: Fed) -> None:
        """Forget a publisher that is closed; its senders have ended."""

    async def open(self, source: Source, contact: bytes, receivers: list[Receiver]) -> Channel:
        """Open a channel; return when its publisher feeds it.

        It is tried again, ever more rarely, while it fails with one of these. Nothing is to be delivered before it
        returns: who gives up waiting for it would not know of that. After ``channel.over`` is set nothing may be
        delivered any more; after :meth:`Channel.leave` it must be set, when what was under way has come. What was
        delivered before is still released.

        :param contact: what the publisher's end has offered.
        :param receivers: the subscribers, as the channel is to know them: others come and go.
        :raises ChannelRefused: if the publisher's end does not want us, or does not hold the channel's key.
        :raises OSError: if nothing answers.
        """

    async def close(self) -> None:
        """Give everything back; bounded."""


def key_of(publisher: Fed, client_id: UUID) -> bytes:
    """Return the key that the graph server gave to a client that is to hear a publisher: its ``Source.key``."""
    return auth.channel_key(publisher.secret, publisher.id.bytes + client_id.bytes)


def names() -> list[str]:
    """Return the names of all transports that there are here."""
    return sorted({*OWN, *installed(GROUP)})


def find(name: str, home: Home) -> Transport | None:
    """Make the transport that has a name; ``None`` if none is installed that has it.

    :raises TransportUnusable: if it is there, and cannot be imported or made.
    """
    place = installed(GROUP).get(name)
    if place is None:
        return None
    try:
        made: Any = loaded(place[0])(home)
    except Exception as error:  # whatever another distribution raises when it is imported
        raise TransportUnusable(name=name, distribution=place[1], reason=said(error)) from error
    return cast(Transport, made)
