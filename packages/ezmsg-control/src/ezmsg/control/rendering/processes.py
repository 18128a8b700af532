"""Processes as a table: who they are, which units they own, how they fare."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ezmsg.control.rendering.columns import aligned

if TYPE_CHECKING:
    from ezmsg.control.process.faring import Fare

_HEAD = ("PID", "HOST", "UNITS", "CPU", "RSS", "UP", "LOOP LATE", "PING", "STATE")
LATE_S = 0.02
"""A loop later than this is marked: at 50 messages a second it is one message behind."""

SLOW_PING_S = 0.1
"""A ping that took longer is marked. It waits for two processes and the server to get the processor, too: on a busy
machine a healthy program answers after 20 ms and more."""

MARK_SAID = (
    f"! LOOP LATE is above {1000 * LATE_S:.0f} ms or PING above {1000 * SLOW_PING_S:.0f} ms: something keeps that "
    "event loop or the whole process busy, or the machine is busy. Where: ezmsg process stacks PID"
)
"""What the mark means, for whoever sees one."""


def process_lines(fares: "Iterable[Fare]") -> Iterator[str]:
    """Yield a head and a line for each process."""
    return aligned([_HEAD, *map(_row, fares)])


def info_lines(fare: "Fare") -> Iterator[str]:
    """Yield what is known of one process, a line each, and then its units."""
    _, host, _, cpu, memory, uptime, late, ping, _ = _row(fare)
    dying = "" if fare.when_dead is None else f"   when dead: {_when_dead(fare)}"
    yield f"pid {fare.pid if fare.pid is not None else '-'} on {host}   {_phase(fare)}{dying}"
    files = "-" if fare.descriptors is None else f"{fare.descriptors} of {fare.descriptor_limit or '-'}"
    known = {"processor": cpu, "memory": memory, "up": uptime, "loop late": late, "ping": ping, "open files": files}
    yield "   ".join(f"{name} {value}" for name, value in known.items())
    yield from (f"   {unit}" for unit in sorted(fare.units))


def is_marked(fare: "Fare") -> bool:
    """Return whether the line of a process has a mark, see ``MARK_SAID``."""
    return (fare.loop_lateness_s or 0) > LATE_S or (fare.ping_s or 0) > SLOW_PING_S


def short_units(units: Sequence[str]) -> str:
    """Return addresses, each after the first of a component without what it has in common with the one before."""
    words, above = [], None
    for unit in sorted(units):
        parent, _, name = unit.rpartition("/")
        words.append(name if parent == above else unit)
        above = parent
    return " ".join(words) or "-"


def _row(fare: "Fare") -> tuple[str, ...]:
    return (
        "-" if fare.pid is None else str(fare.pid),
        fare.host or "-",
        short_units(fare.units),
        "-" if fare.cpu is None else f"{100 * fare.cpu:.0f} %",
        "-" if fare.memory_bytes is None else f"{fare.memory_bytes / 1e6:.0f} MB",
        "-" if fare.uptime_s is None else lasted(fare.uptime_s),
        _late(fare.loop_lateness_s, LATE_S),
        _late(fare.ping_s, SLOW_PING_S),
        _state(fare),
    )


def _when_dead(fare: "Fare") -> str:
    """Return what becomes of the process when it dies, and how often in a row that was so."""
    return f"{fare.when_dead}, {fare.restarts} used" if fare.restarts else fare.when_dead or ""


def _state(fare: "Fare") -> str:
    """Return how far a process is, and what becomes of it when it dies, where that is not what is usual."""
    return _phase(fare) if fare.when_dead in (None, "fail_fast") else f"{_phase(fare)}; {_when_dead(fare)}"


def _phase(fare: "Fare") -> str:
    waits_for = [f"{unit} for {lasted(seconds)}" for unit, seconds in sorted((fare.waits_for or {}).items())]
    phase = f"{fare.phase}: {', '.join(waits_for)}" if waits_for else fare.phase or ""
    alive = "" if fare.state == "ALIVE" else fare.state
    return "; ".join(filter(None, (alive, phase))) or "-"


def _late(seconds: float | None, limit_s: float) -> str:
    if seconds is None:
        return "-"
    return f"{1000 * seconds:.1f} ms{' !' if seconds > limit_s else ''}"


def lasted(seconds: float) -> str:
    """Return how long something has lasted, such as ``3m12s``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
