"""The processes of a simulation: one graph server, and programs; each on a host and an event loop of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

from tests.simulation.network import Host
from tests.simulation.surroundings import TOKEN
from tests.simulation.virtual_time import Clock, VirtualLoop

from ezmsg.control.connection import sharing
from ezmsg.core.pubsub import exchange as exchanges
from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import KeepEdge, KeepSettings
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.deciding.standing import Standing
from ezmsg.graphserver.server import Server
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.model.snapshot import Edge

PORT = 25978
HISTORY = 4
"""How many events the server remembers: so few that readers who are away meet gaps."""


class Process:
    """One process, from its start to its death."""

    def __init__(self, host: Host, clock: Clock, failed: Callable[[str], None]) -> None:
        self.host = host
        self.clock = clock
        self.loop = VirtualLoop(clock, self, failed)
        self.failed = failed
        self.is_frozen = False
        self._tasks: list[asyncio.Task[None]] = []
        host.process = self

    def spawn(self, running: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Run something for as long as the process lives; what it raises is a finding."""
        task = self.loop.create_task(running)
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not self.loop.dead and not task.cancelled() and (error := task.exception()) is not None:
            self.failed(f"{self.host.name}: {error!r}")

    async def reach(self, factory: Any, address: str, port: int) -> Any:
        """Connect to another host."""
        return await self.host.network.connect(self.host, factory, address, port)

    def kill(self) -> None:
        """End it without a word; the operating system closes its sockets."""
        for listener in list(self.host.listeners.values()):
            listener.close()
        for end in sorted(self.host.sockets, key=lambda end: end.number):
            end.close()
        self.host.process = None
        self.loop.wind_up()


class Disk:
    """What survives the server: its state file."""

    is_behind = False

    def __init__(self) -> None:
        self.edges: dict[Edge, None] = {}
        self.settings: dict[str, Standing] = {}

    @property
    def kept(self) -> Any:
        """Return what there is."""
        return SimpleNamespace(edges=list(self.edges), settings=dict(self.settings))

    def keep(self, change: KeepEdge | KeepSettings) -> None:
        """Write a change."""
        if isinstance(change, KeepSettings):
            self.settings[change.component] = change.standing
        elif change.held:
            self.edges[change.edge] = None
        else:
            self.edges.pop(change.edge, None)

    def close(self) -> None: ...


class ServerProcess(Process):
    """A graph server."""

    def __init__(self, host: Host, clock: Clock, failed: Callable[[str], None], disk: Disk) -> None:
        super().__init__(host, clock, failed)
        self.server: Server | None = None
        self._disk = disk
        self.spawn(self._serve())

    @property
    def graph(self) -> Graph | None:
        """What decides, once it is there."""
        return None if self.server is None else self.server._performer._graph

    async def _serve(self) -> None:
        sock: Any = SimpleNamespace(getsockname=lambda: (self.host.address, PORT), close=lambda: None)
        configuration = Configuration(topology_history=HISTORY, settings_history=HISTORY, keeps_state=True)
        disk: Any = self._disk
        self.server = Server(sock, TOKEN, configuration, state=disk)
        await self.server.start()
        await self.server.run()


def forget_loop(loop: asyncio.AbstractEventLoop) -> None:
    """Take what belonged to a process out of the tables that real processes have each for itself."""
    for shared in [shared for shared in sharing._all if shared.loop is loop]:
        sharing._all.remove(shared)
    for identity in [identity for identity, each in exchanges._exchanges.items() if each._loop is loop]:
        del exchanges._exchanges[identity]


def server_address(host: Host) -> Address:
    """Return where the server is on a host."""
    return Address(host.address, PORT)
