"""The conversation that opens and ends a channel, on a link between two processes or on a TCP connection.

The subscriber's process opens, the publisher's proves first that it holds the channel's key, then the opener
does: no payload flows before both are known, because a payload may be a pickle. Payloads and releases are no
messages; they travel as records beside these.
"""

from typing import ClassVar
from uuid import UUID

from ezmsg.protocol.declared import declared


@declared
class LinkHello:
    """The first message in each direction: which exchange is at this end.

    ``rings`` is the form of rings in shared memory that it knows; 0 is none.
    """

    TAG: ClassVar[str] = "link.hello"
    exchange_id: UUID
    pid: int
    rings: int = 0


@declared
class OpenChannel:
    """Ask to hear a publisher; ``number`` names the channel on this link from now on.

    ``resume_at`` is the first message that the asker's channel of shared memory could not bring: from there on this
    one brings what that one still holds, and what follows.
    """

    TAG: ClassVar[str] = "channel.open"
    number: int
    publisher_id: UUID
    client_id: UUID
    nonce: bytes
    resume_at: int | None = None


@declared
class ChannelChallenge:
    """The publisher's process proves that it holds the key and asks for the same."""

    TAG: ClassVar[str] = "channel.challenge"
    number: int
    nonce: bytes
    proof: bytes
    num_buffers: int


@declared
class ChannelProof:
    """The subscriber's process proves that it holds the key."""

    TAG: ClassVar[str] = "channel.proof"
    number: int
    proof: bytes


@declared
class ChannelOpened:
    """Every message from number ``next_message`` on will be sent on this channel."""

    TAG: ClassVar[str] = "channel.opened"
    number: int
    next_message: int


@declared
class ChannelRefused:
    """This channel will not be opened."""

    TAG: ClassVar[str] = "channel.refused"
    number: int
    reason: str


@declared
class CloseChannel:
    """The subscriber's process wants to hear no more; it still releases what it holds."""

    TAG: ClassVar[str] = "channel.close"
    number: int


@declared
class ChannelEnded:
    """The publisher is closed; ``next_message`` is the number after that of its last message."""

    TAG: ClassVar[str] = "channel.ended"
    number: int
    next_message: int


@declared
class ChannelEndSeen:
    """Everything that was sent before ``ChannelEnded`` has arrived."""

    TAG: ClassVar[str] = "channel.end_seen"
    number: int


@declared
class SegmentNamed:
    """Where the platform passes no file descriptors: a segment's name, told before its first notice."""

    TAG: ClassVar[str] = "channel.segment"
    number: int
    segment: int
    name: str
    slot_bytes: int
    slots: int


@declared
class MemoryNotShared:
    """This side cannot share memory with the other one, on channel ``number``, or on any if that is 0."""

    TAG: ClassVar[str] = "channel.not_shared"
    number: int
    reason: str


@declared
class ChannelLeaky:
    """Whether all who hear this channel drop what they have no time for: nobody need wait for them then."""

    TAG: ClassVar[str] = "channel.leaky"
    number: int
    leaky: bool


@declared
class ChannelLeakyHeard:
    """``ChannelLeaky`` was heard: nothing that this side sends from here on contradicts it."""

    TAG: ClassVar[str] = "channel.leaky_heard"
    number: int


@declared
class ChannelForm:
    """What messages of this channel that name a form have in common; it is told before the first of them."""

    TAG: ClassVar[str] = "channel.form"
    number: int
    form: int
    content: bytes


@declared
class ChannelCut:
    """The publisher waited too long for this channel and goes on without it; the subscriber may open another."""

    TAG: ClassVar[str] = "channel.cut"
    number: int
    reason: str


@declared
class RingOffered:
    """This side's half of a ring was handed over, signed with the key of a channel of this link."""

    TAG: ClassVar[str] = "link.ring_offered"


@declared
class RingTaken:
    """The other side's half is mapped: it may write there from now on."""

    TAG: ClassVar[str] = "link.ring_taken"


@declared
class RingFollows:
    """What this side says next is in its half; through the socket, nothing but the bell follows."""

    TAG: ClassVar[str] = "link.ring_follows"


MESSAGES = (
    LinkHello,
    OpenChannel,
    ChannelChallenge,
    ChannelProof,
    ChannelOpened,
    ChannelRefused,
    CloseChannel,
    ChannelEnded,
    ChannelEndSeen,
    SegmentNamed,
    MemoryNotShared,
    ChannelCut,
    ChannelLeaky,
    ChannelLeakyHeard,
    ChannelForm,
    RingOffered,
    RingTaken,
    RingFollows,
)
