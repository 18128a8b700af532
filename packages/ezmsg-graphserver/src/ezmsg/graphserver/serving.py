"""From an address and a token to a running server: what the command and the embedded thread have in common."""

import os
import socket
from typing import TYPE_CHECKING

from ezmsg.graphserver.deciding.configuration import Configuration, first_port
from ezmsg.graphserver.server import Server
from ezmsg.graphserver.sockets.binding import bind, bind_first_free, bound_address, resolve
from ezmsg.graphserver.sockets.tokens import choose_token, given_token
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import InsecureMetrics

if TYPE_CHECKING:
    from ezmsg.graphserver.files.state import StateFile


async def start_server(
    address: Address | None,
    token: str | None = None,
    insecure: bool = False,
    *,
    metrics: Address | None = None,
    state: str | None = None,
) -> Server:
    """Return a server that listens and is announced; await its ``run()``.

    :param address: where to listen, or ``None`` for the first free loopback port from
        ``EZMSG_SERVER_PORT_START`` (10000) on.
    :param token: what clients must hold; else ``EZMSG_TOKEN``, the content of ``EZMSG_TOKEN_FILE``, or a random
        one that only the announcement tells.
    :param insecure: let everybody in if no token was given, and let ``metrics`` be read from other machines.
    :param metrics: where everybody who can connect may read what is counted, as OpenMetrics over HTTP.
    :param state: a file for what is to survive the server: persistent edges, and settings that operators made.
    :raises AddressInUse: if it cannot listen there.
    :raises InsecureBind: if others can reach the address, there is no token and nobody said that this is meant.
    :raises InsecureMetrics: if others can reach ``metrics``, and nobody said that this is meant.
    :raises StateUnusable: if the state file cannot be used.
    :raises UnreadableToken: if the token's file holds none.
    :raises UnsafeFolder: if nobody could learn the random token, as there is no safe folder to announce it in.
    """
    given = given_token(token, os.environ)
    if metrics is not None:
        metrics = resolve(metrics)
        if not (insecure or metrics.is_loopback):
            raise InsecureMetrics(address=str(metrics))
    if address is not None:
        address = resolve(address)
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
    return await _started(sock, chosen, page, state, must_announce=given is None and not insecure)


async def _started(
    sock: socket.socket, token: str, page: socket.socket | None, state: str | None, must_announce: bool
) -> Server:
    try:
        kept = None if state is None else _state_file(state)
    except BaseException:  # whatever interrupts the start: the ports are free again
        for each in (sock, page):
            if each is not None:
                each.close()
        raise
    configuration = Configuration.from_environment(os.environ, keeps_state=kept is not None)
    server = Server(sock, token, configuration, page, kept)
    try:
        await server.start(must_announce)
    except BaseException:  # whatever interrupts the start: the ports are free again
        await server.close()
        raise
    return server


def _state_file(path: str) -> "StateFile":
    """Open a state file; few servers have one, and the others need no SQLite."""
    from ezmsg.graphserver.files.state import StateFile

    return StateFile(path)
