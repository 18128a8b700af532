"""What takes the place of the machine while a simulation runs: time, chance, sockets and files, and nothing else.

Everything that decides, on either side, is the product's own: the server, the connections and what they say again,
sessions, process clients, publishers, subscribers and their windows.
"""

import asyncio
import importlib
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from random import Random
from types import SimpleNamespace
from typing import Any

from tests.simulation.network import Duplicate, Listener, Network

TOKEN = "a token for simulations"
_REPLACED = (
    "ezmsg.control.connection.client",
    "ezmsg.control.process.process_client",
    "ezmsg.core.pubsub.publisher",
    "ezmsg.core.pubsub.subscriber",
    "ezmsg.graphserver.server",
)


class Announcement:
    """A server's announcement, of which nobody here has need."""

    path = None

    def __init__(self, *_: object) -> None: ...

    def write(self) -> None: ...

    def keep(self, *_: object) -> None: ...

    def remove(self) -> None: ...


class Accepting:
    """What the graph server takes clients in with."""

    def __init__(self, sock: Any, make_protocol: Callable[[], Any], _failed: object) -> None:
        self._name, self._factory = sock.getsockname(), make_protocol
        self._listener: Listener | None = None

    def start(self) -> None:
        host = asyncio.get_running_loop().process.host  # type: ignore[attr-defined]
        self._listener = Listener(host, self._name[1], self._factory)

    async def close(self) -> None:
        if self._listener is not None:
            self._listener.close()


class NoRegistry:
    """Profiles of endpoints, of which there are none here."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_: None


async def _listen_for_channels(factory: Callable[[], Any], _host: str, _port: object) -> tuple[Any, int]:
    process: Any = asyncio.get_running_loop().process  # type: ignore[attr-defined]
    listener = Listener(process.host, process.host.network.free_port(), factory)
    return listener, listener.port


async def _listen_for_links(exchange_id: uuid.UUID, _factory: object) -> tuple[Any, str]:
    return SimpleNamespace(close=lambda: None), f"unix:{exchange_id}"


_CLOCK = ("monotonic", "time", "perf_counter_ns", "perf_counter")


@cache
def _places() -> list[tuple[Any, str, str]]:
    """Return where the product has time, identities and sockets from: module, name there, and what it is."""
    for name in _REPLACED:
        importlib.import_module(name)
    clock = [getattr(time, name) for name in _CLOCK]
    places: list[tuple[Any, str, str]] = []
    for _, module in sorted(sys.modules.items()):
        if not module.__name__.startswith(("ezmsg.control", "ezmsg.core", "ezmsg.graphserver")):
            continue
        for name, value in vars(module).items():
            if value is time:
                places.append((module, name, "clock"))
            elif any(value is each for each in clock):
                places.append((module, name, value.__name__))
            elif value is uuid.uuid4:
                places.append((module, name, "identity"))
            elif name in ("keep_from_forks", "unacknowledged_s"):
                places.append((module, name, name))
    return places


def _replacements(network: Network, seed: int) -> Iterator[tuple[Any, str, Any]]:
    """Yield the module, the name and the value of everything that is replaced."""
    chance = Random(f"identities of {seed}")
    clock = network.clock.module
    values = {
        "clock": clock,
        "identity": lambda: uuid.UUID(int=chance.getrandbits(128), version=4),
        "keep_from_forks": lambda _: None,
        "unacknowledged_s": lambda end: end.unacknowledged_s(),
        **{name: getattr(clock, name) for name in _CLOCK},
    }
    for module, name, kind in _places():
        yield module, name, values[kind]
    yield from _machine(network, seed)


def _machine(network: Network, seed: int) -> Iterator[tuple[Any, str, Any]]:
    from ezmsg.control.connection import client, line
    from ezmsg.control.process import owned
    from ezmsg.core.pubsub import exchange, links
    from ezmsg.core.transports import link
    from ezmsg.graphserver import server

    yield client, "_CHANCE", Random(f"pauses of {seed}")
    yield server, "AnnouncementFile", Announcement
    yield server, "Listener", Accepting
    yield exchange, "PASSES_DESCRIPTORS", False
    yield exchange, "sweep", lambda: None
    yield exchange, "REGISTRY", NoRegistry()
    yield links, "listen_for_channels", _listen_for_channels
    yield links, "listen_for_links", _listen_for_links
    yield links, "wait_from_environment", lambda: 0.0
    # How long their names are is seen on the wire, and a seed is to be the same everywhere.
    machine = SimpleNamespace(getpid=lambda: 4711, urandom=os.urandom, gethostname=lambda: "host")
    for module in (line, owned):
        yield module, "os", machine
        yield module, "socket", machine
    yield links, "os", machine
    sockets = SimpleNamespace(
        **{name: getattr(link.socket, name) for name in dir(link.socket) if name.isupper()},
        socket=lambda fileno: Duplicate(network.by_descriptor[fileno]),
    )
    yield link, "socket", sockets
    yield link, "os", SimpleNamespace(dup=lambda descriptor: descriptor, getpid=os.getpid)


@contextmanager
def simulated(network: Network, seed: int) -> Iterator[None]:
    """Let the product run in a simulated network until the end of the block."""
    replaced = [(module, name, value) for module, name, value in _replacements(network, seed)]
    before = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    token = os.environ.get("EZMSG_TOKEN")
    os.environ["EZMSG_TOKEN"] = TOKEN
    try:
        for module, name, value in replaced:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in reversed(before):
            setattr(module, name, value)
        if token is None:
            del os.environ["EZMSG_TOKEN"]
        else:
            os.environ["EZMSG_TOKEN"] = token
