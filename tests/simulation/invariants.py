"""What must hold: at any moment, when everything has calmed down, and when a last message has come everywhere.

Each returns sentences on what does not hold. They look at the server's state and at the accounts of the programs,
and use nothing of the product to work out what should be.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from tests.simulation.plan import SERVER
from tests.simulation.programs import BUFFERS, Owner, Program, Sink, Source, Watcher

from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.model.snapshot import ProcessState

if TYPE_CHECKING:
    from tests.simulation.world import World


def always(world: "World") -> list[str]:
    """Look at what must hold at any moment."""
    graph = None if world.server is None else world.server.graph
    problems = [] if graph is None else [*_state_is_sound(graph), *_one_connection_each(graph), *_rules(graph)]
    return [*problems, *_windows_add_up(world), *_losses_are_told(world)]


def calm(world: "World") -> list[str]:
    """Look at what must hold some time after the last fault: the server knows everybody as they are."""
    graph = None if world.server is None else world.server.graph
    if graph is None:
        return ["the server is not there"]
    return [
        *_everybody_is_ready(world),
        *_sessions_are_known(world, graph),
        *_processes_are_known(world, graph),
        *_endpoints_are_known(world, graph),
        *_channels_are_open(world),
        *_nobody_else_is_known(world, graph),
        *_watchers_know(world, graph),
        *_windows_are_empty(world),
    ]


def complete(world: "World") -> list[str]:
    """Look at what must hold when each source has published a last message."""
    return [*calm(world), *_last_messages_came(world), *_losses_are_exact(world)]


# --- at any moment ----------------------------------------------------------------------------------------


def _state_is_sound(graph: Graph) -> Iterator[str]:
    try:
        graph.state.validate()
    except AssertionError as error:
        yield f"the server's state contradicts itself: {error!r}"


def _one_connection_each(graph: Graph) -> Iterator[str]:
    """R7: who came back on another connection is not heard on the old one."""
    heard = Counter(peer.client_id for peer in graph.state.peers.values() if peer.id not in graph._fenced)
    for client, connections in heard.items():
        if connections > 1:
            yield f"client {client} is heard on {connections} connections"


def _rules(graph: Graph) -> Iterator[str]:
    """The rules of the graph, worked out anew from what a client would be shown."""
    snapshot = graph.state.snapshot()
    edges = {(here, there) for here, ends in snapshot.graph.items() for there in ends}
    if edges != set(snapshot.edge_owners):
        yield f"edges {edges} and owned edges {set(snapshot.edge_owners)} differ"
    for edge, owners in snapshot.edge_owners.items():
        if not owners or not set(owners) <= {*snapshot.sessions, "_"} | _persistent(owners):
            yield f"{edge} belongs to {owners}, who are not there"
    if _has_circle(edges):
        yield f"there is a circle in {edges}"
    owned = Counter(unit for process in snapshot.processes.values() for unit in process.units)
    if any(number > 1 for number in owned.values()):
        yield f"units have several owners: {owned}"


def _persistent(owners: list[str]) -> set[str]:
    return {owner for owner in owners if "-" not in owner}


def _has_circle(edges: set[tuple[str, str]]) -> bool:
    """Take away whoever feeds nobody, again and again; what is left goes in a circle."""
    while True:
        feeding = {here for here, _ in edges}
        rest = {edge for edge in edges if edge[1] in feeding}
        if rest == edges:
            return bool(edges)
        edges = rest


def _windows_add_up(world: "World") -> Iterator[str]:
    for source in world.programs(Source):
        if source.publisher is None:
            continue
        window = source.publisher.window
        if window.size != BUFFERS or not 0 <= window.busy <= window.size:
            yield f"{source.host.name} has {window.busy} of {window.size} buffers out"
        held = Counter(token for sender in source.publisher.senders for _, token in sender.held_messages)
        for token, holders in held.items():
            if window.holders_of(token) < holders:
                counted = window.holders_of(token)
                yield f"{source.host.name}: {holders} hold token {token}, and {counted} are counted"


def _losses_are_told(world: "World") -> Iterator[str]:
    """R2: of those that came before and after, none is missing that was not counted."""
    for sink in world.programs(Sink):
        if sink.subscriber is not None and _holes(sink) > sink.subscriber.messages_missed:
            yield (
                f"{sink.host.name} lacks {_holes(sink)} messages, and was told of {sink.subscriber.messages_missed}"
            )


def _holes(sink: Sink) -> int:
    return sum(there - here - 1 for come in sink.received.values() for here, there in pairwise(come))


# --- when it is calm --------------------------------------------------------------------------------------


def _everybody_is_ready(world: "World") -> Iterator[str]:
    for program in world.programs(Program):
        if program.busy or program.connection is None or not program.connection.connected:
            yield f"{program.host.name} is not ready"


def _sessions_are_known(world: "World", graph: Graph) -> Iterator[str]:
    """R6, R7 and rule 3: what the server holds is what living programs hold."""
    known = {session.id for session in graph.state.sessions}
    there = {program.session.id for program in world.programs(Program) if program.session is not None}
    if known != there:
        yield f"{len(known - there)} sessions are left over, {len(there - known)} are missing"
    for program in world.programs(Program):
        if program.session is None:
            continue
        held = {tuple(edge) for edge in graph.state.edges.held_by(program.session.id)}
        if not program.edges.fits(held):
            yield f"{program.host.name} holds {sorted(program.edges.sure)}, and the server knows {sorted(held)}"


def _processes_are_known(world: "World", graph: Graph) -> Iterator[str]:
    """R6 and rule 5: who owns which units, and which settings they have."""
    shown = graph.state.snapshot().processes
    owners = [owner for owner in world.programs(Owner) if owner.client is not None]
    if set(shown) != {owner.client.process_id for owner in owners}:
        yield f"the server knows {len(shown)} processes of {len(owners)}"
        return
    values = graph.state.settings.values()
    for owner in owners:
        process = shown[owner.client.process_id]
        if process.state is not ProcessState.ALIVE:
            yield f"{owner.host.name} is taken for {process.state}"
        if not owner.units.fits(set(process.units)):
            yield f"{owner.host.name} owns {owner.units.sure}, and the server knows {process.units}"
        for unit, value in owner.reported.items():
            said = values.get(unit)
            if unit in owner.units.sure - owner.unsure and (said is None or said.repr_value != str(value)):
                yield f"{owner.host.name} reported {value} of {unit}, and the server knows {said}"


def _endpoints_are_known(world: "World", graph: Graph) -> Iterator[str]:
    publishers = {source.publisher.id for source in world.programs(Source) if source.publisher is not None}
    subscribers = {sink.subscriber.id for sink in world.programs(Sink) if sink.subscriber is not None}
    for there, known in (
        (publishers, graph.state.endpoints.publishers),
        (subscribers, graph.state.endpoints.subscribers),
    ):
        if there != set(known):
            yield f"endpoints: {len(set(known) - there)} are left over, {len(there - set(known))} are missing"
    for sink in world.programs(Sink):
        if sink.subscriber is not None and set(sink.subscriber.publisher_ids) != publishers:
            yield f"{sink.host.name} hears {len(sink.subscriber.publisher_ids)} of {len(publishers)} publishers"


def _channels_are_open(world: "World") -> Iterator[str]:
    for sink in world.programs(Sink):
        waits = [] if sink.subscriber is None else [p for p in sink.subscriber.peers() if p.state != "heard"]
        if waits:
            yield f"{sink.host.name} does not hear {len(waits)} publishers yet"


def _nobody_else_is_known(world: "World", graph: Graph) -> Iterator[str]:
    """R7, R22: no connection of the dead is left, and none of an earlier incarnation."""
    connections = len(world.programs(Program)) + len(world.programs(Owner))
    if len(graph.state.peers) != connections or graph._fenced:
        fenced = len(graph._fenced)
        yield f"the server has {len(graph.state.peers)} clients, {fenced} of them fenced, of {connections}"


def _watchers_know(world: "World", graph: Graph) -> Iterator[str]:
    """R17 and R18: who followed arrives at the server's own state."""
    for watcher in world.programs(Watcher):
        last = graph.state.topology.last_seq
        if (watcher.epoch, watcher.seq) != (graph.state.epoch, last):
            yield f"the watcher has come to event {watcher.seq}, of {last}"
        if watcher.settings != graph.state.settings.values():
            yield f"the watcher knows the settings {watcher.settings}, of {graph.state.settings.values()}"


def _windows_are_empty(world: "World") -> Iterator[str]:
    for source in world.programs(Source):
        if source.publisher is not None and (source.publisher.window.busy or source.publisher.window.waiting):
            yield f"{source.host.name} still has {source.publisher.window.busy} buffers out"


# --- when a last message has come -------------------------------------------------------------------------


def _last_messages_came(world: "World") -> Iterator[str]:
    for source in world.programs(Source):
        for sink in world.programs(Sink):
            come = sink.received.get(source.publisher.id, [])
            if come[-1:] != [source.published - 1]:
                sent = source.published
                yield f"{sink.host.name} has message {come[-1:]} of {source.host.name}, which sent {sent}"


def _losses_are_exact(world: "World") -> Iterator[str]:
    """R2 and R6: between two that nothing came between nothing is lost, whatever became of the server."""
    for sink in world.programs(Sink):
        for source in world.programs(Source):
            come = sink.received.get(source.publisher.id, [])
            if come and _were_left_alone(world, sink, source) and come != list(range(come[0], source.published)):
                yield f"{sink.host.name} lost messages of {source.host.name}, though nothing came between them"
        living = {source.publisher.id for source in world.programs(Source)}
        told, lacks = sink.subscriber.messages_missed, _holes(sink)
        heard = set(sink.subscriber.first)  # also of who said nothing that came
        if heard <= living and lacks != told:
            yield f"{sink.host.name} lacks {lacks}, and was told of {told}"


def _were_left_alone(world: "World", sink: Sink, source: Source) -> bool:
    """Whether neither the network between two nor that between one of them and the server was ever cut."""
    names = sink.host.name, source.host.name, SERVER
    pairs = {frozenset(pair) for pair in combinations(names, 2)}
    return not world.disturbed & pairs and source.publisher.id not in sink.without_route
