"""``serve`` and ``start``: a graph server in this process, or in one that stays when this one ends."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from ezmsg.control.graph.server_start import started
from ezmsg.core.commands.dashboards import check_dashboard, dashboard
from ezmsg.core.support.logs import logged_to
from ezmsg.graphserver.embedded import GraphServer
from ezmsg.protocol.addresses import Address

logger = logging.getLogger("ezmsg")

LOG_FILE_VARIABLE = "EZMSG_LOG_FILE"
"""Where a server's log goes, too, if no option says where."""

START_LIMIT_S = 10.0
"""How long a server that was started has to answer, in seconds."""


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

    :raises AddressInUse: if anybody listens at ``address`` already.
    :raises PackageMissing: if there is to be a dashboard, and none is installed.
    :raises ServerNotStarted: if it ends before it answers, or does not answer within 10 s.
    """
    check_dashboard(show_dashboard)
    words = ["serve", "--address", str(address), *_options(show_dashboard, log_file)]
    status = await started([sys.executable, "-m", "ezmsg.core", *words], address, START_LIMIT_S)
    logger.info("Started a graph server at %s in process %d", address, status.pid)


def _options(show_dashboard: int | bool | None, log_file: str | None) -> Iterator[str]:
    if show_dashboard is not None and show_dashboard is not False:
        yield "--dashboard"
        if show_dashboard is not True:
            yield str(show_dashboard)
    if log_file is not None:
        yield from ("--log-file", str(Path(log_file).absolute()))
