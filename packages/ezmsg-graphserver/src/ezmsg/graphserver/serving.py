"""From an address and a token to a running server: what the command and the embedded thread have in common."""

import os
import socket
from typing import TYPE_CHECKING

from ezmsg.graphserver.deciding.configuration import Configuration, first_port
from ezmsg.graphserver.server import Server
from ezmsg.graphserver.sockets.binding import bind, bind_first_free, bound_address, resolve
from ezmsg.graphserver.sockets.tokens import choose_token, given_token
from ezmsg.protocol.addresses import DEFAULT_HOST, DEFAULT_PORT, Address
from ezmsg.protocol.announcement import TOKEN_FILE_VARIABLE
from ezmsg.protocol.errors import InsecureBind, InsecureMetrics, InvalidAddress, TlsUnusable
from ezmsg.protocol.wire.tls.files import CERTIFICATE_NAME, CERTIFICATE_VARIABLE, TlsFiles, find_files

if TYPE_CHECKING:
    from ezmsg.graphserver.files.state import StateFile
    from ezmsg.graphserver.sockets.tls_door import TlsDoor


async def start_server(
    address: Address | None,
    token: str | None = None,
    insecure: bool = False,
    *,
    metrics: Address | None = None,
    state: str | None = None,
    tls: TlsFiles | None = None,
    also: Address | None = None,
) -> Server:
    """Return a server that listens and is announced; await its ``run()``.

    :param address: where to listen, or ``None`` for the first free loopback port from
        ``EZMSG_SERVER_PORT_START`` (10000) on. A name, such as ``zenoh:lab``, is as that in ``also``, at the
        default address.
    :param token: what clients must hold; else ``EZMSG_TOKEN``, the content of ``EZMSG_TOKEN_FILE``, or a random
        one that only the announcement tells.
    :param insecure: let everybody in if no token was given, and let ``metrics`` be read from other machines.
    :param metrics: where everybody who can connect may read what is counted, as OpenMetrics over HTTP.
    :param state: a file for what is to survive the server: persistent edges, and settings that operators made.
    :param tls: by what clients are to check this server; else the files that ``EZMSG_TLS_CERT``, ``EZMSG_TLS_KEY``
        and ``EZMSG_TLS_CA`` name, or that lie beside the one that ``EZMSG_TOKEN_FILE`` names. If there are none,
        all speak openly.
    :param also: a name by which clients find it, too, such as ``zenoh:lab``.
    :raises AddressInUse: if it cannot listen there.
    :raises InsecureBind: if others can reach the address, there is no token and nobody said that this is meant.
    :raises InsecureMetrics: if others can reach ``metrics``, and nobody said that this is meant.
    :raises StateUnusable: if the state file cannot be used.
    :raises TlsUnusable: if the files for TLS cannot be used.
    :raises CertificateRefused: if clients would refuse the certificate, as it is out of date, say.
    :raises UnreadableToken: if the token's file holds none.
    :raises InsecureBind: if it has a name, there is no token and nobody said that this is meant.
    :raises WayUnusable: if clients cannot find it by that name.
    :raises UnsafeFolder: if nobody could learn the random token, as there is no safe folder to announce it in.
    """
    given = given_token(token, os.environ)
    if address is not None and address.way is not None:  # whoever names the server wants it to be found so
        address, also = Address(DEFAULT_HOST, DEFAULT_PORT), also or address
    if also is not None and also.way is None:
        raise InvalidAddress(address=str(also))
    if also is not None and given is None and not insecure:
        raise InsecureBind(address=str(also))  # a random one is told on this machine alone
    files = tls or find_files(os.environ, os.environ.get(TOKEN_FILE_VARIABLE))
    door = _door(files)
    if metrics is not None:
        metrics = resolve(metrics)
        if not (insecure or metrics.is_loopback):
            raise InsecureMetrics(address=str(metrics))
    if address is not None:
        address = resolve(address)
        if files is not None and door is None and not address.is_loopback:
            reason = f"others reach {address}, and there is an authority but no certificate to show them"
            raise TlsUnusable(file=f"{CERTIFICATE_VARIABLE} ({CERTIFICATE_NAME})", reason=reason)
        chosen = choose_token(given, address, insecure)  # before anybody can connect
        sock = bind(address)
    else:
        sock = bind_first_free(first_port(os.environ))
        chosen = choose_token(given, bound_address(sock), insecure)
    try:
        page = None if metrics is None else bind(metrics)
    except BaseException:  # whatever interrupts the start: the ports are free again
        sock.close()
        raise
    return await _started(sock, chosen, page, state, door, also, must_announce=given is None and not insecure)


async def _started(
    sock: socket.socket,
    token: str,
    page: socket.socket | None,
    state: str | None,
    door: "TlsDoor | None",
    also: Address | None,
    must_announce: bool,
) -> Server:
    try:
        kept = None if state is None else _state_file(state)
    except BaseException:  # whatever interrupts the start: the ports are free again
        for each in (sock, page):
            if each is not None:
                each.close()
        raise
    configuration = Configuration.from_environment(os.environ, keeps_state=kept is not None)
    server = Server(sock, token, configuration, page, kept, door, also)
    try:
        await server.start(must_announce)
    except BaseException:  # whatever interrupts the start: the ports are free again
        await server.close()
        raise
    return server


def _door(files: TlsFiles | None) -> "TlsDoor | None":
    """Return what lets clients in by TLS; most servers need none, and do not import it.

    Who has an authority's certificate alone can check others, and serves openly on its own machine.
    """
    if files is None or not files.can_serve:
        return None
    from ezmsg.graphserver.sockets.tls_door import TlsDoor

    return TlsDoor(files)


def _state_file(path: str) -> "StateFile":
    """Open a state file; few servers have one, and the others need no SQLite."""
    from ezmsg.graphserver.files.state import StateFile

    return StateFile(path)
