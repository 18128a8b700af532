"""The metadata of one stream, topic or relay."""

from typing import Any

from ezmsg.core.graph.relays import InputRelay, OutputRelay, Relay, resolve_relay
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic, Stream
from ezmsg.protocol.model.metadata import (
    InputRelayMetadata,
    InputStreamMetadata,
    InputTopicMetadata,
    OutputRelayMetadata,
    OutputStreamMetadata,
    OutputTopicMetadata,
    RelayMetadata,
    StreamMetadata,
    TopicMetadata,
)

_QUEUE = ("leaky", "max_queue")
_SENDING = ("host", "port", "num_buffers", "buf_size", "force_tcp")


def type_name(described: object) -> str:
    """Return ``module.qualname`` of a class, and the repr of anything else that stands for a type."""
    if isinstance(described, type):
        return f"{described.__module__}.{described.__qualname__}"
    return repr(described)


def describe_stream(stream: Stream) -> StreamMetadata:
    """Describe a stream of a unit."""
    if isinstance(stream, InputStream):
        return InputStreamMetadata(**_identity(stream), **_options(stream, *_QUEUE))
    if isinstance(stream, OutputStream):
        return OutputStreamMetadata(**_identity(stream), **_options(stream, *_SENDING))
    return StreamMetadata(**_identity(stream))


def describe_topic(stream: Stream) -> TopicMetadata:
    """Describe a topic of a collection; a stream that stands there works as one."""
    if isinstance(stream, InputTopic | InputStream):
        return InputTopicMetadata(**_identity(stream))
    if isinstance(stream, OutputTopic | OutputStream):
        return OutputTopicMetadata(**_identity(stream))
    return TopicMetadata(**_identity(stream))


def describe_relay(relay: Relay) -> RelayMetadata | InputRelayMetadata | OutputRelayMetadata:
    """Describe a relay of a collection, with the hidden topics of its bridge."""
    common = {**_identity(relay), **_bridge(relay)}
    if isinstance(relay, InputRelay):
        return InputRelayMetadata(**common, **_options(relay, *_QUEUE))
    if isinstance(relay, OutputRelay):
        return OutputRelayMetadata(**common, **_options(relay, *_SENDING))
    return RelayMetadata(**common, **_options(relay, *_QUEUE, *_SENDING))


def _identity(stream: Stream) -> dict[str, Any]:
    return {"name": stream.name, "address": stream.address, "msg_type": type_name(stream.msg_type)}


def _bridge(relay: Relay) -> dict[str, Any]:
    resolved = resolve_relay(relay)
    return {
        "copy_on_forward": resolved.copy_on_forward,
        "relay_group": resolved.group,
        "relay_input_topic": resolved.input_topic,
        "relay_output_topic": resolved.output_topic,
    }


def _options(stream: Stream, *names: str) -> dict[str, Any]:
    return {name: getattr(stream, name) for name in names}
