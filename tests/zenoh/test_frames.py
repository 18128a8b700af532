"""Bytes to messages and back; whatever comes that no holder of the key has made is refused."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.channels.backpressure import MAX_NUM_BUFFERS
from ezmsg.protocol.errors import EzmsgError
from ezmsg.zenoh.channels import messages
from ezmsg.zenoh.channels.frames import (
    FRAME_LIMIT,
    Head,
    from_bytes,
    heads_from_bytes,
    heads_to_bytes,
    to_bytes,
)
from ezmsg.zenoh.signing import derived, masked, sign

KEYS = st.binary(min_size=0, max_size=64)
IDS = st.uuids()
NUMBERS = st.integers(0, 2**63 - 1)
HEADS = st.builds(
    Head, NUMBERS, st.integers(0, 2**16), NUMBERS, st.none() | st.integers(0, 2**62), st.binary(max_size=100)
)
MESSAGES = st.one_of(
    st.builds(messages.Ask, IDS, st.binary(max_size=32)),
    st.builds(messages.Challenge, st.binary(max_size=32), st.binary(max_size=32)),
    st.builds(messages.Prove, st.binary(max_size=32)),
    st.builds(messages.Opened, NUMBERS, st.integers(1, 2**16), st.binary(max_size=32)),
    st.builds(messages.Refused, st.text(max_size=50)),
    st.builds(messages.Held, NUMBERS, st.lists(NUMBERS, max_size=9), st.lists(NUMBERS, max_size=9), st.booleans()),
    st.builds(messages.Sent, NUMBERS, st.booleans(), st.booleans(), st.text(max_size=50)),
)


@given(MESSAGES, KEYS)
def test_messages_come_back(message: object, key: bytes) -> None:
    assert from_bytes(to_bytes(message, key), key) == message


@given(st.lists(HEADS, max_size=9), KEYS)
def test_heads_come_back(heads: list[Head], key: bytes) -> None:
    assert heads_from_bytes(heads_to_bytes(heads, key), key) == heads


@given(MESSAGES, KEYS, KEYS)
def test_who_has_another_key_is_not_believed(message: object, key: bytes, other: bytes) -> None:
    if key.rstrip(b"\0") != other.rstrip(b"\0"):
        with pytest.raises(ValueError, match="signature"):
            from_bytes(to_bytes(message, key), other)


@given(MESSAGES, st.data())
def test_a_changed_byte_is_noticed(message: object, data: st.DataObject) -> None:
    sent = bytearray(to_bytes(message, b"key"))
    index = data.draw(st.integers(0, len(sent) - 1))
    sent[index] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="signature"):
        from_bytes(bytes(sent), b"key")


@given(st.binary(max_size=300))
def test_any_bytes_with_a_right_signature_are_a_message_or_an_error(text: bytes) -> None:
    for read in (from_bytes, heads_from_bytes):
        try:
            read(sign(b"key", text) + text, b"key")
        except (ValueError, EzmsgError):
            continue


def test_what_is_too_long_is_not_even_looked_at() -> None:
    with pytest.raises(ValueError, match="too long"):
        from_bytes(bytes(FRAME_LIMIT + 1), b"key")


@given(st.binary(min_size=32, max_size=32), KEYS)
def test_a_mask_hides_and_shows(data: bytes, key: bytes) -> None:
    assert masked(masked(data, key), key) == data
    assert masked(data, key) != data


def test_keys_for_different_purposes_differ() -> None:
    made = {derived(b"key", *parts) for parts in ([b"a"], [b"b"], [b"a", b""], [b"", b"a"], [b"mask"])}
    assert len(made) == 5


def test_the_largest_window_fits_in() -> None:
    many = list(range(2**63 - MAX_NUM_BUFFERS, 2**63))
    held = messages.Held(2**63, many, many)
    assert from_bytes(to_bytes(held, b"key"), b"key") == held


def test_every_kind_has_its_number() -> None:
    """These are on the network: a kind keeps its number for ever."""
    names = ["Ask", "Challenge", "Prove", "Opened", "Refused", "Held", "Sent"]
    assert [kind.__name__ for kind in messages.KINDS] == names
    assert to_bytes(messages.Ask(UUID(int=1), b""), b"")[16] == 0
