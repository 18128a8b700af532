"""A snapshot as a few lines: who takes part, with which components."""

from collections.abc import Iterator

from ezmsg.protocol.model.snapshot import GraphSnapshot


def overview_lines(snapshot: GraphSnapshot) -> Iterator[str]:
    """Yield one line of counts, then the sessions with their components, then the processes with their units."""
    yield (
        f"{len(snapshot.graph)} topics, {len(snapshot.edge_owners)} edges, "
        f"{len(snapshot.sessions)} sessions, {len(snapshot.processes)} processes"
    )
    for session_id, session in snapshot.sessions.items():
        root = session.metadata.root_name if session.metadata else None
        yield f"session {session_id}  {len(session.edges)} edges{f', root {root}' if root else ''}"
        for address, component in session.metadata.components.items() if session.metadata else ():
            yield f"   {address}  {component.component_type}"
    for process in snapshot.processes.values():
        yield f"process {process.process_id}  pid {process.pid} on {process.host}"
        for unit in process.units:
            yield f"   {unit}"
