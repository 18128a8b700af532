"""1xxx: bytes and messages."""

from typing import ClassVar

from ezmsg.protocol.declared import declared_error
from ezmsg.protocol.errors.root import EzmsgError
from ezmsg.protocol.revisions import Revision


class WireError(EzmsgError):
    """Bytes or messages that break the protocol."""


@declared_error
class FrameTooLarge(WireError):
    """A frame announced more bytes than its receiver allows; ``size`` and ``limit`` are in bytes."""

    code: ClassVar[str] = "EZ-1001"
    size: int
    limit: int

    def sentence(self) -> str:
        return (
            f"A frame of {self.size} bytes is larger than the {self.limit} bytes allowed here. "
            "Send less at a time, or raise the frame limit on both sides."
        )


@declared_error
class MalformedFrame(WireError):
    """A frame's body is not the msgpack map it should be."""

    code: ClassVar[str] = "EZ-1002"
    reason: str

    def sentence(self) -> str:
        return f"A frame could not be decoded: {self.reason}. The peer does not speak the ezmsg protocol."


@declared_error
class UnknownMessage(WireError):
    """A message carries a tag that this release does not know."""

    code: ClassVar[str] = "EZ-1003"
    tag: str

    def sentence(self) -> str:
        return f"The message {self.tag!r} is not known here. Bring both sides to the same release of ezmsg."


@declared_error
class InvalidMessage(WireError, ValueError):
    """A message's fields do not fit its class; ``reason`` names the path."""

    code: ClassVar[str] = "EZ-1004"
    tag: str
    reason: str

    def sentence(self) -> str:
        return f"The message {self.tag!r} is not valid: {self.reason}."


@declared_error
class ProtocolViolation(WireError):
    """A message came where it may not."""

    code: ClassVar[str] = "EZ-1005"
    reason: str

    def sentence(self) -> str:
        return f"The peer broke the protocol: {self.reason}."


@declared_error
class VersionMismatch(WireError):
    """Two sides share no protocol revision; ``ours`` is that of the side that found out."""

    code: ClassVar[str] = "EZ-1006"
    ours: Revision
    theirs: Revision
    our_package: str
    their_package: str

    def sentence(self) -> str:
        # The same sentence is read on both sides, so that it may not say "here" or "there".
        return (
            f"Protocol {self.ours} (ezmsg-protocol {self.our_package}) and protocol {self.theirs} "
            f"(ezmsg-protocol {self.their_package}) do not understand each other. "
            f"Upgrade the side that speaks {min(self.ours, self.theirs)}."
        )
