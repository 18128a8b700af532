"""Addresses of graph servers and publishers: a host and a TCP port."""

from ipaddress import ip_address
from typing import NamedTuple

from ezmsg.protocol.errors import InvalidAddress

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 25978
ADDRESS_VARIABLE = "EZMSG_GRAPHSERVER_ADDR"
"""The environment variable that names the graph server, as ``host:port``."""

_PORT_DIGITS = 5


class Address(NamedTuple):
    """Where something listens on TCP."""

    host: str
    port: int

    @classmethod
    def from_string(cls, address: str) -> "Address":
        """Parse ``host:port``, ``[ipv6]:port`` or a bare ``:port``, which means the default host.

        :raises InvalidAddress: if the text has no port, or the port is not a number from 0 to 65535.
        """
        host, separator, port = address.strip().rpartition(":")
        is_number = port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
        if not separator or not is_number or int(port) > 0xFFFF:
            raise InvalidAddress(address=address)
        return cls(host.strip("[]") or DEFAULT_HOST, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it; no name but ``localhost`` is taken at its word."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"


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
