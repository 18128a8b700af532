"""Both sides of the handshake as two small state machines: a message in, the answer out.

A refusal is an error of the tree, raised; the connection sends it to the peer and closes.
"""

from collections.abc import Callable
from uuid import UUID

from ezmsg.protocol.errors import AuthenticationFailed, ProtocolViolation, VersionMismatch
from ezmsg.protocol.messages.handshake import Challenge, Hello, Proof, Refusal, Welcome
from ezmsg.protocol.revisions import CURRENT, PACKAGE_VERSION, Revision, negotiate
from ezmsg.protocol.wire import auth
from ezmsg.protocol.wire.failures import from_failure
from ezmsg.protocol.wire.roles import Role, role_named, role_of, role_token


class ClientHandshake:
    """``Hello`` -> wait for ``Challenge`` -> ``Proof`` -> wait for ``Welcome``.

    :param find_token: returns what both sides must hold; called when the server has spoken, as one that has just
        started may announce its token a moment after it listens. The empty token accepts a server that lets
        everybody in; ``None``, for a client that has none, refuses such a server too, because anybody may have
        started it.
    """

    def __init__(
        self,
        find_token: Callable[[], bytes | None],
        nonce: bytes,
        client_id: UUID,
        pid: int | None = None,
        host: str | None = None,
        revision: Revision = CURRENT,
        name: str | None = None,
        incarnation: int = 0,
    ) -> None:
        self._find_token = find_token
        self._hello = Hello(revision, PACKAGE_VERSION, nonce, client_id, pid, host, name, incarnation)
        self._challenge: Challenge | None = None
        self.welcome: Welcome | None = None
        self.revision: Revision | None = None

    @property
    def done(self) -> bool:
        """Whether the connection is open."""
        return self.welcome is not None

    @property
    def server_package(self) -> str:
        """The version of the server's ``ezmsg-protocol``, empty before it has spoken."""
        return "" if self._challenge is None else self._challenge.package

    def start(self) -> Hello:
        """Return the first message."""
        return self._hello

    def receive(self, message: object) -> Proof | None:
        """Take the server's next message and return the answer to it.

        :raises EzmsgError: if the server refuses, cannot prove itself, or speaks out of turn, or if no token
            can be read.
        """
        match message:
            case Refusal(code=code, text=text, fields=fields):
                raise from_failure(code, text, fields)
            case Challenge() if self._challenge is None:
                return self._answer(message)
            case Welcome() if self._challenge is not None:
                self.welcome = message
                return None
        raise ProtocolViolation(reason=f"{type(message).__name__} came out of turn in the handshake")

    def _answer(self, challenge: Challenge) -> Proof:
        ours = self._hello.revision
        self.revision = _agree(ours, challenge.revision, challenge.package)
        _check_nonce(challenge.nonce)
        held = self._find_token()
        token = held or b""
        role = role_of(token)
        expected = auth.server_proof(token, self._hello.nonce, challenge.nonce)
        offered = challenge.proof if role is Role.ADMIN else challenge.role_proofs.get(role.word, b"")
        if not auth.same(expected, offered):
            why = "another token than this client" if held else "a token, and this client has none"
            raise AuthenticationFailed(reason=f"the graph server holds {why}")
        if held is None:
            raise AuthenticationFailed(
                reason="the graph server runs with --insecure, so anybody may have started it; "
                "EZMSG_INSECURE=1 accepts it all the same"
            )
        self._challenge = challenge
        return Proof(auth.client_proof(token, self._hello.nonce, challenge.nonce), role.word)


class ServerHandshake:
    """Wait for ``Hello`` -> ``Challenge`` -> wait for ``Proof`` -> ``Welcome``."""

    def __init__(
        self, token: bytes, nonce: bytes, epoch: UUID, revision: Revision = CURRENT, listens_on: str = ""
    ) -> None:
        self._token = token
        self._nonce = nonce
        self._epoch = epoch
        self._listens_on = listens_on
        self._ours = revision
        self.hello: Hello | None = None
        self.revision: Revision | None = None
        self.role: Role | None = None
        self.done = False

    def receive(self, message: object) -> Challenge | Welcome:
        """Take the client's next message and return the answer to it.

        :raises EzmsgError: if the client refuses, cannot prove itself, or speaks out of turn.
        """
        match message:
            case Refusal(code=code, text=text, fields=fields):
                raise from_failure(code, text, fields)
            case Hello() if self.hello is None:
                return self._challenge(message)
            case Proof(proof=proof, role=role) if self.hello is not None:
                return self._welcome(self.hello, proof, role)
        raise ProtocolViolation(reason=f"{type(message).__name__} came out of turn in the handshake")

    def _challenge(self, hello: Hello) -> Challenge:
        self.revision = _agree(self._ours, hello.revision, hello.package)
        _check_nonce(hello.nonce)
        self.hello = hello
        proofs = {
            role.word: auth.server_proof(role_token(self._token, role), hello.nonce, self._nonce)
            for role in (Role if self._token else [Role.ADMIN])  # without a token, everybody may do everything
        }
        return Challenge(self._ours, PACKAGE_VERSION, self._nonce, proofs.pop(Role.ADMIN.word), proofs)

    def _welcome(self, hello: Hello, proof: bytes, word: str) -> Welcome:
        role = role_named(word) or Role.ADMIN
        token = role_token(self._token, role)
        if not auth.same(auth.client_proof(token, hello.nonce, self._nonce), proof):
            raise AuthenticationFailed(reason="the client did not prove that it holds this server's token")
        self.role = role
        self.done = True
        return Welcome(self._epoch, self._listens_on, role.word)


def _agree(ours: Revision, theirs: Revision, their_package: str) -> Revision:
    agreed = negotiate(ours, theirs)
    if agreed is None:
        raise VersionMismatch(ours=ours, theirs=theirs, our_package=PACKAGE_VERSION, their_package=their_package)
    return agreed


def _check_nonce(nonce: bytes) -> None:
    if len(nonce) != auth.NONCE_SIZE:
        raise ProtocolViolation(reason=f"the nonce has {len(nonce)} bytes and not {auth.NONCE_SIZE}")
