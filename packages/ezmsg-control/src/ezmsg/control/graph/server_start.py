"""A graph server that is started in a process of its own, and stays when this one ends."""

import asyncio
import subprocess

from attrs import evolve

from ezmsg.control.connection.announcements import listens, read_announcement, running_graphs
from ezmsg.control.errors import ServerNotStarted
from ezmsg.control.graph.server_status import ServerStatus, server_status
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import AddressInUse

ANSWER_LIMIT_S = 1.0
"""How long a server that begins has to answer before it is asked again, in seconds."""

_ASK_AGAIN_S = 0.05


async def started(words: list[str], address: Address, limit_s: float) -> ServerStatus:
    """Start a server by its command line, and return when it answers; it stays when this process ends.

    :raises AddressInUse: if somebody listens there already.
    :raises ServerNotStarted: if it ends before it answers, or does not answer in time.
    """
    if address.port and await asyncio.to_thread(listens, address):
        who = "a graph server answers" if _is_announced(address) else "somebody listens"
        raise AddressInUse(address=str(address), reason=f"{who} there already")
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
            reason = f"it did not answer within {limit_s:g} s"
            raise ServerNotStarted(address=str(address), reason=reason) from None
        raise
    finally:
        if process.stderr is not None:
            process.stderr.close()
    process.returncode = 0  # it is nobody's child from here on: else its object would warn that it still runs
    return evolve(found, pid=process.pid)


def _is_announced(address: Address) -> bool:
    return address.is_loopback and read_announcement(address.port) is not None


async def _answering(process: "subprocess.Popen[bytes]", address: Address) -> ServerStatus:
    while True:
        place = address if address.port else _announced(process.pid)
        status = None if place is None else await server_status(place, ANSWER_LIMIT_S)
        if status is not None and status.failure is None:
            return status
        if process.poll() is not None:
            said = process.stderr.read().decode(errors="replace").strip() if process.stderr else ""
            reason = f"it ended with status {process.returncode}{': ' if said else ''}{said}"
            raise ServerNotStarted(address=str(address), reason=reason)
        await asyncio.sleep(_ASK_AGAIN_S)


def _announced(pid: int) -> Address | None:
    """Return where a server that took a free port says that it is."""
    return next((each.address for each in running_graphs() if each.pid == pid), None)
