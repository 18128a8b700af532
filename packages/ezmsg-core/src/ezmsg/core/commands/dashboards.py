"""The dashboard in a browser, a package of its own: found when it is asked for, never needed."""

import asyncio
import importlib
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import ModuleType

from ezmsg.core.errors import PackageMissing
from ezmsg.protocol.addresses import DEFAULT_HOST, DEFAULT_PORT, Address

logger = logging.getLogger("ezmsg")

PACKAGE = "ezmsg-dashboard"

REQUIREMENT = "ezmsg[dashboard]>=4"
"""How to install it. The package by itself asks for ``ezmsg``, which could bring the public one over ours."""

ADDRESS_VARIABLE = "EZMSG_DASHBOARD_ADDR"
"""Where the dashboard is served if no option says it; else on the port after the graph server's."""


def find_dashboard() -> ModuleType | None:
    """Return the module that serves the dashboard, or ``None`` if it is not installed."""
    try:
        return importlib.import_module("ezmsg.dashboard.server")
    except ModuleNotFoundError as error:
        if error.name is not None and "ezmsg.dashboard.server".startswith(error.name):
            return None
        raise  # it is there, and lacks something itself


def require_dashboard() -> ModuleType:
    """Return the module that serves the dashboard.

    :raises PackageMissing: if it is not installed.
    """
    found = find_dashboard()
    if found is None:
        raise PackageMissing(feature="The dashboard", package=PACKAGE, requirement=REQUIREMENT)
    return found


def check_dashboard(show: int | bool | None) -> bool:
    """Return whether a dashboard is wanted: ``show`` says that it is, or on which port.

    :raises PackageMissing: if it is, and is not installed.
    """
    if show is None or show is False:
        return False
    require_dashboard()
    return True


@asynccontextmanager
async def dashboard(graph: Address, show: int | bool | None) -> AsyncIterator[None]:
    """Serve the dashboard of a graph while the context lasts, unless ``show`` is ``None`` or False.

    :param show: whether to, or the port.
    :raises PackageMissing: if it is not installed.
    """
    if not check_dashboard(show):
        yield
        return
    module = require_dashboard()
    address = dashboard_address(graph, None if show is True else show)
    server = await asyncio.to_thread(
        lambda: module.start_dashboard_server(graph_address=graph, host=address.host, port=address.port)
    )
    logger.info("The dashboard is at %s", server.url)
    try:
        yield
    finally:
        await asyncio.to_thread(server.stop)


def dashboard_address(graph: Address, port: int | None) -> Address:
    """Return where the dashboard of a graph is served: as ``EZMSG_DASHBOARD_ADDR`` says, else beside the graph.

    Beside a graph that is found by its name, which has no place, it is where it is by default.
    """
    said = os.environ.get(ADDRESS_VARIABLE)
    beside = graph if graph.way is None else Address(DEFAULT_HOST, DEFAULT_PORT)
    address = Address.from_string(said) if said else Address(beside.host, beside.port + 1)
    return address if port is None else Address(address.host, port)
