"""Graph servers as a table."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ezmsg.control.rendering.columns import aligned
from ezmsg.control.rendering.processes import lasted

if TYPE_CHECKING:
    from ezmsg.control.graph.server_status import ServerStatus

_HEAD = ("SERVER", "PID", "PROGRAM", "UP", "ANSWER", "UNITS", "PROCESSES", "SESSIONS", "EDGES")


def status_lines(statuses: "Iterable[ServerStatus]") -> Iterator[str]:
    """Yield a head and a line for each server."""
    return aligned([_HEAD, *map(_row, statuses)])


def _row(status: "ServerStatus") -> tuple[str, ...]:
    counts = (status.units, status.processes, status.sessions, status.edges)
    return (
        status.address,
        "-" if status.pid is None else str(status.pid),
        status.program or "-",
        "-" if status.up_s is None else lasted(status.up_s),
        "-" if status.answer_s is None else f"{1000 * status.answer_s:.1f} ms",
        *("-" if each is None else str(each) for each in counts),
    )
