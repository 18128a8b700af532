"""The tokens of roles: made from a server's own, never the other way, and proved like it."""

import itertools
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.errors import AuthenticationFailed
from ezmsg.protocol.messages.handshake import Challenge, Proof
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake
from ezmsg.protocol.wire.roles import Role, role_named, role_of, role_token

ID = UUID(int=1)


def shaken(held: bytes | None, own: bytes) -> tuple[ClientHandshake, ServerHandshake]:
    client = ClientHandshake(lambda: held, b"c" * 32, ID)
    server = ServerHandshake(own, b"s" * 32, ID)
    challenge = server.receive(client.start())
    proof = client.receive(challenge)
    client.receive(server.receive(proof))
    return client, server


@given(st.binary(min_size=1).filter(lambda own: role_of(own) is Role.ADMIN))
def test_each_token_gives_its_role(own: bytes) -> None:
    for role in Role:
        token = role_token(own, role)
        assert role_of(token) is role
        client, server = shaken(token, own)
        assert server.role is role
        assert client.welcome is not None
        assert role_named(client.welcome.role) is role
    assert len({role_token(own, role) for role in Role}) == len(Role)


@pytest.mark.parametrize("role", Role, ids=lambda role: role.word)
def test_another_servers_token_of_the_same_role_is_none(role: Role) -> None:
    with pytest.raises(AuthenticationFailed):
        shaken(role_token(b"another", role), b"own")


@pytest.mark.parametrize(
    ("held", "claimed"),
    [(held, claimed) for held, claimed in itertools.product(Role, Role) if held is not claimed],
)
def test_nobody_proves_a_role_by_the_token_of_another(held: Role, claimed: Role) -> None:
    client = ClientHandshake(lambda: role_token(b"own", held), b"c" * 32, ID)
    server = ServerHandshake(b"own", b"s" * 32, ID)
    proof = client.receive(server.receive(client.start()))
    assert isinstance(proof, Proof)
    with pytest.raises(AuthenticationFailed):
        server.receive(Proof(proof.proof, claimed.word))
    assert server.role is None


def test_an_unknown_role_is_no_way_in() -> None:
    client = ClientHandshake(lambda: role_token(b"own", Role.OBSERVER), b"c" * 32, ID)
    server = ServerHandshake(b"own", b"s" * 32, ID)
    proof = client.receive(server.receive(client.start()))
    assert isinstance(proof, Proof)
    with pytest.raises(AuthenticationFailed):
        server.receive(Proof(proof.proof, "owner"))


def test_a_letter_changed_in_a_token_makes_nobody_more() -> None:
    forged = role_token(b"own", Role.OBSERVER).replace(b"observer", b"operator")
    assert role_of(forged) is Role.OPERATOR
    with pytest.raises(AuthenticationFailed):
        shaken(forged, b"own")


def test_an_insecure_server_has_no_roles() -> None:
    client = ClientHandshake(lambda: role_token(b"", Role.OBSERVER), b"c" * 32, ID)
    challenge = ServerHandshake(b"", b"s" * 32, ID).receive(client.start())
    assert isinstance(challenge, Challenge)
    assert challenge.role_proofs == {}
    with pytest.raises(AuthenticationFailed):
        client.receive(challenge)
    _, server = shaken(b"", b"")
    assert server.role is Role.ADMIN


def test_a_server_of_an_earlier_release_lets_admins_in_and_nobody_less() -> None:
    for role, fits in ((Role.ADMIN, True), (Role.OBSERVER, False)):
        client = ClientHandshake(lambda role=role: role_token(b"own", role), b"c" * 32, ID)  # type: ignore[misc]
        challenge = ServerHandshake(b"own", b"s" * 32, ID).receive(client.start())
        assert isinstance(challenge, Challenge)
        early = Challenge(challenge.revision, challenge.package, challenge.nonce, challenge.proof)
        if fits:
            assert client.receive(early) is not None
        else:
            with pytest.raises(AuthenticationFailed):
                client.receive(early)
