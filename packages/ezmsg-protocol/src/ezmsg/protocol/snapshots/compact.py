"""The edges of a snapshot as columns, and a compact snapshot made whole again.

A snapshot names every topic in each of its edges, and every edge three times: among the successors, with its owners
and in its sessions. Here each topic is named once, and each edge is three small numbers.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any

from ezmsg.protocol.errors import InvalidMessage
from ezmsg.protocol.messages.sessions import CompactSnapshot, SnapshotTaken
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, SnapshotSession
from ezmsg.protocol.wire.plain import pack, unpack


def pack_edges(
    graph: Mapping[str, Collection[str]],
    owners: Mapping[tuple[str, str], Iterable[Hashable]],
    name: Callable[[Any], str],
) -> bytes:
    """Return every edge with the names of its owners, sorted.

    The bytes hold, packed: the topics; for each edge the places of its two topics among them, all starts and then
    all ends; the groups of owners that there are, by name; for each edge the place of its group.

    :param graph: the successors of every topic that is in an edge.
    :param owners: the owners of every edge.
    :param name: what an owner is called.
    """
    topics = sorted(graph)
    place = {topic: number for number, topic in enumerate(topics)}
    groups: dict[frozenset[Hashable], int] = {}
    starts: list[int] = []
    ends: list[int] = []
    chosen: list[int] = []
    for start, topic in enumerate(topics):
        for end in sorted(map(place.__getitem__, graph[topic])):
            starts.append(start)
            ends.append(end)
            chosen.append(groups.setdefault(frozenset(owners[topic, topics[end]]), len(groups)))
    return pack([topics, starts, ends, [sorted(map(name, group)) for group in groups], chosen])


def expand(taken: SnapshotTaken, metadata: Mapping[bytes, GraphMetadata]) -> GraphSnapshot:
    """Return the whole snapshot, as an answer without ``compact`` would have held it.

    :param metadata: the metadata of each digest in it; what it holds goes into the snapshot as it is.
    :raises InvalidMessage: if the parts do not fit together.
    """
    compact = taken.compact
    if compact is None:
        return taken.snapshot
    try:
        edges, chosen, groups, graph = _unpack_edges(compact.edges)
        sessions = _sessions(compact, metadata)
        for edge, group in zip(edges, chosen, strict=True):
            for name in groups[group]:
                if (session := sessions.get(name)) is not None:
                    session.edges.append(edge)
        owners = {edge: groups[group].copy() for edge, group in zip(edges, chosen, strict=True)}
    except (ValueError, IndexError, TypeError) as error:
        raise InvalidMessage(tag=SnapshotTaken.TAG, reason=str(error)) from error
    whole = taken.snapshot
    return GraphSnapshot(
        graph=graph,
        edge_owners=owners,
        sessions=sessions,
        processes=whole.processes,
        epoch=whole.epoch,
        topology_seq=whole.topology_seq,
        settings_seq=whole.settings_seq,
        dead=whole.dead,
    )


def _sessions(compact: CompactSnapshot, metadata: Mapping[bytes, GraphMetadata]) -> dict[str, SnapshotSession]:
    sessions = {}
    for shown in compact.sessions:
        known = None if shown.digest is None else metadata.get(shown.digest)
        if shown.digest is not None and known is None:
            raise ValueError(f"the metadata of session {shown.session_id} was neither sent nor known")
        sessions[shown.session_id] = SnapshotSession([], known, shown.client, shown.opened)
    return sessions


def _unpack_edges(data: bytes) -> tuple[list[Edge], list[int], list[list[str]], dict[str, list[str]]]:
    """Return the edges, for each the place of its group of owners, these groups, and each topic's successors."""
    topics, starts, ends, groups, chosen = _columns(unpack(data))
    edges = [Edge(topics[start], topics[end]) for start, end in zip(starts, ends, strict=True)]
    graph: dict[str, list[str]] = {topic: [] for topic in topics}
    for edge in edges:
        graph[edge[0]].append(edge[1])
    return edges, chosen, groups, graph


def _columns(value: Any) -> tuple[list[str], list[int], list[int], list[list[str]], list[int]]:
    match value:
        case [list(topics), list(starts), list(ends), list(groups), list(chosen)]:
            names = [topics, *groups]
            columns = [starts, ends, chosen]
            if all(_only(str, each) for each in names) and all(_only(int, each) for each in columns):
                if any(column and min(column) < 0 for column in columns):
                    raise ValueError("an edge points before the first topic or owner")
                return topics, starts, ends, groups, chosen
    raise ValueError("its edges are not five columns of texts and numbers")


def _only(cls: type, values: object) -> bool:
    return type(values) is list and set(map(type, values)) <= {cls}
