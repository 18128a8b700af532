"""The socket that a server listens on."""

import errno
import os
import socket

from ezmsg.graphserver.sockets.forks import keep_from_forks
from ezmsg.protocol.addresses import DEFAULT_HOST, DEFAULT_PORT, Address
from ezmsg.protocol.errors import AddressInUse

_LAST_PORT = 0xFFFF


def resolve(address: Address) -> Address:
    """Return the numbers behind a host's name; of several addresses the first of IPv4.

    :raises AddressInUse: if the name has no address.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AddressInUse(address=str(address), reason=reason) from error
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    return Address(str(found[0][4][0]), address.port)


def bind(address: Address) -> socket.socket:
    """Return a bound socket; port 0 takes a free one.

    :raises AddressInUse: if the address is taken, or cannot be listened on for another reason.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # With the protocol named, or asyncio leaves small writes to wait for the acknowledgement of the last one.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address.host, address.port))
        sock.listen(512)
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno) if error.errno is not None else str(error)
        raise AddressInUse(address=str(address), reason=reason) from error
    sock.setblocking(False)
    keep_from_forks(sock.fileno())
    return sock


def bind_first_free(start: int) -> socket.socket:
    """Return a socket on the first free loopback port from ``start`` on, but never on the default port.

    :raises AddressInUse: if there is none.
    """
    for port in range(start, _LAST_PORT + 1):
        if port == DEFAULT_PORT:
            continue
        try:
            return bind(Address(DEFAULT_HOST, port))
        except AddressInUse as error:
            cause = error.__cause__
            if not isinstance(cause, OSError) or cause.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    raise AddressInUse(address=f"{DEFAULT_HOST}:{start}", reason="no port from here on is free")


def bound_address(sock: socket.socket) -> Address:
    """Return where a socket listens."""
    host, port = sock.getsockname()[:2]
    return Address(host, port)


def reachable(address: Address) -> Address:
    """Return an address that a program on this machine can connect to."""
    local = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return Address(local.get(address.host, address.host), address.port)
