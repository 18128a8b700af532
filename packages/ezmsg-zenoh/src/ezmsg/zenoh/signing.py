"""Signatures and keys: who holds a key shows it by what it says, and makes other keys of it."""

import hmac
from hashlib import blake2b

SIGNATURE_BYTES = 16


def sign(key: bytes, text: bytes) -> bytes:
    """Return what only a holder of the key can have made of a text."""
    return blake2b(text, digest_size=SIGNATURE_BYTES, key=key).digest()


def signed(key: bytes, data: bytes) -> bytes:
    """Return a text without its signature.

    :raises ValueError: if that is not of the key.
    """
    signature, text = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, sign(key, text)):
        raise ValueError("the signature is not of this channel's key")
    return text


def derived(key: bytes, *parts: bytes) -> bytes:
    """Return a key that is made of another one and of what tells its purpose."""
    return blake2b(b"\0".join(parts), digest_size=32, key=key).digest()


def masked(data: bytes, key: bytes) -> bytes:
    """Hide 32 bytes from who lacks a key, or show them to who has it. A key is used for this once."""
    return bytes(a ^ b for a, b in zip(data, derived(key, b"mask"), strict=True))
