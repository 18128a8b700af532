"""What the two ends of a stream say to each other, as signed bytes.

Before the server has shown by its answer that it holds the client's token, nothing is signed; from then on each
word is, by a key made of the token and of what both ends have thrown in, and of its direction.
"""

import struct
from enum import IntEnum

from ezmsg.protocol.declared import declared
from ezmsg.protocol.wire.roles import Role, role_of, role_token
from ezmsg.zenoh.signing import SIGNATURE_BYTES, derived, sign, signed
from ezmsg.zenoh.way.flow import PIECE_BYTES

NONCE_BYTES = 32

WORD_LIMIT = 1024 + PIECE_BYTES
"""The longest word, with its signature; what is longer is not even looked at."""

_HEAD = struct.Struct("<BQQ")


class Kind(IntEnum):
    """What a word says."""

    ASK = 1
    """A client asks for a stream; its content is a role and a nonce."""

    ANSWER = 2
    """The server's nonce, signed: whoever has signed it holds the token."""

    BEGIN = 3
    """The stream begins; as in the question, so that the server need remember nobody who has only asked."""

    PIECE = 4
    """Bytes of the stream."""

    STATE = 5
    """Only what has come; the answer of an event loop to a probe has its number."""

    PROBE = 6
    """Is somebody there? Its number tells it from those before."""

    HERE = 7
    """Yes: the process is; its event loop may be busy."""

    RESET = 8
    """The stream is over."""


@declared
class Word:
    """One word; ``heard`` is the number of the next piece that its sender expects."""

    kind: Kind
    number: int = 0
    heard: int = 0
    content: bytes = b""


@declared
class StreamKeys:
    """The keys by which the client and the server sign."""

    client: bytes
    server: bytes


def stream_keys(token: bytes, stream: str, client_nonce: bytes, server_nonce: bytes) -> StreamKeys:
    """Return the keys of one stream, which nobody has who lacks the token."""
    # The empty token, of a server that lets everybody in, makes keys that everybody can make.
    key = derived(derived(token[:64], b"way", token), stream.encode(), client_nonce, server_nonce)
    return StreamKeys(derived(key, b"client"), derived(key, b"server"))


def to_bytes(word: Word, key: bytes) -> bytes:
    """Return a word, signed; with no key for what is said before there is one."""
    text = _HEAD.pack(word.kind, word.number, word.heard) + word.content
    return sign(key, text) + text


def from_bytes(data: bytes, key: bytes) -> Word:
    """Return a word.

    :raises ValueError: if nobody has made it who holds the key, or it is none.
    """
    if len(data) > WORD_LIMIT:
        raise ValueError("a word that is too long")
    return _read(signed(key, data))


def _read(text: bytes) -> Word:
    if len(text) < _HEAD.size:
        raise ValueError("a word that is too short")
    kind, number, heard = _HEAD.unpack_from(text)
    return Word(Kind(kind), number, heard, text[_HEAD.size :])


def question(token: bytes, nonce: bytes) -> bytes:
    """Return the question for a stream."""
    return to_bytes(Word(Kind.ASK, role_of(token), 0, nonce), b"")


def begin(token: bytes, nonce: bytes, keys: StreamKeys) -> bytes:
    """Return the first word of a stream that was answered for."""
    return to_bytes(Word(Kind.BEGIN, role_of(token), 0, nonce), keys.client)


def asked(data: bytes, own_token: bytes) -> tuple[Kind, bytes, bytes] | None:
    """Return what of these two somebody says, the token that it says to hold, and its nonce; not yet believed.

    ``None`` if it is neither.
    """
    try:
        word = _read(data[SIGNATURE_BYTES:])
        role = Role(word.number)
    except ValueError:
        return None
    if word.kind not in (Kind.ASK, Kind.BEGIN) or len(word.content) != NONCE_BYTES:
        return None
    return word.kind, role_token(own_token, role) if own_token else b"", word.content


def answer(nonce: bytes, keys: StreamKeys) -> bytes:
    """Return the answer to a question: the server's nonce, in front of what shows that it holds the token."""
    return nonce + to_bytes(Word(Kind.ANSWER), keys.server)


def answered(data: bytes, token: bytes, stream: str, nonce: bytes) -> StreamKeys | None:
    """Return the keys of a stream from the server's answer; ``None`` if that holds another token.

    :raises ValueError: if it is no answer.
    """
    if len(data) != len(answer(bytes(NONCE_BYTES), StreamKeys(b"", b""))):
        raise ValueError("this is no answer")
    keys = stream_keys(token, stream, nonce, data[:NONCE_BYTES])
    try:
        from_bytes(data[NONCE_BYTES:], keys.server)
    except ValueError:
        return None
    return keys
