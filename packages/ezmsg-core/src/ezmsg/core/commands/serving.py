"""``serve`` and ``start``: a graph server in this process, or in one that stays when this one ends."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from ezmsg.control.connection.client import ControlConnection
from ezmsg.core.commands.dashboards import check_dashboard, dashboard
from ezmsg.core.support.logs import logged_to
from ezmsg.graphserver.embedded import GraphServer
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import AddressInUse, EzmsgError, ServerUnreachable

logger = logging.getLogger("ezmsg")

LOG_FILE_VARIABLE = "EZMSG_LOG_FILE"
"""Where a server's log goes, too, if no option says where."""

START_LIMIT_S = 10.0
"""How long a server that was started has to answer, in seconds."""

_ASK_AGAIN_S = 0.05


async def serve(address: Address, show_dashboard: int | bool | None = None, log_file: str | None = None) -> None:
    """Serve until a client asks for the end, or this is cancelled.

    :param show_dashboard: whether to serve the dashboard too, or the port for it.
    :param log_file: a file to which the log is appended, beside where it goes anyway.
    :raises AddressInUse: if it cannot listen at ``address``.
    :raises InvalidOption: if the log file cannot be written.
    :raises PackageMissing: if there is to be a dashboard, and none is installed.
    """
    check_dashboard(show_dashboard)  # before anything is started that would have to be stopped
    with logged_to(log_file or os.environ.get(LOG_FILE_VARIABLE)):
        server = GraphServer()
        server.start(address)
        try:
            async with dashboard(server.address, show_dashboard):
                await asyncio.to_thread(server.join)
        finally:
            server.stop()
            logger.info("The graph server at %s has ended", server.address)


async def start(address: Address, show_dashboard: int | bool | None = None, log_file: str | None = None) -> None:
    """Start a server in a process of its own, which stays, and return when it answers.

    What it has to say goes to the log file, or nowhere. The arguments are those of :func:`serve`.

    :raises AddressInUse: if a server answers at ``address`` already.
    :raises PackageMissing: if there is to be a dashboard, and none is installed.
    :raises ServerUnreachable: if it ends before it answers, or does not answer within 10 s.
    """
    check_dashboard(show_dashboard)
    if await _taken(address):
        raise AddressInUse(address=str(address), reason="a graph server answers there already")
    arguments = ["serve", "--address", str(address), *_options(show_dashboard, log_file)]
    process = subprocess.Popen(  # noqa: ASYNC220  it returns at once
        [sys.executable, "-m", "ezmsg.core", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(START_LIMIT_S):
            await _answering(process, address)
    except BaseException as error:
        process.kill()
        process.wait()
        if isinstance(error, TimeoutError):
            reason = f"it was started, and did not answer within {START_LIMIT_S:g} s"
            raise ServerUnreachable(address=str(address), reason=reason) from None
        raise
    process.returncode = 0  # it is nobody's child from here on: else its object would warn that it still runs
    logger.info("Started a graph server at %s in process %d", address, process.pid)


async def _answering(process: "subprocess.Popen[bytes]", address: Address) -> None:
    while not await _lets_in(address):
        status = process.poll()
        if status is not None:
            reason = (
                f"it was started and ended with status {status}; "
                f"python -m ezmsg.core serve --address {address} shows why"
            )
            raise ServerUnreachable(address=str(address), reason=reason)
        await asyncio.sleep(_ASK_AGAIN_S)


async def _taken(address: Address) -> bool:
    """Return whether anybody takes connections, a graph server or another."""
    try:
        await _connect(address)
    except ServerUnreachable:
        return False
    except EzmsgError:  # somebody is there, who refuses us
        return True
    return True


async def _lets_in(address: Address) -> bool:
    """Return whether a graph server answers; it may listen a moment before we can know its token."""
    try:
        await _connect(address)
    except EzmsgError:
        return False
    return True


async def _connect(address: Address) -> None:
    connection = await ControlConnection.open(address, timeout=1.0)
    await connection.close()


def _options(show_dashboard: int | bool | None, log_file: str | None) -> Iterator[str]:
    if show_dashboard is not None and show_dashboard is not False:
        yield "--dashboard"
        if show_dashboard is not True:
            yield str(show_dashboard)
    if log_file is not None:
        yield from ("--log-file", str(Path(log_file).absolute()))
