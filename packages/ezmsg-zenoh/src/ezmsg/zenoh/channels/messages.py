"""What the two ends of a channel say to each other, beside the messages themselves.

Each of them may be lost with a router, or come twice: so it is a state or a question that can be said again, never
a step that must be heard once.
"""

from uuid import UUID

from ezmsg.protocol.declared import declared


@declared
class Ask:
    """Somebody would like to hear the publisher."""

    exchange_id: UUID
    nonce: bytes


@declared
class Challenge:
    """The publisher proves that it holds the channel's key, and asks for the same."""

    nonce: bytes
    proof: bytes


@declared
class Prove:
    """The other end holds the key, too."""

    proof: bytes


@declared
class Opened:
    """Messages come from ``next_message`` on. ``data_key``, which signs them, is masked with the channel's key."""

    next_message: int
    num_buffers: int
    data_key: bytes


@declared
class Refused:
    """The publisher does not want this channel, or has it no more; signed with a key of its own."""

    reason: str


@declared
class Held:
    """How it stands with the subscribers: all messages before ``next_message`` have come, of which these are held.

    Those ``missing`` did not come, and are to be sent again. Who is ``leaving`` wants no more, and releases what it
    holds; who is ``gone`` will say nothing any more, and holds nothing.
    """

    next_message: int
    held: list[int]
    missing: list[int]
    leaving: bool = False
    gone: bool = False


@declared
class Sent:
    """How it stands with the publisher: all before ``next_message`` was sent.

    If it ``ended``, no more will come; so it is for who ``left``, or was ``cut`` off for some reason.
    """

    next_message: int
    ended: bool = False
    left: bool = False
    cut: str = ""


KINDS: tuple[type, ...] = (Ask, Challenge, Prove, Opened, Refused, Held, Sent)
"""What a kind's number means, on the network: new ones come behind these."""
