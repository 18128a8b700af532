"""What the state asks the shell to do: plain values, performed by :mod:`ezmsg.graphserver.performer`."""

from typing import Any, NamedTuple, NewType
from uuid import UUID

from ezmsg.graphserver.deciding.standing import Standing
from ezmsg.graphserver.deciding.state.event_log import Cursor
from ezmsg.protocol.declared import declared
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.model.process_control import ProcessControlResponse
from ezmsg.protocol.model.snapshot import Edge, SnapshotProcess

PeerId = NewType("PeerId", int)
"""The server's number for one connection; never used twice in one run."""


class Moment(NamedTuple):
    """A moment on two clocks: seconds on the one that never jumps, and wall time in seconds."""

    monotonic: float
    wall: float


@declared
class Reply:
    """Answer a peer's request."""

    peer: PeerId
    request_id: int
    body: Any


@declared
class Fail:
    """Answer a peer's request with a typed failure."""

    peer: PeerId
    request_id: int
    error: EzmsgError


@declared
class Call:
    """Ask a peer; its answer comes back to the graph under ``call_id``.

    A call that is ``refusable`` fails alone where the peer reads too slowly; another ends the peer's connection.
    """

    peer: PeerId
    call_id: int
    body: Any
    refusable: bool = False


@declared
class Uncall:
    """Tell a peer that the answer to a call is no longer wanted."""

    peer: PeerId
    call_id: int


@declared
class Follow:
    """Begin to send a peer the items of a cursor, as answers to its request."""

    peer: PeerId
    request_id: int
    cursor: Cursor[Any]


@declared
class Unfollow:
    """Stop sending the items of the cursor that a peer's request opened."""

    peer: PeerId
    request_id: int


@declared
class Feed:
    """There is something new in the log: let the cursors go on."""


@declared
class Warn:
    """Tell the operator; ``reason`` is the same for all warnings of a kind."""

    reason: str
    text: str


@declared
class Surveyed:
    """A survey of the server's own is over: each process there was at its beginning has one response."""

    survey_id: int
    processes: dict[UUID, SnapshotProcess]
    responses: dict[UUID, ProcessControlResponse]


@declared
class Cut:
    """End a peer's connection, from which nothing is to be expected any more."""

    peer: PeerId
    error: EzmsgError


@declared
class KeepEdge:
    """Write into the state file that a persistent edge is there, or is no more."""

    edge: Edge
    held: bool


@declared
class KeepSettings:
    """Write into the state file what stands of a component's settings, in place of what stood."""

    component: str
    standing: Standing


@declared
class StopServer:
    """End the server when everything before this was sent."""


Effect = (
    Reply
    | Fail
    | Call
    | Uncall
    | Follow
    | Unfollow
    | Feed
    | Warn
    | Surveyed
    | Cut
    | KeepEdge
    | KeepSettings
    | StopServer
)
