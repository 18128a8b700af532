"""Graph servers of this user: which run, and what each serves."""

import asyncio
import time

from attrs import frozen

from ezmsg.control.connection.announcements import read_announcement, running_graphs
from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import EzmsgError, ServerUnreachable


@frozen
class ServerStatus:
    """One server: where it is, whose, since when, and what it serves; ``failure`` says why that is not known."""

    address: str
    pid: int | None = None
    program: str | None = None
    up_s: float | None = None
    answer_s: float | None = None
    units: int | None = None
    processes: int | None = None
    sessions: int | None = None
    edges: int | None = None
    failure: str | None = None


async def server_statuses(named: Address | None, timeout: float) -> list[ServerStatus]:
    """Return the server at an address, or all of this user on this machine, each asked at once."""
    addresses = [each.address for each in running_graphs()] if named is None else [named]
    return list(await asyncio.gather(*(server_status(each, timeout) for each in addresses)))


async def server_status(address: Address, timeout: float) -> ServerStatus:
    """Return what is known of the server at an address."""
    announced = read_announcement(address.port) if address.is_loopback else None
    pid = announced.pid if announced else None
    program = announced.program if announced else None
    up_s = max(0.0, time.time() - announced.start_time) if announced else None
    began_s = time.perf_counter()
    try:
        connection = await ControlConnection.open(address, timeout=timeout, name="cli")
        answer_s = time.perf_counter() - began_s
        try:
            seen = await take_snapshot(connection, timeout)
        finally:
            await connection.close()
    except EzmsgError as error:
        reason = error.reason if isinstance(error, ServerUnreachable) else error.sentence()
        return ServerStatus(str(address), pid, program, up_s, failure=reason)
    units = sum(len(each.units) for each in seen.processes.values())
    counts = (units, len(seen.processes), len(seen.sessions), len(seen.edge_owners or ()))
    return ServerStatus(str(address), pid, program, up_s, answer_s, *counts)
