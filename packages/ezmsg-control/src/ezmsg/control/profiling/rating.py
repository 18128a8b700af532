"""Rates of a running graph, measured by looking twice at what endpoints have counted; nothing is subscribed to."""

import asyncio
from uuid import UUID

from attrs import frozen

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import InvalidWindow
from ezmsg.control.process.requests import DEFAULT_TIMEOUT_S
from ezmsg.control.profiling.blame import checked_window
from ezmsg.control.profiling.rates import Course, courses
from ezmsg.control.profiling.snapshots import profiling_snapshot_all
from ezmsg.protocol.errors import EzmsgError

__all__ = ["InvalidWindow", "Rates", "measure_rates"]


@frozen
class Rates:
    """How every endpoint has fared, by endpoint, and why some processes said nothing."""

    courses: dict[str, Course]
    missing: dict[UUID, str]


async def measure_rates(
    connection: ControlConnection, window_s: float, timeout: float = DEFAULT_TIMEOUT_S
) -> Rates:
    """Return how all endpoints fare for some seconds.

    :raises ConnectionLost: if the server goes meanwhile.
    :raises InvalidWindow: if in such a time nothing can be measured.
    """
    checked_window("A rate", window_s)
    gone: asyncio.Future[EzmsgError] = asyncio.get_running_loop().create_future()
    forget = connection.on_lost(lambda error: None if gone.done() else gone.set_result(error))
    try:
        first, _ = await profiling_snapshot_all(connection, timeout)
        await asyncio.wait([gone], timeout=window_s)
    finally:
        forget()
    if gone.done():
        raise gone.result()
    second, missing = await profiling_snapshot_all(connection, timeout)
    known = courses(courses({}, first.values()), second.values(), 2 * window_s + timeout)
    there = {process_id for process_id in first if process_id in second}
    return Rates({key: each for key, each in known.items() if each.process_id in there}, missing)
