"""Graph servers of this user: which run, what each serves, and one that is started and stays."""

import asyncio
import subprocess
import time

from attrs import frozen

from ezmsg.control.connection.announcements import listens, read_announcement, running_graphs
from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import AddressInUse, EzmsgError, ServerUnreachable

_ASK_AGAIN_S = 0.05


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
    return list(await asyncio.gather(*(_status(each, timeout) for each in addresses)))


async def _status(address: Address, timeout: float) -> ServerStatus:
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


async def started(words: list[str], address: Address, limit_s: float) -> ServerStatus:
    """Start a server by its command line, and return when it answers; it stays when this process ends.

    :raises AddressInUse: if somebody listens there already.
    :raises ServerUnreachable: if it ends before it answers, or does not answer in time.
    """
    if address.port and listens(address):
        raise AddressInUse(address=str(address), reason="somebody listens there already")
    process = subprocess.Popen(  # noqa: ASYNC220  it returns at once
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit_s):
            found = await _answering(process, address)
    except BaseException as error:
        process.kill()
        process.wait()
        if isinstance(error, TimeoutError):
            reason = f"it was started, and did not answer within {limit_s:g} s"
            raise ServerUnreachable(address=str(address), reason=reason) from None
        raise
    finally:
        if process.stderr is not None:
            process.stderr.close()
    process.returncode = 0  # it is nobody's child from here on: else its object would warn that it still runs
    return found


async def _answering(process: "subprocess.Popen[bytes]", address: Address) -> ServerStatus:
    while True:
        place = address if address.port else _announced(process.pid)
        status = None if place is None else await _status(place, 1.0)
        if status is not None and status.failure is None:
            return status
        if process.poll() is not None:
            said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
            reason = f"it was started and ended with status {process.returncode}{': ' if said else ''}{said}"
            raise ServerUnreachable(address=str(address), reason=reason)
        await asyncio.sleep(_ASK_AGAIN_S)


def _announced(pid: int) -> Address | None:
    """Return where a server that took a free port says that it is."""
    return next((each.address for each in running_graphs() if each.pid == pid), None)
