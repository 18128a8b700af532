"""Bytes to messages, and messages to bytes: what an untrusted network carries, signed.

What the two ends say to each other is signed with the channel's key; of a message its head is, with a key that all
who hear the publisher have: its number, its buffer, its size and its form. The bytes of a message are not: that
nobody changes them on their way is for access control and TLS to see to, as over a TCP connection of ours.
"""

import struct
from typing import NamedTuple

from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.wire.codec import decode, encode
from ezmsg.zenoh.channels.messages import KINDS
from ezmsg.zenoh.signing import derived, sign, signed

_HEAD = struct.Struct("<QIQQI")
"""The message's number, its token, its bytes, 0 or 1 more than the number of its form, and that content's bytes."""

HEAD_BYTES = _HEAD.size

FRAME_LIMIT = 2 * 1024 * 1024
"""The longest word of the conversation: the numbers of as many messages as the largest window holds fit in."""


class Head(NamedTuple):
    """What stands before a message: with its form's content if some end may not know it yet."""

    number: int
    token: int
    size: int
    form: int | None
    content: bytes


def heads_to_bytes(heads: list[Head], key: bytes) -> bytes:
    """Return the heads of messages that go together, signed."""
    text = b"".join([_head_to_bytes(head) for head in heads])
    return sign(key, text) + text


def _head_to_bytes(head: Head) -> bytes:
    form = 0 if head.form is None else head.form + 1
    return _HEAD.pack(head.number, head.token, head.size, form, len(head.content)) + head.content


def heads_from_bytes(data: bytes, key: bytes) -> list[Head]:
    """Return the heads of messages that came together.

    :raises ValueError: if nobody who holds the key has made them.
    """
    text = signed(key, data)
    heads, at = [], 0
    while at < len(text):
        if len(text) - at < _HEAD.size:
            raise ValueError("a head of a message that is too short")
        number, token, size, form, content_size = _HEAD.unpack_from(text, at)
        at += _HEAD.size
        content = text[at : at + content_size]
        if len(content) != content_size:
            raise ValueError("a form that is too short")
        at += content_size
        heads.append(Head(number, token, size, form - 1 if form else None, content))
    return heads


def to_bytes(message: object, key: bytes) -> bytes:
    """Return a message of the conversation, signed."""
    text = bytes([KINDS.index(type(message))]) + encode(message)
    return sign(key, text) + text


def from_bytes(data: bytes, key: bytes) -> object:
    """Return a message of the conversation.

    :raises ValueError: if nobody who holds the key has made it, or it is too long, or of a kind that is not known.
    :raises EzmsgError: if its fields are not those of its kind.
    """
    if len(data) > FRAME_LIMIT:
        raise ValueError("a word of the conversation that is too long")
    text = signed(key, data)
    if not text or text[0] >= len(KINDS):
        raise ValueError("a word of the conversation of an unknown kind")
    return decode(text[1:], KINDS[text[0]])


def from_anybody(data: bytes, *keys: bytes) -> tuple[object, bytes] | None:
    """Return a message of the conversation, and with which of the keys it was signed; ``None`` if it is none.

    Before the two ends know each other, they sign with a key of no bytes, which anybody can.
    """
    for key in (*keys, b""):
        try:
            return from_bytes(data, key), key
        except (ValueError, EzmsgError):
            continue
    return None


def refusal_key(channel_key: bytes, channel: str) -> bytes:
    """Return the key by which a publisher signs that it does not know a channel, or does not want it."""
    return derived(channel_key, b"refusal", channel.encode())
