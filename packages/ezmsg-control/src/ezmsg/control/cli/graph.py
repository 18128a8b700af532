"""``ezmsg graph``: what is connected with what."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.watching import watchable
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.protocol.graph.dag import DAG
    from ezmsg.protocol.model.snapshot import GraphSnapshot

_USAGE = 2

graph = App(
    name="graph",
    help="Show what is connected with what in a running graph, and change it. For example:\n\nezmsg graph",
    help_format="plaintext",
)

From = Annotated[str, Parameter(help="The topic that feeds, in full: it need not be there yet.")]
To = Annotated[str, Parameter(help="The topic that is fed, in full.")]


@graph.default
@watchable
def show(
    *,
    mermaid: Annotated[bool, Parameter(negative="", help="Write it as the source of a Mermaid drawing.")] = False,
    dot: Annotated[bool, Parameter(negative="", help="Write it as DOT, for Graphviz.")] = False,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show the topics of a running graph and how they are connected, in the order in which data flows.

    An edge that leads nowhere is marked, and streams without an edge come last.

    For example, here and in a file:

    ezmsg graph --address 127.0.0.1:25978

    ezmsg graph --dot > graph.dot
    """
    if mermaid + dot + json > 1:
        note("ezmsg: --mermaid, --dot and --json are three ways to write it: give one of them.")
        return _USAGE
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_dag, take_snapshot
    from ezmsg.control.rendering.flow import described
    from ezmsg.control.rendering.tree import tree_lines

    async def look(connection: "ControlConnection", timeout: float) -> "tuple[DAG, GraphSnapshot]":
        return await take_dag(connection, timeout), await take_snapshot(connection, timeout)

    server = find_address(address)
    dag, snapshot = ask(look, server, timeout)
    if json:
        say_json(_json_form(str(server), dag))
        return 0
    if mermaid or dot:
        from ezmsg.control.rendering.diagrams import diagram_lines

        say(diagram_lines(dag.graph, "mermaid" if mermaid else "graphviz"))
        return 0
    say(tree_lines(dag, described(snapshot)))
    note(f"{counted(len(dag.edge_owners), 'edge')} at {server}")
    return 0


@graph.command
def connect(
    from_topic: From,
    to_topic: To,
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Set an edge that outlives every session, until it is disconnected.

    For example:

    ezmsg graph connect DEMO/GEN/OUTPUT SPY/INPUT
    """
    return _change(from_topic, to_topic, address, timeout, json=json, is_set=True)


@graph.command
def disconnect(
    from_topic: From,
    to_topic: To,
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Remove an edge that outlives every session; it stays while a session owns it, too.

    For example:

    ezmsg graph disconnect DEMO/GEN/OUTPUT SPY/INPUT
    """
    return _change(from_topic, to_topic, address, timeout, json=json, is_set=False)


def _change(
    from_topic: str, to_topic: str, address: str | None, timeout: float, *, json: bool, is_set: bool
) -> int:
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.edges import change_edge, connect_request, disconnect_request
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.topics import topics, unknown

    request = (connect_request if is_set else disconnect_request)(from_topic, to_topic)

    async def change(connection: "ControlConnection", timeout: float) -> "tuple[bool, GraphSnapshot]":
        before = await take_snapshot(connection, timeout)
        return await change_edge(connection, request), before

    changed, before = ask(change, find_address(address), timeout)
    if is_set:
        known = topics(before)
        for said in filter(None, (unknown(topic, known) for topic in (from_topic, to_topic))):
            note(f"! {said}")
    if json:
        form = {"from": from_topic, "to": to_topic, "set": is_set, "topology_changed": changed}
        say_json({"$schema": "ezmsg.graph.change/1", **form})
        return 0
    unchanged = "it was there already" if is_set else "a session owns it, or it was not there"
    say([f"{from_topic} -> {to_topic}   {'connected' if is_set else 'disconnected'}"])
    if not changed:
        note(f"The graph is as it was: {unchanged}.")
    return 0


def _json_form(where: str, dag: "DAG") -> dict[str, Any]:
    from ezmsg.protocol.model.snapshot import PERSISTENT_OWNER

    edges = [
        {
            "from": from_topic,
            "to": to_topic,
            "owners": sorted(PERSISTENT_OWNER if owner is None else str(owner) for owner in owners),
        }
        for (from_topic, to_topic), owners in sorted(dag.edge_owners.items())
    ]
    return {"$schema": "ezmsg.graph/1", "server": where, "edges": edges}
