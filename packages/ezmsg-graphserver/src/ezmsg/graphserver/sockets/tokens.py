"""Which token a server asks for."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from ezmsg.protocol.errors import InsecureBind, UnreadableToken
from ezmsg.protocol.wire.roles import Role, role_of


def given_token(token: str | None, environ: Mapping[str, str]) -> str | None:
    """Return the token that was given as an argument or by ``EZMSG_TOKEN`` or ``EZMSG_TOKEN_FILE``, if any.

    :raises UnreadableToken: if the file cannot be read or is empty, or a token is no text.
    """
    if token is not None and token.strip():
        return _checked(token, "the argument")
    if from_variable := environ.get(TOKEN_VARIABLE, "").strip():
        return _checked(from_variable, TOKEN_VARIABLE)
    if path := environ.get(TOKEN_FILE_VARIABLE):
        return read_token(path)
    return None


def read_token(path: str) -> str:
    """Return the token in a file, without white space round it.

    :raises UnreadableToken: if there is none.
    """
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UnreadableToken(file=path, reason=getattr(error, "strerror", None) or str(error)) from error
    if not token:
        raise UnreadableToken(file=path, reason="it is empty")
    return _checked(token, path)


def choose_token(given: str | None, address: Address, insecure: bool) -> str:
    """Return the token that a server on ``address`` asks for; the empty one lets everybody in.

    :raises InsecureBind: if other machines can reach the address, no token was given and nobody said that this
        is meant.
    """
    if given is not None:
        return given
    if insecure:
        return ""
    if not address.is_loopback:
        raise InsecureBind(address=str(address))
    return secrets.token_hex(32)


def _checked(token: str, source: str) -> str:
    token = token.strip()
    try:
        role = role_of(token.encode())
    except UnicodeEncodeError as error:
        raise UnreadableToken(file=source, reason="it is no text in UTF-8") from error
    if role is not Role.ADMIN:
        reason = f"it is one that was made for an {role.word}, which no server can have for its own"
        raise UnreadableToken(file=source, reason=reason)
    return token
