"""Proofs: only the same secret, the same nonces and the same role give the same bytes."""

import hashlib
import hmac

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.wire import auth

SECRETS = st.binary(max_size=8)


@given(SECRETS, SECRETS, SECRETS)
def test_one_role_cannot_answer_with_the_proof_of_another(token: bytes, ours: bytes, theirs: bytes) -> None:
    proofs = [
        auth.client_proof(token, ours, theirs),
        auth.server_proof(token, ours, theirs),
        auth.channel_key(token, ours),
    ]
    assert len(set(proofs)) == len(proofs)
    assert {len(proof) for proof in proofs} == {32}


@given(st.tuples(SECRETS, SECRETS, SECRETS), st.tuples(SECRETS, SECRETS, SECRETS))
def test_other_secrets_or_nonces_give_other_proofs(
    one: tuple[bytes, bytes, bytes], other: tuple[bytes, bytes, bytes]
) -> None:
    # HMAC pads its key with zeros, so that tokens which differ in trailing zeros alone are the same token.
    same = (one[0].rstrip(b"\0"), *one[1:]) == (other[0].rstrip(b"\0"), *other[1:])
    assert (auth.client_proof(*one) == auth.client_proof(*other)) == same
    assert (auth.server_proof(*one) == auth.server_proof(*other)) == same


@given(token=SECRETS, whole=st.binary(min_size=1, max_size=8), data=st.data())
def test_bytes_cannot_move_from_one_nonce_to_the_other(token: bytes, whole: bytes, data: st.DataObject) -> None:
    one, other = data.draw(st.tuples(*[st.integers(0, len(whole))] * 2).filter(lambda cuts: cuts[0] != cuts[1]))
    assert auth.client_proof(token, whole[:one], whole[one:]) != auth.client_proof(
        token, whole[:other], whole[other:]
    )


@given(SECRETS, SECRETS)
def test_same_is_equality(one: bytes, other: bytes) -> None:
    assert auth.same(one, other) == (one == other)
    assert auth.same(one, bytes(one))


def test_a_proof_is_an_hmac_over_the_role_and_both_nonces() -> None:
    text = b"\x0c\0\0\0ezmsg client" + b"\x03\0\0\0one" + b"\x05\0\0\0other"
    expected = hmac.new(b"token", text, hashlib.sha256).digest()
    assert auth.client_proof(b"token", b"one", b"other") == expected
