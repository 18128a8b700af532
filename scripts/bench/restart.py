"""How long clients take to be back after their graph server was killed and started again on its port.

    hatch run python scripts/bench/restart.py [--clients 200] [--edges 5] [--down 3]

Each client is a connection with a session, its edges, and a process with a unit and its settings. Time counts from
the moment the new server says that it is ready until its snapshot shows what the old one's did.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from statistics import median

from ezmsg.control import ControlConnection, ProcessControlClient, Session, take_settings, take_snapshot
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import ConnectionLost
from ezmsg.protocol.model.settings import SettingsSnapshotValue


@contextmanager
def served(address: str) -> Iterator[Address]:
    """A graph server in a process of its own, which is killed at the end."""
    command = [sys.executable, "-m", "ezmsg.graphserver", "--address", address]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "ready at" in line:
                yield Address.from_string(line.split()[-1])
                break
        process.kill()


async def join(address: Address, number: int, edges: int) -> list[ControlConnection]:
    """Begin one client's life at the server."""
    connection = await ControlConnection.open(address)
    session = Session(connection)
    await session.open()
    for edge in range(edges):
        await session.connect(f"{number}/{edge}", f"{number}/{edge + 1}")
    process = ProcessControlClient(address)
    await process.register([f"{number}/UNIT"])
    value = SettingsSnapshotValue(None, {"n": number}, {"n": number})
    await process.report_settings_update(f"{number}/UNIT", value)
    assert process._connection is not None
    return [connection, process._connection]


async def look(connection: ControlConnection) -> object:
    while True:
        try:
            snapshot, taken = await take_snapshot(connection), await take_settings(connection)
        except ConnectionLost:  # it is on its way back
            await connection.wait_connected()
            continue
        return snapshot.edge_owners, snapshot.sessions, snapshot.processes, taken.values


async def measure(options: argparse.Namespace) -> float:
    with served("127.0.0.1:0") as address:
        joined = [await join(address, number, options.edges) for number in range(options.clients)]
        connections = [connection for client in joined for connection in client]
        before = await look(connections[0])
    await asyncio.sleep(options.down)
    with served(str(address)):
        began = time.perf_counter()
        while await look(connections[0]) != before:
            pass
        took = time.perf_counter() - began
        for connection in connections:
            await connection.close()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--edges", type=int, default=5)
    parser.add_argument("--down", type=float, default=3.0, help="seconds without a server")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environ["EZMSG_RUNTIME_DIR"] = folder
        times = [asyncio.run(measure(options)) for _ in range(options.repeat)]
    print(f"{options.clients} clients back after {', '.join(f'{t * 1e3:.0f}' for t in times)} ms", end="")
    print(f", median {median(times) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
