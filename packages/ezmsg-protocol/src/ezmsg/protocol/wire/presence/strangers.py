"""Who may be there without having proved anything: so many, the oldest of the most crowded origin goes first.

To refuse the newest would let whoever fills all places keep everybody out. Who is honest proves itself in a moment,
and who is not has to come again and again for each moment.
"""

import ipaddress
from collections.abc import Hashable
from typing import Generic, TypeVar

S = TypeVar("S", bound=Hashable)

PROOF_TIMEOUT_S = 2.0
"""How long a stranger may take to prove itself, in seconds, wherever it comes in."""

_NETWORK_BITS = 64
"""So many bits of an address of IPv6 name a network, of which one host may have every address."""


class Strangers(Generic[S]):
    """A bounded number of strangers, each from an origin; one with fewer of them does not lose its places."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._origin_of: dict[S, str] = {}
        self._from: dict[str, dict[S, None]] = {}  # of each origin, the oldest first

    def __len__(self) -> int:
        return len(self._origin_of)

    def __contains__(self, stranger: object) -> bool:
        return stranger in self._origin_of

    def enter(self, stranger: S, origin: str) -> S | None:
        """Let a stranger in, and return the one that has to go for it, if there is no room for both."""
        self._origin_of[stranger] = origin
        self._from.setdefault(origin, {})[stranger] = None
        if len(self._origin_of) <= self._limit:
            return None
        # Of several that are as crowded, the one that was there first.
        crowd = max(self._from.values(), key=len)
        oldest = next(iter(crowd))
        self.leave(oldest)
        return oldest

    def leave(self, stranger: S) -> bool:
        """Forget one that has proved itself, or is gone; return whether it was there."""
        origin = self._origin_of.pop(stranger, None)
        if origin is None:
            return False
        crowd = self._from[origin]
        del crowd[stranger]
        if not crowd:
            del self._from[origin]
        return True


def origin_of(host: str) -> str:
    """Return what counts as one origin: an address, or for IPv6 the network that one host may have to itself."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped is not None:
        return str(getattr(address, "ipv4_mapped", None) or address)
    return str(ipaddress.ip_network((address, _NETWORK_BITS), strict=False))
