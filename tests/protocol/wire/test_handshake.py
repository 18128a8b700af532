"""The handshake: it opens for the same token and a shared revision, and for nothing else."""

from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ezmsg.protocol.errors import AuthenticationFailed, EzmsgError, ProtocolViolation, VersionMismatch
from ezmsg.protocol.messages.handshake import Challenge, Hello, Proof, Refusal, Welcome
from ezmsg.protocol.revisions import CURRENT, PACKAGE_VERSION, Revision, negotiate
from ezmsg.protocol.testing import handshake_messages
from ezmsg.protocol.wire import auth
from ezmsg.protocol.wire.failures import to_failure
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake

CLIENT_ID, EPOCH = UUID(int=1), UUID(int=2)
NONCES = st.binary(min_size=auth.NONCE_SIZE, max_size=auth.NONCE_SIZE)
TOKENS = st.binary(max_size=8)
REVISIONS = st.builds(Revision, st.integers(0, 2), st.integers(0, 2))


def client(
    token: bytes | None = b"token", nonce: bytes = b"c" * auth.NONCE_SIZE, **options: Any
) -> ClientHandshake:
    return ClientHandshake(lambda: token, nonce, CLIENT_ID, **options)


def server(token: bytes = b"token", nonce: bytes = b"s" * auth.NONCE_SIZE, **options: Any) -> ServerHandshake:
    return ServerHandshake(token, nonce, EPOCH, **options)


@given(TOKENS, NONCES, NONCES, st.integers(0, 3), st.integers(0, 3))
def test_it_opens_for_the_same_token(token: bytes, ours: bytes, theirs: bytes, one: int, other: int) -> None:
    a = client(token, ours, pid=7, host="lab", revision=Revision(1, one))
    b = server(token, theirs, revision=Revision(1, other))
    hello = a.start()
    assert hello == Hello(Revision(1, one), PACKAGE_VERSION, ours, CLIENT_ID, 7, "lab")
    challenge = b.receive(hello)
    proof = a.receive(challenge)
    assert not a.done
    assert not b.done
    welcome = b.receive(proof)
    assert a.receive(welcome) is None
    assert a.done
    assert b.done
    assert a.welcome == Welcome(EPOCH)
    assert b.hello == hello
    assert a.revision == b.revision == (1, min(one, other))


@given(TOKENS, TOKENS)
def test_a_client_refuses_a_server_with_another_token(ours: bytes, theirs: bytes) -> None:
    assume(ours.rstrip(b"\0") != theirs.rstrip(b"\0"))
    a, b = client(ours), server(theirs)
    with pytest.raises(AuthenticationFailed) as refused:
        a.receive(b.receive(a.start()))
    assert ("this client has none" in refused.value.reason) == (not ours)
    assert not a.done


@pytest.mark.parametrize(("held", "said"), [(b"", "--insecure"), (b"token", "this client has none")])
def test_a_client_without_a_token_refuses_every_server(held: bytes, said: str) -> None:
    a = client(None)
    with pytest.raises(AuthenticationFailed, match=said):
        a.receive(server(held).receive(a.start()))
    assert not a.done


@given(TOKENS, NONCES, st.binary(max_size=40))
def test_a_server_opens_for_the_right_proof_alone(token: bytes, nonce: bytes, proof: bytes) -> None:
    assume(proof != auth.client_proof(token, b"c" * auth.NONCE_SIZE, nonce))
    b = server(token, nonce)
    b.receive(client(token).start())
    with pytest.raises(AuthenticationFailed):
        b.receive(Proof(proof))
    assert not b.done


def test_a_servers_own_proof_played_back_does_not_open_it() -> None:
    b = server()
    challenge = b.receive(client().start())
    assert isinstance(challenge, Challenge)
    with pytest.raises(AuthenticationFailed):
        b.receive(Proof(challenge.proof))


def test_a_clients_proof_does_not_open_another_connection() -> None:
    a, first, second = client(), server(nonce=b"1" * 32), server(nonce=b"2" * 32)
    proof = a.receive(first.receive(a.start()))
    second.receive(a.start())
    with pytest.raises(AuthenticationFailed):
        second.receive(proof)


@given(REVISIONS, REVISIONS)
def test_another_major_revision_is_refused_by_the_server(ours: Revision, theirs: Revision) -> None:
    a, b = client(revision=ours), server(revision=theirs)
    if negotiate(ours, theirs) is not None:
        assert isinstance(b.receive(a.start()), Challenge)
        return
    with pytest.raises(VersionMismatch) as refused:
        b.receive(a.start())
    error = refused.value
    assert (error.ours, error.theirs) == (theirs, ours)
    assert str(min(ours, theirs)) in error.sentence().rpartition("Upgrade")[2]


@given(REVISIONS.filter(lambda revision: revision.major != CURRENT.major))
def test_another_major_revision_is_refused_by_the_client(theirs: Revision) -> None:
    a = client()
    challenge = server().receive(a.start())
    with pytest.raises(VersionMismatch):
        a.receive(attrs.evolve(challenge, revision=theirs))


@pytest.mark.parametrize("size", [0, 31, 33, 10_000])
def test_a_nonce_of_another_size_is_refused_by_both(size: int) -> None:
    with pytest.raises(ProtocolViolation, match="nonce"):
        server().receive(client(nonce=bytes(size)).start())
    a = client()
    with pytest.raises(ProtocolViolation, match="nonce"):
        a.receive(server(nonce=bytes(size)).receive(a.start()))


@given(st.lists(handshake_messages(), min_size=1, max_size=4), st.booleans())
def test_strange_messages_are_typed_errors_and_never_open_anything(messages: list[object], halfway: bool) -> None:
    a, b = client(), server()
    if halfway:
        a.receive(b.receive(a.start()))
    for side in (a, b):
        for message in messages:
            try:
                side.receive(message)
            except EzmsgError:
                break
    assert not b.done
    if not halfway:
        assert not a.done


@pytest.mark.parametrize("message", [Welcome(EPOCH), Proof(b""), client().start(), None])
def test_a_client_takes_nothing_before_the_challenge(message: object) -> None:
    with pytest.raises(ProtocolViolation, match="out of turn"):
        client().receive(message)


def test_nothing_comes_twice() -> None:
    a, b = client(), server()
    challenge = b.receive(a.start())
    a.receive(challenge)
    with pytest.raises(ProtocolViolation, match="Challenge came out of turn"):
        a.receive(challenge)
    with pytest.raises(ProtocolViolation, match="Hello came out of turn"):
        b.receive(a.start())
    with pytest.raises(ProtocolViolation, match="Proof came out of turn"):
        server().receive(Proof(b""))


def test_a_refusal_comes_back_as_the_error_it_was() -> None:
    error = VersionMismatch(ours=Revision(2, 0), theirs=CURRENT, our_package="2.0.0", their_package="1.0.0")
    for side in (client(), server()):
        with pytest.raises(VersionMismatch) as refused:
            side.receive(Refusal(*to_failure(error)))
        assert refused.value.fields() == error.fields()
