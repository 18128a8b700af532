"""Units and sessions as tables and as lines. Pure."""

import time
from collections.abc import Iterator

from ezmsg.control.rendering.columns import aligned
from ezmsg.control.rendering.quantities import counted
from ezmsg.protocol.model.metadata import UnitMetadata
from ezmsg.protocol.model.snapshot import GraphSnapshot, SnapshotProcess, SnapshotSession

_NOTHING = "-"


def units(snapshot: GraphSnapshot) -> dict[str, UnitMetadata]:
    """Return every unit that a program describes, by its address."""
    found = {
        address: component
        for session in snapshot.sessions.values()
        if session.metadata is not None
        for address, component in session.metadata.components.items()
        if isinstance(component, UnitMetadata)
    }
    return dict(sorted(found.items()))


def owners(snapshot: GraphSnapshot) -> dict[str, SnapshotProcess]:
    """Return the process of each unit."""
    return {unit: process for process in snapshot.processes.values() for unit in process.units}


def unit_list_lines(snapshot: GraphSnapshot) -> Iterator[str]:
    """Yield a head and a line for each unit, also for those that a process owns and nobody describes."""
    described, owned = units(snapshot), owners(snapshot)
    rows = [("UNIT", "TYPE", "PID", "HOST", "STREAMS", "TUNABLE")]
    for address in sorted({*described, *owned}):
        unit, process = described.get(address), owned.get(address)
        rows.append(
            (
                address,
                unit.component_type.rpartition(".")[2] if unit else _NOTHING,
                str(process.pid) if process else _NOTHING,
                (process.host if process else None) or _NOTHING,
                str(len(unit.streams)) if unit else _NOTHING,
                "yes" if unit and unit.dynamic_settings.enabled else _NOTHING,
            )
        )
    return aligned(rows)


def unit_lines(address: str, snapshot: GraphSnapshot) -> Iterator[str]:
    """Yield what is known of one unit: its type, its process, its streams with their edges, its tasks."""
    unit, process = units(snapshot).get(address), owners(snapshot).get(address)
    where = f"   pid {process.pid} on {process.host}" if process else "   no process owns it"
    yield f"{address}   {unit.component_type if unit else 'not described'}{where}"
    if unit is None:
        return
    feeding = sorted(snapshot.edge_owners)
    for stream in unit.streams.values():
        others = [f"-> {end}" for start, end in feeding if start == stream.address]
        others += [f"<- {start}" for start, end in feeding if end == stream.address]
        yield f"   {stream.name}   {stream.msg_type}   {', '.join(others) or 'no edges'}"
    for task in unit.tasks:
        source = f"   {task.source}" if task.source else ""
        yield f"   task {task.name}{f' of {task.subscribes}' if task.subscribes else ''}{source}"


def session_lines(snapshot: GraphSnapshot, now: float) -> Iterator[str]:
    """Yield a head and a line for each session; ``now`` is wall time."""
    rows = [("SESSION", "CLIENT", "SINCE", "EDGES", "COMPONENTS", "ROOT")]
    for name, session in snapshot.sessions.items():
        since = _NOTHING if session.opened is None else _since(session.opened, now)
        components = 0 if session.metadata is None else len(session.metadata.components)
        root = session.metadata.root_name if session.metadata else None
        rows.append(
            (name, session.client or _NOTHING, since, str(len(session.edges)), str(components), root or _NOTHING)
        )
    return aligned(rows)


def vanishing_lines(name: str, session: SnapshotSession, snapshot: GraphSnapshot) -> Iterator[str]:
    """Yield what goes with a session."""
    components = [] if session.metadata is None else list(session.metadata.components)
    yield f"session {name}   {counted(len(session.edges), 'edge')}, {counted(len(components), 'component')}"
    for edge in session.edges:
        kept = "" if snapshot.edge_owners.get(edge) == [name] else "  (stays: others own it, too)"
        yield f"   {edge.from_topic} -> {edge.to_topic}{kept}"
    for address in components:
        yield f"   {address}"


def _since(opened: float, now: float) -> str:
    day = "%H:%M:%S" if now - opened < 12 * 3600 else "%Y-%m-%d %H:%M"
    return time.strftime(day, time.localtime(opened))
