"""Metadata encoded once: it comes back as it was, and its digest tells it from any other."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.errors import InvalidMessage, MalformedFrame
from ezmsg.protocol.model.metadata import ComponentMetadata, DynamicSettingsMetadata, GraphMetadata
from ezmsg.protocol.snapshots.encoded_metadata import decode_metadata, digest, encode_metadata
from ezmsg.protocol.testing import instances
from ezmsg.protocol.wire.codec import encode
from ezmsg.protocol.wire.plain import pack

FIXED = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
COMPONENT = ComponentMetadata("A", "A", "lab.A", "lab.S", (None, "S()"), FIXED, None)

# Written once: what a released server has sent.
GOLDEN = bytes.fromhex(
    "83ae736368656d615f76657273696f6e01a9726f6f745f6e616d65a34c4142aa636f6d706f6e656e747381a141c4a988"
    "a474797065a9636f6d706f6e656e74a761646472657373a141a46e616d65a141ae636f6d706f6e656e745f74797065a5"
    "6c61622e41ad73657474696e67735f74797065a56c61622e53b0696e697469616c5f73657474696e677392c0a3532829"
    "b064796e616d69635f73657474696e677383a7656e61626c6564c2ab696e7075745f746f706963c0ad73657474696e67"
    "735f74797065c0af73657474696e67735f736368656d61c0"
)


@given(instances(GraphMetadata))
def test_it_comes_back_as_it_was(metadata: GraphMetadata) -> None:
    back = decode_metadata(encode_metadata(metadata))
    assert back == metadata
    assert list(back.components) == list(metadata.components)
    assert encode_metadata(back) == encode_metadata(metadata), "a relayed copy has another name"


@given(instances(GraphMetadata), instances(GraphMetadata))
def test_a_digest_tells_it_from_any_other(one: GraphMetadata, other: GraphMetadata) -> None:
    same = digest(encode_metadata(one)) == digest(encode_metadata(other))
    assert same == (encode(one) == encode(other))


def test_what_a_released_server_has_sent_is_understood() -> None:
    assert decode_metadata(GOLDEN) == GraphMetadata(1, "LAB", {"A": COMPONENT})


@pytest.mark.parametrize("wire", [{}, {"components": {"A": "text"}}, {"components": {"A": pack({"address": 3})}}])
def test_what_is_no_metadata_is_refused(wire: dict[str, object]) -> None:
    with pytest.raises(InvalidMessage):
        decode_metadata(pack({"schema_version": 1, "root_name": None, **wire}))


@given(st.binary(max_size=60))
def test_any_bytes_are_metadata_or_refused(data: bytes) -> None:
    with suppress(InvalidMessage, MalformedFrame):
        decode_metadata(data)
