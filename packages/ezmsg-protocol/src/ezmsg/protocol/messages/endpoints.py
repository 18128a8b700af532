"""The conversation about publishers and subscribers: who is there, and who is to hear whom.

The server asks a client to apply a change of routes and takes the client's reply as its acknowledgement, so a
route that is acknowledged carries every message published from then on.
"""

from typing import ClassVar
from uuid import UUID

from attrs import field

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.sessions import Done


@declared
class Contact:
    """How a process can reach a publisher: first the link of its host, else TCP.

    ``link`` is an opaque address that only means something on the publisher's own host; ``exchange_id`` names the
    event loop in which the publisher lives. It may be reached at ``tcp_hosts`` if it is not at ``tcp_host``. A
    publisher that listens ``everywhere`` does so at every address of its host, known to it or not. One that speaks
    TLS over TCP names its ``certificate``, by the SHA-256 of it, so that nobody else can show one of his own.
    """

    exchange_id: UUID
    link: str | None
    tcp_host: str
    tcp_port: int
    tcp_hosts: list[str] = field(factory=list)
    everywhere: bool = False
    certificate: bytes = b""

    @property
    def tcp_addresses(self) -> list[Address]:
        """Where to try it over TCP, in this order."""
        return [Address(host, self.tcp_port) for host in dict.fromkeys((self.tcp_host, *self.tcp_hosts))]


@declared
class Joined:
    """The endpoints are known and their routes are in place, but for the peers named in ``unconfirmed``."""

    TAG: ClassVar[str] = "endpoint.joined"
    unconfirmed: list[str] = field(factory=list)


@declared
class DeclarePublisher:
    """A publisher joins; ``secret`` is what the keys of its channels are made from.

    ``offers`` says how it is reached over transports that the server knows the names of, and nothing else.
    """

    TAG: ClassVar[str] = "publisher.declare"
    REPLY: ClassVar[type] = Joined
    publisher_id: UUID
    topic: str
    contact: Contact
    secret: bytes = field(repr=False)
    force_tcp: bool = False
    allow_local: bool = True
    offers: dict[str, bytes] = field(factory=dict)


@declared
class DeclareSubscriber:
    """A subscriber joins, or comes back; ``hears`` are the publishers to which it then has routes already."""

    TAG: ClassVar[str] = "subscriber.declare"
    REPLY: ClassVar[type] = Joined
    subscriber_id: UUID
    topic: str
    hears: list[UUID] = field(factory=list)


@declared
class DeclareEndpoints:
    """Several endpoints join, all of them or none; the reply waits for the routes of all."""

    TAG: ClassVar[str] = "endpoints.declare"
    REPLY: ClassVar[type] = Joined
    publishers: list[DeclarePublisher]
    subscribers: list[DeclareSubscriber]


@declared
class Withdraw:
    """A publisher or subscriber leaves."""

    TAG: ClassVar[str] = "endpoint.withdraw"
    REPLY: ClassVar[type] = Done
    endpoint_id: UUID


@declared
class ReportCut:
    """A publisher has cut off a subscriber's process that held it up and does not answer."""

    TAG: ClassVar[str] = "channel.cut_report"
    REPLY: ClassVar[type] = Done
    publisher_id: UUID
    reason: str


@declared
class Source:
    """A publisher that a subscriber is to hear; ``key`` opens the channel to it.

    ``publisher_name`` is the host and the number of its process, for people; ``offers`` is what the publisher said.
    """

    publisher_id: UUID
    topic: str
    contact: Contact
    key: bytes = field(repr=False)
    force_tcp: bool = False
    allow_local: bool = True
    publisher_name: str = ""
    offers: dict[str, bytes] = field(factory=dict)


@declared
class RouteChange:
    """What changes for one subscriber: publishers to hear from now on, publishers to hear no more.

    ``away`` are those of the latter that the server only misses: what they send before they are back is missed.
    """

    subscriber_id: UUID
    added: list[Source] = field(factory=list)
    removed: list[UUID] = field(factory=list)
    away: list[UUID] = field(factory=list)


@declared
class ApplyRoutes:
    """The server asks a client to change what its subscribers hear; the reply says that it is so.

    After ``wait_s`` seconds, if they are given, it is :class:`RoutesApplied`, and says whom that still waits for.
    """

    TAG: ClassVar[str] = "routes.apply"
    REPLY: ClassVar[type] = Done
    version: int
    changes: list[RouteChange]
    wait_s: float | None = None


@declared
class RoutesApplied:
    """All routes are as they are to be, but for those of the publishers named here, which have not answered."""

    TAG: ClassVar[str] = "routes.applied"
    unheard: list[UUID] = field(factory=list)


@declared
class PausePublishing:
    """The server asks a client to hold back its publishers."""

    TAG: ClassVar[str] = "publishing.pause"
    REPLY: ClassVar[type] = Done


@declared
class ResumePublishing:
    """The server asks a client to let its publishers go on."""

    TAG: ClassVar[str] = "publishing.resume"
    REPLY: ClassVar[type] = Done


@declared
class AwaitReleases:
    """The server asks a client to reply when its subscribers' leases on what is published by now are over."""

    TAG: ClassVar[str] = "publishing.sync"
    REPLY: ClassVar[type] = Done


MESSAGES = (
    Joined,
    DeclarePublisher,
    DeclareSubscriber,
    DeclareEndpoints,
    Withdraw,
    ReportCut,
    ApplyRoutes,
    RoutesApplied,
    PausePublishing,
    ResumePublishing,
    AwaitReleases,
)
