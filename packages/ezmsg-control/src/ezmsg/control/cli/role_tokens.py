"""``ezmsg server token``: from the server's own token, one that gives less, in a file of its own."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from ezmsg.control.cli.options import AddressOption
from ezmsg.control.cli.saying import note, say

_FAILED = 1

RoleOption = Annotated[
    Literal["observer", "operator"],
    Parameter(
        help="An observer reads; an operator also changes settings and edges, traces, and hears messages. "
        "The server's own token makes an admin."
    ),
]
FileOption = Annotated[
    Path | None, Parameter(help="Where to write it; - is standard output. Default: ~/.config/ezmsg/token-ROLE.")
]


def token(*, role: RoleOption, file: FileOption = None, address: AddressOption = None) -> int:
    """Make a token that lets others into a graph with fewer rights than your own, and write it into a file.

    It is not shown, and needs no answer of the server: what you find the server's own token by is enough. It is
    good for as long as that one is. For example:

    ezmsg server token --role observer
    """
    from ezmsg.control.connection.discovery import find_address, find_token
    from ezmsg.protocol.wire.roles import Role, role_of, role_token

    server = find_address(address)
    own = find_token(server)
    if not own:
        what = "there is none of" if own is None else "that lets everybody in without one:"
        note(
            f"ezmsg: A token is made from the server's own, and {what} {server}. Set EZMSG_TOKEN_FILE to its file."
        )
        return _FAILED
    if role_of(own) is not Role.ADMIN:
        note(
            f"ezmsg: Yours is a token of an {role_of(own).word}, of which no other can be made. "
            "Ask whoever runs the server."
        )
        return _FAILED
    made = role_token(own, Role[role.upper()])
    if file == Path("-"):
        say([made.decode()])
        return 0
    return _write(file or _default_file(role), made)


def _default_file(role: str) -> Path:
    import os

    folder = os.environ.get("XDG_CONFIG_HOME")
    return (Path(folder) if folder else Path.home() / ".config") / "ezmsg" / f"token-{role}"


def _write(path: Path, made: bytes) -> int:
    """Write the file, readable for its user alone, unless something else is in it than such a token."""
    import os
    import tempfile

    if _holds_something_else(path):
        note(f"ezmsg: {path} holds something else, and was left as it is. Name another: --file FILE")
        return _FAILED
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # of mode 0600
    try:
        with os.fdopen(descriptor, "wb") as written:
            written.write(made + b"\n")
        Path(name).replace(path)
    except BaseException:  # whatever interrupts it: nothing half written stays
        Path(name).unlink(missing_ok=True)
        raise
    say([str(path)])
    note("Bring it by a way that you trust to whoever is to have it, and there: export EZMSG_TOKEN_FILE=FILE")
    return 0


def _holds_something_else(path: Path) -> bool:
    from ezmsg.protocol.wire.roles import Role, role_of

    try:
        content = path.read_bytes().strip()
    except FileNotFoundError:
        return False
    return bool(content) and role_of(content) is Role.ADMIN
