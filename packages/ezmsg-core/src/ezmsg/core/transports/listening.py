"""Where this process can be reached: its link address on this host, and a TCP address for everybody else."""

import asyncio
import contextlib
import os
import socket
import struct
import uuid
from ipaddress import ip_address
from pathlib import Path

from ezmsg.control.connection.forks import keep_from_forks
from ezmsg.core.errors import InvalidOption, MemoryApart
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.accepting import Accepting, Factory, accept_on

DEFAULT_PORT_START = 25980
PORT_START_VARIABLE = "EZMSG_PUBLISHER_PORT_START"
LOOPBACK = "127.0.0.1"
_ANYWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that are nobody's (RFC 5737, RFC 3849), to be told the way to others."""

OTHER_USER = "they run as different users"


def link_name(exchange_id: uuid.UUID) -> str:
    """Return the name under which an exchange listens for links, without the zero byte of abstract names."""
    return f"ezmsg-{exchange_id.hex}"


def segment_name(exchange_id: uuid.UUID) -> str:
    """Return the name under which an exchange takes segments."""
    return f"ezmsg-{exchange_id.hex}-segments"


async def listen_for_links(exchange_id: uuid.UUID, factory: Factory) -> tuple[Accepting, str]:
    """Listen for links from this host; return the server and the address that a :class:`Contact` carries."""
    if PASSES_DESCRIPTORS:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind("\0" + link_name(exchange_id))
        listener.listen(512)
        keep_from_forks(listener.fileno())
        return await accept_on(listener, factory), f"unix:{link_name(exchange_id)}"
    server, port = await _serve(factory, LOOPBACK, 0)
    return server, f"tcp:{host_id()}:{port}"


async def listen_for_channels(factory: Factory, host: str, port: int | None) -> tuple[Accepting, int]:
    """Listen for TCP channels; without a port, on the first free one from ``EZMSG_PUBLISHER_PORT_START``.

    :raises OSError: if the address cannot be bound.
    """
    start = _port_start()
    candidates = [*range(start, min(start + 4096, 0x10000)), 0] if port is None else [port]
    for candidate in candidates[:-1]:
        with contextlib.suppress(OSError):
            return await _serve(factory, host, candidate)
    return await _serve(factory, host, candidates[-1])


def _port_start() -> int:
    value = os.environ.get(PORT_START_VARIABLE) or str(DEFAULT_PORT_START)
    if not (value.isascii() and value.isdigit() and int(value) <= 0xFFFF):
        raise InvalidOption(option=PORT_START_VARIABLE, value=value, reason="it must be a port from 0 to 65535")
    return int(value)


async def _serve(factory: Factory, host: str, port: int) -> tuple[Accepting, int]:
    """Listen at an address; return the port, too.

    The socket is made to listen here: of two processes that bind one port at the same moment, the second fails
    only in ``listen``, and uvloop's own ``create_server`` returns a dead server then instead of raising.

    :raises OSError: if the address cannot be bound.
    """
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = infos[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere it would let another take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(512)
        keep_from_forks(listener.fileno())
        server = await accept_on(listener, factory)
    except BaseException:
        listener.close()
        raise
    return server, listener.getsockname()[1]


def is_everywhere(host: str) -> bool:
    """Return whether a socket that is bound to this host listens at every address."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def own_hosts() -> list[str]:
    """Return the addresses by which this host goes to others, one of each family at the most; nothing is sent."""
    found = []
    for family, anywhere in _ANYWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((anywhere, 9))
            found.append(str(probe.getsockname()[0]))
    return [host for host in found if not ip_address(host).is_loopback]


def listen_for_segments(exchange_id: uuid.UUID) -> socket.socket:
    """Listen for segments that publishers of this host hand over."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind("\0" + segment_name(exchange_id))
    listener.listen(1024)
    listener.setblocking(False)
    keep_from_forks(listener.fileno())
    return listener


async def connect_link(address: str, factory: Factory) -> asyncio.BaseProtocol | None:
    """Connect to a link address; ``None`` if it is not on this host.

    :raises MemoryApart: if it is, and something forbids to use it.
    """
    loop = asyncio.get_running_loop()
    kind, _, rest = address.partition(":")
    try:
        if kind == "unix" and PASSES_DESCRIPTORS:
            connection = await _connect_unix(rest)
            return (await loop.create_unix_connection(factory, sock=connection))[1]
        host, _, port = rest.partition(":")
        if kind == "tcp" and host == host_id() and port.isdigit():
            return (await loop.create_connection(factory, LOOPBACK, int(port)))[1]
    except PermissionError as error:
        raise MemoryApart(reason=f"the operating system keeps them apart ({error})") from error
    except MemoryApart:
        raise
    except OSError:
        return None
    return None


async def connect_channel(host: str, port: int, factory: Factory) -> asyncio.BaseProtocol:
    """Connect to a publisher's TCP address.

    :raises OSError: if nobody answers there.
    """
    return (await asyncio.get_running_loop().create_connection(factory, host, port))[1]


async def _connect_unix(name: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        while True:
            try:
                connection.connect("\0" + name)
                break
            except BlockingIOError:  # its backlog is full at this moment; the caller's deadline bounds this
                await asyncio.sleep(0.01)
        if not same_user(connection):
            raise MemoryApart(reason=OTHER_USER)
    except BaseException:
        connection.close()
        raise
    return connection


def same_user(connection: socket.socket) -> bool:
    """Whether the process at the other end of a Unix socket runs as this user, or as root."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return uid in (os.getuid(), 0)


def host_id() -> str:
    """Return what tells this host from others: its boot, where the system names it."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{uuid.getnode():012x}"
