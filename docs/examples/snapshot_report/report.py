"""Print a readable report of a graph from the bytes of a snapshot: ``python report.py FILE``, or bytes on stdin.

A small application that needs ``ezmsg-protocol`` and nothing else: no server, no network, no NumPy.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from ezmsg.protocol import EzmsgError, GraphSnapshot, decode
from ezmsg.protocol.model import InputStreamMetadata, StreamMetadata, UnitMetadata


def report(snapshot: GraphSnapshot) -> Iterator[str]:
    """Yield the report line by line."""
    units = list(all_units(snapshot))
    yield ", ".join(
        count(number, noun)
        for number, noun in (
            (len(snapshot.sessions), "session"),
            (len(units), "unit"),
            (len(snapshot.edge_owners), "edge"),
            (len(snapshot.processes), "process"),
        )
    )
    if snapshot.epoch is not None:
        yield f"server run {snapshot.epoch}, topology event {snapshot.topology_seq or 0}"
    for title, lines in (
        ("Sessions", session_lines(snapshot)),
        ("Units", unit_lines(snapshot, units)),
        ("Edges", edge_lines(snapshot)),
        ("Processes", process_lines(snapshot)),
    ):
        yield ""
        yield title
        yield from [f"  {line}" for line in lines] or ["  none"]


def all_units(snapshot: GraphSnapshot) -> Iterator[UnitMetadata]:
    for session in snapshot.sessions.values():
        if session.metadata is not None:
            for component in session.metadata.components.values():
                if isinstance(component, UnitMetadata):
                    yield component


def session_lines(snapshot: GraphSnapshot) -> Iterator[str]:
    for name, session in snapshot.sessions.items():
        metadata = session.metadata
        program = metadata.root_name or "without a name" if metadata else "no metadata"
        components = count(len(metadata.components), "component") if metadata else "no components"
        yield f"{name}  {program}: {components}, {count(len(session.edges), 'edge')}"


def unit_lines(snapshot: GraphSnapshot, units: list[UnitMetadata]) -> Iterator[str]:
    owners = {unit: process for process in snapshot.processes.values() for unit in process.units}
    for unit in units:
        process = owners.get(unit.address)
        place = f"process {process.pid} on {process.host}" if process else "no process"
        yield f"{unit.address}  {unit.component_type}, {place}"
        _, settings = unit.initial_settings
        if settings:
            yield f"  settings: {settings}"
        for stream in unit.streams.values():
            yield f"  {arrow(stream)} {stream.name}  {stream.msg_type}"


def edge_lines(snapshot: GraphSnapshot) -> Iterator[str]:
    for edge, owners in snapshot.edge_owners.items():
        yield f"{edge.from_topic} -> {edge.to_topic}  owned by {', '.join(owners)}"


def process_lines(snapshot: GraphSnapshot) -> Iterator[str]:
    for process in snapshot.processes.values():
        yield f"{process.pid} on {process.host}: {', '.join(process.units) or 'no units'}"


def arrow(stream: StreamMetadata) -> str:
    return "in " if isinstance(stream, InputStreamMetadata) else "out"


def count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def main(arguments: list[str]) -> int:
    if len(arguments) > 1:
        print("usage: report.py [FILE]", file=sys.stderr)
        return 2
    data = Path(arguments[0]).read_bytes() if arguments else sys.stdin.buffer.read()
    try:
        snapshot = decode(data, GraphSnapshot)
    except EzmsgError as error:
        print(f"This is not a snapshot. {error}", file=sys.stderr)
        return 1
    # A topic may be any text; what this terminal cannot show is written as an escape.
    sys.stdout.reconfigure(errors="backslashreplace")
    for line in report(snapshot):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
