"""Proofs that a peer holds a secret, without showing it: HMAC-SHA256 over both sides' nonces.

The roles in the text that is signed keep a proof of one side from being played back as the other's. An empty
token is a token like any other: it is what an insecure server and a client that accepts such a server share.
"""

import hmac

NONCE_SIZE = 32
"""Bytes of randomness that each side contributes."""


def client_proof(token: bytes, client_nonce: bytes, server_nonce: bytes) -> bytes:
    """Return the 32 bytes by which a client proves that it holds ``token``."""
    return _sign(token, b"ezmsg client", client_nonce, server_nonce)


def server_proof(token: bytes, client_nonce: bytes, server_nonce: bytes) -> bytes:
    """Return the 32 bytes by which a server proves that it holds ``token``."""
    return _sign(token, b"ezmsg server", client_nonce, server_nonce)


def channel_key(secret: bytes, channel_id: bytes) -> bytes:
    """Return the key of one channel, which only the publisher, the server and the channel's peer know."""
    return _sign(secret, b"ezmsg channel", channel_id)


def role_key(secret: bytes, role: bytes) -> bytes:
    """Return what the token of a role is made of, from the server's own token."""
    return _sign(secret, b"ezmsg role", role)


def same(ours: bytes, theirs: bytes) -> bool:
    """Compare two proofs in a time that tells nothing about where they differ."""
    return hmac.compare_digest(ours, theirs)


def _sign(key: bytes, *parts: bytes) -> bytes:
    # Every part is preceded by its length, so that no two lists of parts give the same text.
    text = b"".join(len(part).to_bytes(4, "little") + part for part in parts)
    return hmac.digest(key, text, "sha256")
