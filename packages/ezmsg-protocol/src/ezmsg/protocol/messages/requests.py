"""The conversation of routed requests: from an operator, through the server, to the process that owns a unit.

Each ends in exactly one response, an answer or a failure with its code. Payloads are bytes that nobody between the
two ends opens.
"""

from typing import ClassVar
from uuid import UUID

from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.model.process_control import ProcessControlRequest, ProcessControlResponse


@declared
class Responded:
    """The one response to a routed request."""

    TAG: ClassVar[str] = "request.responded"
    response: ProcessControlResponse


@declared
class RouteRequest:
    """Ask the process that owns ``unit_address``; it has ``timeout_s`` seconds."""

    TAG: ClassVar[str] = "request.route"
    REPLY: ClassVar[type] = Responded
    unit_address: str
    operation: str
    timeout_s: float
    payload: bytes | None = None
    session_id: UUID | None = None


@declared
class HandleRequest:
    """The server hands a request to the process that owns its unit, with the session and client that it is from."""

    TAG: ClassVar[str] = "request.handle"
    REPLY: ClassVar[type] = Responded
    process_id: UUID
    request: ProcessControlRequest
    timeout_s: float
    client_id: UUID
    session_id: UUID | None = None


@declared
class EndTraces:
    """The server tells a process that a session or client is gone for which it may trace messages."""

    TAG: ClassVar[str] = "request.end_traces"
    REPLY: ClassVar[type] = Done
    process_id: UUID
    origin: UUID


MESSAGES = (Responded, RouteRequest, HandleRequest, EndTraces)
