"""Addresses of graph servers and publishers: a host and a TCP port, or a name by which a server is found."""

import re
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from ezmsg.protocol.errors import InvalidAddress

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 25978
ADDRESS_VARIABLE = "EZMSG_GRAPHSERVER_ADDR"
"""The environment variable that names the graph server, as ``host:port``."""

WAYS = {"zenoh": "ezmsg-zenoh"}
"""Ways to a graph server that has a name, and the distributions that bring them by entry points of WAYS_GROUP.

Here they are all told, so that ``lab1:http`` is a wrong address and not a way that is not installed.
"""

WAYS_GROUP = "ezmsg.ways"

_PORT_DIGITS = 5
_HOST = re.compile(r"[^\s:/\[\]]*")
_NAMED = re.compile(r"([a-z][a-z0-9-]*):([^\s:/]+)")


class Address(NamedTuple):
    """Where something listens on TCP.

    A graph server can be named instead, such as ``zenoh:lab``, if its :attr:`way` is known: that stands in
    ``host``, and there is no port.
    """

    host: str
    port: int

    @classmethod
    def from_string(cls, address: str) -> "Address":
        """Parse ``host:port``, ``[ipv6]:port``, ``way:name``, or a bare ``:port``, which means the default host.

        :raises InvalidAddress: if the text has no port, or the port is not a number from 0 to 65535, or the host
            is none: a URL, or an IPv6 address that is not in brackets, of which nobody can say where its port is.
        """
        text = address.strip()
        host, separator, port = text.rpartition(":")
        is_number = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
        is_host = bool(_HOST.fullmatch(host)) or (host[:1] + host[-1:] == "[]" and _is_ipv6(host[1:-1]))
        if cls(text, 0).way is not None:
            return cls(text, 0)
        if not separator or not is_number or int(port) > 0xFFFF or not is_host:
            raise InvalidAddress(address=address)
        return cls(host.removeprefix("[").removesuffix("]") or DEFAULT_HOST, int(port))

    def __str__(self) -> str:
        if self.way is not None:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def way(self) -> tuple[str, str] | None:
        """The way to a server that is named, and its name, also one of digits; ``None`` if it listens on TCP."""
        named = _NAMED.fullmatch(self.host)
        return None if named is None or named[1] not in WAYS else (named[1], named[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it; no name but ``localhost`` is taken at its word."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


def _is_ipv6(host: str) -> bool:
    try:
        IPv6Address(host)
    except ValueError:
        return False
    return True


AddressType = tuple[str, int] | Address
"""What arguments called ``graph_address`` accept."""


def parse_address(address: AddressType | str) -> Address:
    """Return an :class:`Address` for a pair or a text.

    :raises InvalidAddress: if it is neither.
    """
    if isinstance(address, str):
        return Address.from_string(address)
    match address:
        case (str(host), int(port)) if 0 <= port <= 0xFFFF:
            return Address(host, port)
    raise InvalidAddress(address=repr(address))
