"""What a client may do: its role, which its token carries.

A server has one token of its own, which makes its holder an admin. Those of the other roles are made from it by a
keyed hash: the server need not keep them, whoever has the server's own makes them without asking anybody, and
nobody can go the other way. They say in plain letters which role they are for, because the two sides must agree on
the key of their proofs; to change these letters gives a token that fits nothing.
"""

import re
from enum import IntEnum

from ezmsg.protocol.wire import auth


class Role(IntEnum):
    """What a client may do; each role may do what the smaller ones may."""

    OBSERVER = 1
    """Read the graph, its settings, its processes, and follow what changes."""

    OPERATOR = 2
    """Also change settings and edges, trace, and hear messages."""

    ADMIN = 3
    """All: also publish and own units, pause and shut down."""

    @property
    def word(self) -> str:
        """The role as tokens, messages and people name it."""
        return self.name.lower()


_MADE = re.compile(rb"ezmsg-(observer|operator)-[0-9a-f]{64}")


def role_token(own: bytes, role: Role) -> bytes:
    """Return the token of a role of a server, given the server's own."""
    if role is Role.ADMIN:
        return own
    return f"ezmsg-{role.word}-{auth.role_key(own, role.word.encode()).hex()}".encode()


def role_of(token: bytes) -> Role:
    """Return the role that a token is for; no more than what it says, which the server puts to the proof."""
    made = _MADE.fullmatch(token)
    return Role.ADMIN if made is None else Role[made[1].decode().upper()]


def role_named(word: str) -> Role | None:
    """Return the role that is named so, if there is one."""
    return next((role for role in Role if role.word == word), None)
