"""The wire protocol and the nouns of ezmsg, without a socket.

The model classes are in :mod:`ezmsg.protocol.model`, the messages in :mod:`ezmsg.protocol.messages`, every error
in :mod:`ezmsg.protocol.errors`, and Hypothesis strategies for all of them in :mod:`ezmsg.protocol.testing`.
"""

from ezmsg.protocol import errors, messages, model
from ezmsg.protocol.addresses import Address, AddressType, parse_address
from ezmsg.protocol.errors import CyclicException, EzmsgError
from ezmsg.protocol.graph.dag import DAG
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot
from ezmsg.protocol.revisions import CURRENT, PACKAGE_VERSION, Revision, negotiate
from ezmsg.protocol.wire.codec import decode, encode
from ezmsg.protocol.wire.connection import Connection, Phase
from ezmsg.protocol.wire.connection_events import (
    CancelReceived,
    Closed,
    Event,
    FailureReceived,
    ItemReceived,
    NoticeReceived,
    Opened,
    ReplyReceived,
    RequestReceived,
    StreamEnded,
)
from ezmsg.protocol.wire.failures import from_failure, to_failure
from ezmsg.protocol.wire.frames import FrameParser, frame
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake
from ezmsg.protocol.wire.plain import PlainArray, to_plain

__all__ = [
    "CURRENT",
    "DAG",
    "PACKAGE_VERSION",
    "Address",
    "AddressType",
    "CancelReceived",
    "ClientHandshake",
    "Closed",
    "Connection",
    "CyclicException",
    "Edge",
    "Event",
    "EzmsgError",
    "FailureReceived",
    "FrameParser",
    "GraphSnapshot",
    "ItemReceived",
    "NoticeReceived",
    "Opened",
    "Phase",
    "PlainArray",
    "ReplyReceived",
    "RequestReceived",
    "Revision",
    "ServerHandshake",
    "StreamEnded",
    "decode",
    "encode",
    "errors",
    "frame",
    "from_failure",
    "messages",
    "model",
    "negotiate",
    "parse_address",
    "to_failure",
    "to_plain",
]
