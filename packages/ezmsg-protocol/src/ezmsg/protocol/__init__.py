"""The wire protocol and the nouns of ezmsg, without a socket.

The model classes are in :mod:`ezmsg.protocol.model`, the messages in :mod:`ezmsg.protocol.messages`, every error
in :mod:`ezmsg.protocol.errors`, and Hypothesis strategies for all of them in :mod:`ezmsg.protocol.testing`.

Names are imported when they are first used, so that a program pays only for the conversations that it has.
"""

from importlib import import_module

TYPE_CHECKING = False  # the module that has it is slow to import, and a command's help needs nothing of it
if TYPE_CHECKING:
    from typing import Any

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
    from ezmsg.protocol.wire.tls.files import TlsFiles

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
    "TlsFiles",
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

_MODULES = {
    "Address": "addresses",
    "AddressType": "addresses",
    "CURRENT": "revisions",
    "CancelReceived": "wire.connection_events",
    "ClientHandshake": "wire.handshake",
    "Closed": "wire.connection_events",
    "Connection": "wire.connection",
    "CyclicException": "errors",
    "DAG": "graph.dag",
    "Edge": "model.snapshot",
    "Event": "wire.connection_events",
    "EzmsgError": "errors",
    "FailureReceived": "wire.connection_events",
    "FrameParser": "wire.frames",
    "GraphSnapshot": "model.snapshot",
    "ItemReceived": "wire.connection_events",
    "NoticeReceived": "wire.connection_events",
    "Opened": "wire.connection_events",
    "PACKAGE_VERSION": "revisions",
    "Phase": "wire.connection",
    "PlainArray": "wire.plain",
    "ReplyReceived": "wire.connection_events",
    "RequestReceived": "wire.connection_events",
    "Revision": "revisions",
    "ServerHandshake": "wire.handshake",
    "StreamEnded": "wire.connection_events",
    "TlsFiles": "wire.tls.files",
    "decode": "wire.codec",
    "encode": "wire.codec",
    "frame": "wire.frames",
    "from_failure": "wire.failures",
    "negotiate": "revisions",
    "parse_address": "addresses",
    "to_failure": "wire.failures",
    "to_plain": "wire.plain",
}

_SUBMODULES = frozenset({"errors", "messages", "model"})


def __getattr__(name: str) -> "Any":
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
