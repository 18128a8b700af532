"""3xxx: reaching each other."""

import re
from importlib.util import find_spec
from ipaddress import IPv6Address
from typing import ClassVar

from ezmsg.protocol.declared import declared_error
from ezmsg.protocol.errors.root import EzmsgError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://([^\s/]+)(?:/\S*)?", re.IGNORECASE)

_HERE = ("127.", "localhost:", "[::1]:")
"""How addresses begin that only this machine has."""


class LinkError(EzmsgError):
    """Two sides cannot reach, trust or hear each other."""


@declared_error
class ServerUnreachable(LinkError, ConnectionRefusedError):
    """No graph server answers at an address."""

    code: ClassVar[str] = "EZ-3001"
    address: str
    reason: str

    def sentence(self) -> str:
        command = f"python -m ezmsg.graphserver --address {self.address}"
        if not self.address[-1:].isdigit() and ":" in self.address:
            start = f"Start one that has this name, with `{command} --token-file FILE`, on a host of its network"
        elif not self.address.startswith(_HERE):
            start = (
                f"Start one on the machine that has this address, with `{command} --token-file FILE`; one that "
                "listens at 127.0.0.1 there is not heard from elsewhere"
            )
        elif find_spec("ezmsg.graphserver") is None:
            start = f"Start one with `{command}` where ezmsg-graphserver is installed, which it is not here"
        else:
            start = f"Start one with `{command}`"
        return f"No graph server answers at {self.address}: {self.reason}. {start}."


@declared_error
class ConnectionLost(LinkError, ConnectionError, RuntimeError):
    """The connection to the graph server ended."""

    code: ClassVar[str] = "EZ-3002"
    address: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The connection to the graph server at {self.address} ended: {self.reason}. Publishers and "
            "subscribers already joined go on; changes of the graph need a server again."
        )


@declared_error
class AuthenticationFailed(LinkError, PermissionError):
    """The two sides do not hold the same token."""

    code: ClassVar[str] = "EZ-3003"
    reason: str

    def sentence(self) -> str:
        return (
            f"Authentication failed: {self.reason}. Set EZMSG_TOKEN or EZMSG_TOKEN_FILE to the server's token, "
            "or run on its machine as the user who started it, whose announcement file holds it."
        )


@declared_error
class AddressInUse(LinkError, OSError):
    """A server cannot listen where it was told to."""

    code: ClassVar[str] = "EZ-3004"
    address: str
    reason: str

    def sentence(self) -> str:
        return (
            f"Cannot listen on {self.address}: {self.reason}. Another server may be running there; "
            "stop it, or choose another port with --address HOST:PORT."
        )


@declared_error
class InsecureBind(LinkError, PermissionError):
    """A server was told to listen beyond loopback without a token of its own."""

    code: ClassVar[str] = "EZ-3005"
    address: str

    def sentence(self) -> str:
        return (
            f"{self.address} can be reached from other machines, and no token was given. Set EZMSG_TOKEN or "
            "EZMSG_TOKEN_FILE to a secret that the clients share, or pass --insecure to let everybody in."
        )


@declared_error
class InvalidAddress(LinkError, ValueError):
    """A text is not an address."""

    code: ClassVar[str] = "EZ-3006"
    address: str

    def sentence(self) -> str:
        meant = _meant(self.address.strip())
        form = f"Write {meant}" if meant else "Write HOST:PORT"
        return f"{self.address!r} is not an address. {form}, with a port from 0 to 65535."


@declared_error
class WayUnusable(LinkError):
    """A graph server cannot be found by a name as it was told to."""

    code: ClassVar[str] = "EZ-3023"
    address: str
    reason: str

    def sentence(self) -> str:
        return (
            f"No client finds the graph server as {self.address}: {self.reason}. See that the distribution that "
            "knows this way is installed where the server runs, such as ezmsg-zenoh for zenoh:NAME."
        )


def _meant(text: str) -> str:
    """Return how an address is written that was likely meant, nothing if that cannot be guessed."""
    if url := _URL.fullmatch(text):
        return url[1] if ":" in url[1] else f"{url[1]}:PORT"
    if _is_ipv6(text):
        return f"[{text}]:PORT"
    host, _, port = text.rpartition(":")
    return f"[{host}]:{port}" if _is_ipv6(host) and port.isascii() and port.isdigit() else ""


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


@declared_error
class DeadlineExceeded(LinkError, TimeoutError):
    """An operation did not end in time; ``seconds`` is the time it was given."""

    code: ClassVar[str] = "EZ-3007"
    operation: str
    seconds: float

    def sentence(self) -> str:
        return f"{self.operation} did not end within {self.seconds:g} s. Allow it more time, or see who is slow."


@declared_error
class SessionRequired(LinkError, RuntimeError):
    """An operation needs a session that is not open."""

    code: ClassVar[str] = "EZ-3008"
    operation: str

    def sentence(self) -> str:
        return f"{self.operation} needs an open session. Use it inside `async with GraphContext() as context:`."


@declared_error
class ServerOverloaded(LinkError):
    """A server has too many unauthenticated connections, or a peer reads too slowly."""

    code: ClassVar[str] = "EZ-3009"
    reason: str

    def sentence(self) -> str:
        return f"The graph server closed this connection: {self.reason}."


@declared_error
class UnsafeFolder(LinkError, PermissionError):
    """The runtime folder, where servers announce themselves, is not the user's alone or cannot be used."""

    code: ClassVar[str] = "EZ-3010"
    folder: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The runtime folder {self.folder} cannot be used: {self.reason}. "
            "Remove it, or set EZMSG_RUNTIME_DIR to a folder that only you can write to."
        )


@declared_error
class UnreadableToken(LinkError, OSError):
    """The file that should hold the shared token holds none, or cannot be read."""

    code: ClassVar[str] = "EZ-3011"
    file: str
    reason: str

    def sentence(self) -> str:
        return f"No token could be read from {self.file}: {self.reason}. Write the shared secret into it."


@declared_error
class LeaseExpired(LinkError, ConnectionError):
    """A peer gave no sign of life for as long as its lease, and its host acknowledges nothing."""

    code: ClassVar[str] = "EZ-3020"
    peer: str
    seconds: float

    def sentence(self) -> str:
        return (
            f"{self.peer} has given no sign of life for {self.seconds:.1f} s, and its host acknowledges nothing. "
            "See whether the machine runs and the network between is whole; it joins again by itself."
        )


@declared_error
class InsecureMetrics(LinkError, PermissionError):
    """A server was told to serve what is counted beyond loopback, where nobody needs a token to read it."""

    code: ClassVar[str] = "EZ-3012"
    address: str

    def sentence(self) -> str:
        return (
            f"Whoever can reach {self.address} from another machine could read there what is counted, as a page of "
            "metrics asks for no token. Serve it on loopback, with --metrics :PORT, or pass --insecure if that is "
            "meant; with a token, clients still need it."
        )


@declared_error
class RoleRequired(LinkError, PermissionError):
    """A client's token does not give the role that a request needs."""

    code: ClassVar[str] = "EZ-3013"
    operation: str
    needed: str
    held: str

    def sentence(self) -> str:
        made = f"one that `ezmsg server token --role {self.needed}` made"
        better = "the server's own" if self.needed == "admin" else made
        return (
            f"{self.operation} needs the role {self.needed}, and the token of this client gives {self.held} only. "
            f"Let EZMSG_TOKEN_FILE name a file with a better one: {better}."
        )


@declared_error
class StateUnusable(LinkError, OSError):
    """A server's state file cannot be read or written."""

    code: ClassVar[str] = "EZ-3014"
    file: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The state file {self.file} cannot be used: {self.reason}. Make folder and file writable, move the "
            "file out of the way, or name another one with --state FILE."
        )
