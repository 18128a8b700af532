"""Every error of ezmsg, as one tree. Each has a stable code, typed fields and its own sentence.

The same code crosses the wire and comes back as the same class, see :func:`to_failure` and :func:`from_failure`.

::

    EzmsgError
    ├── WireError                  1xxx  bytes and messages
    │   ├── FrameTooLarge
    │   ├── MalformedFrame
    │   ├── UnknownMessage
    │   ├── InvalidMessage
    │   ├── ProtocolViolation
    │   └── VersionMismatch
    ├── GraphError                 2xxx  the rules of the graph
    │   ├── ComponentCollision
    │   ├── OwnershipCollision
    │   ├── CyclicException
    │   ├── UnknownSession
    │   ├── InvalidTopic
    │   ├── UnknownEndpoint
    │   ├── DuplicateIdentity
    │   ├── InvalidMetadata
    │   ├── UnknownProcess
    │   ├── SettingsUnavailable
    │   ├── StaleRevision
    │   └── UnitNotOwned
    ├── LinkError                  3xxx  reaching each other
    │   ├── ServerUnreachable
    │   ├── ConnectionLost
    │   ├── AuthenticationFailed
    │   ├── AddressInUse
    │   ├── InsecureBind
    │   ├── InvalidAddress
    │   ├── DeadlineExceeded
    │   ├── SessionRequired
    │   ├── ServerOverloaded
    │   ├── UnsafeFolder
    │   └── UnreadableToken
    ├── InternalError              9001  a fault of ezmsg itself
    └── RemoteError                9002  an error this release does not know

Distributions above add their own branches: ``ezmsg.core.errors`` holds 5xxx (data plane) and 6xxx (components).
"""

from typing import Any, ClassVar

import attrs
from attrs import define

from ezmsg.protocol.revisions import Revision

_CLASSES: dict[str, type["EzmsgError"]] = {}


@define(kw_only=True, slots=False, eq=False)
class EzmsgError(Exception):
    """The root of the tree. ``str(error)`` is the code, two blanks and the sentence."""

    code: ClassVar[str] = "EZ-0000"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "code" in vars(cls):
            _CLASSES[cls.code] = cls

    def sentence(self) -> str:
        """Say what went wrong, where, why, and what to do next."""
        return "Something went wrong in ezmsg."

    def __str__(self) -> str:
        return f"{self.code}  {self.sentence()}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.fields())

    def fields(self) -> dict[str, Any]:
        """Return the typed fields by name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}


def _rebuild(cls: type[EzmsgError], fields: dict[str, Any]) -> EzmsgError:
    return cls(**fields)


# --- 1xxx: bytes and messages ---------------------------------------------------------------------------


class WireError(EzmsgError):
    """Bytes or messages that break the protocol."""


@define(kw_only=True, slots=False, eq=False)
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


@define(kw_only=True, slots=False, eq=False)
class MalformedFrame(WireError):
    """A frame's body is not the msgpack map it should be."""

    code: ClassVar[str] = "EZ-1002"
    reason: str

    def sentence(self) -> str:
        return f"A frame could not be decoded: {self.reason}. The peer does not speak the ezmsg protocol."


@define(kw_only=True, slots=False, eq=False)
class UnknownMessage(WireError):
    """A message carries a tag that this release does not know."""

    code: ClassVar[str] = "EZ-1003"
    tag: str

    def sentence(self) -> str:
        return f"The message {self.tag!r} is not known here. Bring both sides to the same release of ezmsg."


@define(kw_only=True, slots=False, eq=False)
class InvalidMessage(WireError, ValueError):
    """A message's fields do not fit its class; ``reason`` names the path."""

    code: ClassVar[str] = "EZ-1004"
    tag: str
    reason: str

    def sentence(self) -> str:
        return f"The message {self.tag!r} is not valid: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class ProtocolViolation(WireError):
    """A message came where it may not."""

    code: ClassVar[str] = "EZ-1005"
    reason: str

    def sentence(self) -> str:
        return f"The peer broke the protocol: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
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


# --- 2xxx: the rules of the graph -------------------------------------------------------------------------


class GraphError(EzmsgError):
    """A change that the rules of the graph refuse; nothing of it was kept."""


@define(kw_only=True, slots=False, eq=False)
class ComponentCollision(GraphError, RuntimeError):
    """Another session already describes components of these addresses."""

    code: ClassVar[str] = "EZ-2001"
    addresses: list[str]
    sessions: list[str]

    def sentence(self) -> str:
        return (
            f"component address collision(s): {', '.join(self.addresses)} already registered by session "
            f"{', '.join(self.sessions)}. Give this program another root name, or stop the other one."
        )


@define(kw_only=True, slots=False, eq=False)
class OwnershipCollision(GraphError, RuntimeError):
    """Other processes already own these units."""

    code: ClassVar[str] = "EZ-2002"
    units: list[str]
    processes: list[str]

    def sentence(self) -> str:
        return (
            f"Process control command failed: unit(s) {', '.join(self.units)} already owned by process "
            f"{', '.join(self.processes)}. One unit runs in one process: rename it, or stop the other process."
        )


@define(kw_only=True, slots=False, eq=False)
class CyclicException(GraphError):
    """An edge would close a cycle; ``path`` already leads from ``to_topic`` back to ``from_topic``."""

    code: ClassVar[str] = "EZ-2003"
    from_topic: str
    to_topic: str
    path: list[str]

    def sentence(self) -> str:
        return (
            f"{self.from_topic} -> {self.to_topic} would close a cycle: {' -> '.join(self.path)}. "
            "Messages may not come back to where they started; remove one of these edges first."
        )


@define(kw_only=True, slots=False, eq=False)
class UnknownSession(GraphError, RuntimeError):
    """A message names a session that is not open on its connection."""

    code: ClassVar[str] = "EZ-2004"
    session: str

    def sentence(self) -> str:
        return f"Session {self.session} is not open on this connection. Open it first."


@define(kw_only=True, slots=False, eq=False)
class InvalidTopic(GraphError, ValueError):
    """A topic's name is empty or too long."""

    code: ClassVar[str] = "EZ-2005"
    topic: str
    reason: str

    def sentence(self) -> str:
        return f"{self.topic[:80]!r} is not a topic: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class UnknownEndpoint(GraphError, RuntimeError):
    """A message names a publisher or subscriber that is not declared on its connection."""

    code: ClassVar[str] = "EZ-2006"
    endpoint: str

    def sentence(self) -> str:
        return f"No publisher or subscriber {self.endpoint} is declared on this connection."


@define(kw_only=True, slots=False, eq=False)
class DuplicateIdentity(GraphError, RuntimeError):
    """An id is already in use by somebody else; ``role`` is session, publisher, subscriber or process."""

    code: ClassVar[str] = "EZ-2007"
    role: str
    identity: str

    def sentence(self) -> str:
        return f"The {self.role} id {self.identity} is already in use. Take a new one."


@define(kw_only=True, slots=False, eq=False)
class InvalidMetadata(GraphError, RuntimeError):
    """Metadata contradicts itself."""

    code: ClassVar[str] = "EZ-2008"
    reason: str

    def sentence(self) -> str:
        return f"The metadata was refused: {self.reason}. Nothing of it was kept."


@define(kw_only=True, slots=False, eq=False)
class UnknownProcess(GraphError, RuntimeError):
    """A message names a process that is not registered on its connection."""

    code: ClassVar[str] = "EZ-2009"
    process: str

    def sentence(self) -> str:
        return f"Process {self.process} is not registered on this connection. Register it first."


@define(kw_only=True, slots=False, eq=False)
class SettingsUnavailable(GraphError, RuntimeError):
    """The settings of a component cannot be changed now."""

    code: ClassVar[str] = "EZ-2010"
    component: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The settings of {self.component} were not changed: {self.reason}. "
            "See in a snapshot which process owns it, and try again when one does."
        )


@define(kw_only=True, slots=False, eq=False)
class StaleRevision(GraphError, RuntimeError):
    """The settings of a component have changed since whoever wants to change them has looked.

    ``actual`` is ``None`` if nothing is known of its settings.
    """

    code: ClassVar[str] = "EZ-2011"
    component: str
    expected: int
    actual: int | None

    def sentence(self) -> str:
        found = "nothing is known of them" if self.actual is None else f"they are at revision {self.actual}"
        return (
            f"The settings of {self.component} were expected at revision {self.expected}, but {found}. "
            "Look at them again before you change them."
        )


@define(kw_only=True, slots=False, eq=False)
class UnitNotOwned(GraphError, RuntimeError):
    """A process speaks for a unit that it does not own."""

    code: ClassVar[str] = "EZ-2012"
    unit: str
    process: str

    def sentence(self) -> str:
        return (
            f"Process control command failed: process {self.process} does not own the unit {self.unit!r}. "
            "Add it to the process's units first."
        )


# --- 3xxx: reaching each other ----------------------------------------------------------------------------


class LinkError(EzmsgError):
    """Two sides cannot reach, trust or hear each other."""


@define(kw_only=True, slots=False, eq=False)
class ServerUnreachable(LinkError, ConnectionRefusedError):
    """No graph server answers at an address."""

    code: ClassVar[str] = "EZ-3001"
    address: str
    reason: str

    def sentence(self) -> str:
        return (
            f"No graph server answers at {self.address}: {self.reason}. "
            f"Start one with `python -m ezmsg.graphserver --address {self.address}`."
        )


@define(kw_only=True, slots=False, eq=False)
class ConnectionLost(LinkError, ConnectionError, RuntimeError):
    """The connection to the graph server ended."""

    code: ClassVar[str] = "EZ-3002"
    address: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The connection to the graph server at {self.address} ended: {self.reason}. Publishers and "
            "subscribers already joined go on; changes of the graph need a server again."
        )


@define(kw_only=True, slots=False, eq=False)
class AuthenticationFailed(LinkError, PermissionError):
    """The two sides do not hold the same token."""

    code: ClassVar[str] = "EZ-3003"
    reason: str

    def sentence(self) -> str:
        return (
            f"Authentication failed: {self.reason}. Set EZMSG_TOKEN or EZMSG_TOKEN_FILE to the server's token, "
            "or run as the user who started the server, whose announcement file holds it."
        )


@define(kw_only=True, slots=False, eq=False)
class AddressInUse(LinkError, OSError):
    """A server cannot listen where it was told to."""

    code: ClassVar[str] = "EZ-3004"
    address: str
    reason: str

    def sentence(self) -> str:
        return (
            f"Cannot listen on {self.address}: {self.reason}. Another server may be running there; "
            "stop it, or choose another port with --address HOST:PORT."
        )


@define(kw_only=True, slots=False, eq=False)
class InsecureBind(LinkError, PermissionError):
    """A server was told to listen beyond loopback without a token of its own."""

    code: ClassVar[str] = "EZ-3005"
    address: str

    def sentence(self) -> str:
        return (
            f"{self.address} can be reached from other machines, and no token was given. Set EZMSG_TOKEN or "
            "EZMSG_TOKEN_FILE to a secret that the clients share, or pass --insecure to let everybody in."
        )


@define(kw_only=True, slots=False, eq=False)
class InvalidAddress(LinkError, ValueError):
    """A text is not an address."""

    code: ClassVar[str] = "EZ-3006"
    address: str

    def sentence(self) -> str:
        return f"{self.address!r} is not an address. Write HOST:PORT with a port from 0 to 65535."


@define(kw_only=True, slots=False, eq=False)
class DeadlineExceeded(LinkError, TimeoutError):
    """An operation did not end in time; ``seconds`` is the time it was given."""

    code: ClassVar[str] = "EZ-3007"
    operation: str
    seconds: float

    def sentence(self) -> str:
        return f"{self.operation} did not end within {self.seconds:g} s. Allow it more time, or see who is slow."


@define(kw_only=True, slots=False, eq=False)
class SessionRequired(LinkError, RuntimeError):
    """An operation needs a session that is not open."""

    code: ClassVar[str] = "EZ-3008"
    operation: str

    def sentence(self) -> str:
        return f"{self.operation} needs an open session. Use it inside `async with GraphContext() as context:`."


@define(kw_only=True, slots=False, eq=False)
class ServerOverloaded(LinkError):
    """A server has too many unauthenticated connections, or a peer reads too slowly."""

    code: ClassVar[str] = "EZ-3009"
    reason: str

    def sentence(self) -> str:
        return f"The graph server closed this connection: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class UnsafeFolder(LinkError, PermissionError):
    """The runtime folder, where servers announce themselves, is not the user's alone or cannot be used."""

    code: ClassVar[str] = "EZ-3010"
    folder: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The runtime folder {self.folder} cannot be used: {self.reason}. "
            "Remove it, or set EZMSG_RUNTIME_DIR to a folder that only you can write to."
        )


@define(kw_only=True, slots=False, eq=False)
class UnreadableToken(LinkError, OSError):
    """The file that should hold the shared token holds none, or cannot be read."""

    code: ClassVar[str] = "EZ-3011"
    file: str
    reason: str

    def sentence(self) -> str:
        return f"No token could be read from {self.file}: {self.reason}. Write the shared secret into it."


# --- 9xxx: faults ------------------------------------------------------------------------------------------


@define(kw_only=True, slots=False, eq=False)
class InternalError(EzmsgError, RuntimeError):
    """A fault of ezmsg itself."""

    code: ClassVar[str] = "EZ-9001"
    reason: str

    def sentence(self) -> str:
        return f"ezmsg itself failed: {self.reason}. Please report this with the log around it."


@define(kw_only=True, slots=False, eq=False)
class RemoteError(EzmsgError, RuntimeError):
    """The peer reported an error whose code this release does not know; handed on, it is what it was."""

    code: ClassVar[str] = "EZ-9002"
    remote_code: str
    text: str
    remote_fields: dict[str, Any] = attrs.field(factory=dict)

    def sentence(self) -> str:
        return f"The peer reported {self.remote_code}: {self.text}"


def error_classes() -> dict[str, type[EzmsgError]]:
    """Return every error class known in this process, by code."""
    return dict(_CLASSES)
