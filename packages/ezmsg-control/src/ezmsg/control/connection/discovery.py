"""Where the graph server is and which token opens it, found without a question to the user.

The rule is told in ``docs/explain/finding-the-graph.md``, and is the same for programs, for every public function
and for the command. Read-only: a client looks at the environment and at what servers of the same user announce.
"""

import logging
import os
import time
from pathlib import Path

from ezmsg.control.connection.announcements import listens, read_announcement, running_graphs, runs
from ezmsg.control.errors import SeveralServers
from ezmsg.protocol import announcement
from ezmsg.protocol.addresses import (
    ADDRESS_VARIABLE,
    DEFAULT_HOST,
    DEFAULT_PORT,
    Address,
    AddressType,
    parse_address,
)
from ezmsg.protocol.announcement import INSECURE_VARIABLE, TOKEN_FILE_VARIABLE, TOKEN_VARIABLE, Announcement
from ezmsg.protocol.errors import UnreadableToken
from ezmsg.protocol.wire.tls.files import TlsFiles, find_files

logger = logging.getLogger(__name__)

DEFAULT_ADDRESS = Address(DEFAULT_HOST, DEFAULT_PORT)

_told: set[Announcement] = set()


def find_address(address: AddressType | str | None = None) -> Address:
    """Return where the graph is that is meant.

    That is ``address`` if there is one, else what ``EZMSG_GRAPHSERVER_ADDR`` says. Where nobody names an address:
    the server at 127.0.0.1:25978 if one answers, else the one graph that this user runs on this machine, which the
    log names; else 127.0.0.1:25978. See ``docs/explain/finding-the-graph.md``.

    :raises InvalidAddress: if the argument or the variable is not an address.
    :raises SeveralServers: if this user runs several graphs, none of them at the default address.
    """
    named = named_address(address)
    if named is not None:
        return named
    running = running_graphs()
    if not running or any(each.address == DEFAULT_ADDRESS for each in running) or _default_is_ours():
        return DEFAULT_ADDRESS
    running = [each for each in running if listens(each.address)]  # whose number may be another process's by now
    if len(running) > 1:
        graphs = [told(each, time.time()) for each in running]
        raise SeveralServers(addresses=[str(each.address) for each in running], graphs=graphs)
    if not running:
        return DEFAULT_ADDRESS
    _tell(running[0])
    return running[0].address


def find_running(address: AddressType | str | None = None) -> Address:
    """Return what :func:`find_address` does; the name is from when that looked at the default address only."""
    return find_address(address)


def named_address(address: AddressType | str | None = None) -> Address | None:
    """Return the address that ``address`` or ``EZMSG_GRAPHSERVER_ADDR`` names; ``None`` if nobody names one.

    :raises InvalidAddress: if the argument or the variable is not an address.
    """
    if address is None:
        address = os.environ.get(ADDRESS_VARIABLE) or None
    return None if address is None else parse_address(address)


def told(graph: Announcement, now_s: float) -> str:
    """Return an announced graph for people: where it is, of which program, how old, with which units."""
    program = graph.program or "a program"
    return f"{graph.address} is {program} (pid {graph.pid}, {_age(now_s - graph.start_time)}, {_units(graph)})"


def _default_is_ours() -> bool:
    """Whether a server answers at the default address that did not announce itself, and we hold a token for it."""
    return find_token(DEFAULT_ADDRESS) is not None and listens(DEFAULT_ADDRESS)


def _tell(graph: Announcement) -> None:
    known = Announcement(graph.address, "", graph.pid, graph.start_time)
    if known not in _told:
        _told.add(known)
        program = graph.program or "a program"
        logger.info("Nobody named a graph: that of %s (pid %d) at %s is used.", program, graph.pid, graph.address)


def _age(seconds: float) -> str:
    if seconds < 120:
        return f"{max(0, round(seconds))} s old"
    if seconds < 7200:
        return f"{round(seconds / 60)} min old"
    return f"{round(seconds / 3600)} h old"


def _units(graph: Announcement) -> str:
    if not graph.unit_count:
        return "no units"
    more = f" and {graph.unit_count - len(graph.units)} more" if graph.unit_count > len(graph.units) else ""
    return f"unit{'s' if graph.unit_count > 1 else ''} {', '.join(graph.units)}{more}"


def find_token(address: Address) -> bytes | None:
    """Return the token for the server at ``address``: the UTF-8 bytes of a text without white space round it.

    Looked for in this order: ``EZMSG_TOKEN``, the file that ``EZMSG_TOKEN_FILE`` names, and, if the address is
    on this machine, the server's announcement. ``None`` means that there is none. The empty token stands for a
    server that lets everybody in: one of this user that announced itself so, or any if ``EZMSG_INSECURE`` is 1.

    :raises UnreadableToken: if the file that ``EZMSG_TOKEN_FILE`` names cannot be read or is empty, or a token is
        no text.
    """
    if token := os.environ.get(TOKEN_VARIABLE, "").strip():
        return _encoded(token, TOKEN_VARIABLE)
    if path := os.environ.get(TOKEN_FILE_VARIABLE):
        return _read_token(path)
    announced = read_announcement(address.port) if address.is_loopback else None
    if announced is not None:
        return _encoded(announced.token, announcement.announcement_name(address.port))
    return b"" if os.environ.get(INSECURE_VARIABLE) == "1" else None


def find_tls(address: Address) -> TlsFiles | None:
    """Return by what the server at ``address`` has to prove itself; ``None`` if all may travel openly.

    A server of this user on this machine says itself how it is spoken to. Of others, ``EZMSG_TLS_CA`` tells, or
    ``tls-ca.pem`` beside the file that ``EZMSG_TOKEN_FILE`` names: where there is one, nothing else than TLS is
    spoken.

    :raises TlsUnusable: if some of the files are named, and others that belong to them are not.
    """
    found = find_files(os.environ, os.environ.get(TOKEN_FILE_VARIABLE))
    announced = read_announcement(address.port) if address.is_loopback else None
    if announced is None:
        return found
    if not announced.authority:
        return None if runs(announced.pid) else found  # what a dead one has left says nothing
    return found or TlsFiles(announced.authority, source=announcement.announcement_name(address.port))


def _read_token(path: str) -> bytes:
    try:
        token = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UnreadableToken(file=path, reason=getattr(error, "strerror", None) or str(error)) from error
    if not token:
        raise UnreadableToken(file=path, reason="it is empty")
    return token.encode()


def _encoded(token: str, source: str) -> bytes:
    try:
        return token.encode()
    except UnicodeEncodeError as error:
        raise UnreadableToken(file=source, reason="it is no text in UTF-8") from error
