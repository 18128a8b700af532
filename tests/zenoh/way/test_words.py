"""Words of streams: only who holds the token makes them, for their stream and in their direction."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.wire.roles import Role, role_token
from ezmsg.zenoh.way.words import (
    NONCE_BYTES,
    WORD_LIMIT,
    Kind,
    StreamKeys,
    Word,
    answer,
    answered,
    asked,
    begin,
    from_bytes,
    question,
    stream_keys,
    to_bytes,
)

NONCES = st.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES)
TOKENS = st.binary(max_size=200)
NUMBERS = st.integers(0, 2**64 - 1)
WORDS = st.builds(Word, st.sampled_from(Kind), NUMBERS, NUMBERS, st.binary())


@given(WORDS, st.binary(max_size=32), st.binary(max_size=32))
def test_a_word_is_read_by_who_has_its_key(word: Word, key: bytes, other: bytes) -> None:
    data = to_bytes(word, key)
    assert from_bytes(data, key) == word
    if other.rstrip(b"\0") != key.rstrip(b"\0"):
        with pytest.raises(ValueError, match="signature"):
            from_bytes(data, other)


@given(st.binary(), st.binary(max_size=32))
def test_whatever_comes_is_a_word_or_a_value_error(data: bytes, key: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_bytes(data, key + b"k")
    found = asked(data, b"token")
    assert found is None or found[0] in (Kind.ASK, Kind.BEGIN)


@given(TOKENS, st.sampled_from(Role), NONCES, NONCES)
def test_a_client_and_a_server_that_share_a_token_share_the_keys(
    own: bytes, role: Role, client_nonce: bytes, server_nonce: bytes
) -> None:
    token = role_token(own, role) if own else b""
    assert asked(question(token, client_nonce), own) == (Kind.ASK, token, client_nonce)
    keys = stream_keys(token, "stream", client_nonce, server_nonce)
    assert answered(answer(server_nonce, keys), token, "stream", client_nonce) == keys
    first = begin(token, client_nonce, keys)
    assert asked(first, own) == (Kind.BEGIN, token, client_nonce)
    assert from_bytes(first, keys.client).kind is Kind.BEGIN


@given(TOKENS, TOKENS, NONCES, NONCES, NONCES)
def test_nobody_else_has_the_keys(
    token: bytes, other: bytes, client_nonce: bytes, server_nonce: bytes, later: bytes
) -> None:
    keys = stream_keys(token, "stream", client_nonce, server_nonce)
    told = answer(server_nonce, keys)
    if token != other:
        assert answered(told, other, "stream", client_nonce) is None
    assert answered(told, token, "another stream", client_nonce) is None
    if client_nonce != later:
        assert answered(told, token, "stream", later) is None
    assert keys.client != keys.server


@given(st.binary())
def test_what_is_no_answer_says_nothing_of_the_token(data: bytes) -> None:
    whole = len(answer(bytes(NONCE_BYTES), StreamKeys(b"", b"")))
    if len(data) != whole:
        with pytest.raises(ValueError, match="no answer"):
            answered(data, b"token", "stream", bytes(NONCE_BYTES))


def test_tokens_that_begin_alike_are_not_alike() -> None:
    nonces = bytes(NONCE_BYTES), bytes(NONCE_BYTES)
    assert stream_keys(b"a" * 64, "s", *nonces) != stream_keys(b"a" * 65, "s", *nonces)


def test_what_is_too_long_is_not_even_looked_at() -> None:
    with pytest.raises(ValueError, match="too long"):
        from_bytes(bytes(WORD_LIMIT + 1), b"key")
