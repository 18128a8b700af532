"""A snapshot as a few lines: who takes part, with which components."""

from collections.abc import Iterator

from ezmsg.control.rendering.quantities import counted
from ezmsg.protocol.model.snapshot import GraphSnapshot


def overview_lines(snapshot: GraphSnapshot) -> Iterator[str]:
    """Yield one line of counts, then the sessions with their components, then the processes with their units."""
    yield (
        f"{counted(len(snapshot.graph), 'topic')}, {counted(len(snapshot.edge_owners), 'edge')}, "
        f"{counted(len(snapshot.sessions), 'session')}, {counted(len(snapshot.processes), 'process')}"
    )
    for session_id, session in snapshot.sessions.items():
        root = session.metadata.root_name if session.metadata else None
        yield f"session {session_id}  {counted(len(session.edges), 'edge')}{f', root {root}' if root else ''}"
        for address, component in session.metadata.components.items() if session.metadata else ():
            yield f"   {address}  {component.component_type}"
    for process in snapshot.processes.values():
        yield f"process {process.process_id}  pid {process.pid} on {process.host}"
        for unit in process.units:
            yield f"   {unit}"
