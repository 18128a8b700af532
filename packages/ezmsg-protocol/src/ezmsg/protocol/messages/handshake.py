"""The first four messages of a connection, before which nothing else is parsed.

``Hello`` -> ``Challenge`` -> ``Proof`` -> ``Welcome``; or a ``Refusal`` from either side, and the end.
"""

from typing import ClassVar
from uuid import UUID

from attrs import field

from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.envelopes import Fields, no_fields
from ezmsg.protocol.revisions import Revision


@declared
class Hello:
    """A client says which protocol it speaks and who it is; ``nonce`` is fresh randomness.

    ``name`` is what it calls itself to people, such as ``tui``: who looks at what was changed reads it.
    ``incarnation`` rises with each connection of the same client: the newest one is the client, and what an older
    one still says is not heard.
    """

    TAG: ClassVar[str] = "hello"
    revision: Revision
    package: str
    nonce: bytes
    client_id: UUID
    pid: int | None = None
    host: str | None = None
    name: str | None = None
    incarnation: int = 0


@declared
class Challenge:
    """The server answers with its own nonce and, first of the two, proves that it holds the token.

    ``role_proofs`` prove the same by the tokens of other roles than admin, see :mod:`ezmsg.protocol.wire.roles`.
    """

    TAG: ClassVar[str] = "challenge"
    revision: Revision
    package: str
    nonce: bytes
    proof: bytes
    role_proofs: dict[str, bytes] = field(factory=dict)


@declared
class Proof:
    """The client proves that it holds the token of a role too."""

    TAG: ClassVar[str] = "proof"
    proof: bytes
    role: str = "admin"


@declared
class Welcome:
    """The connection is open.

    ``epoch`` names this run of this server, ``listens_on`` the host that it is bound to, ``role`` what the client
    may do.
    """

    TAG: ClassVar[str] = "welcome"
    epoch: UUID
    listens_on: str = ""
    role: str = "admin"


@declared
class Refusal:
    """The connection ends here, and why: an error's code, sentence and fields."""

    TAG: ClassVar[str] = "refusal"
    code: str
    text: str
    fields: Fields = field(factory=no_fields)


MESSAGES = (Hello, Challenge, Proof, Welcome, Refusal)
