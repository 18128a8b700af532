"""``ezmsg graph``: what is connected with what."""

from typing import TYPE_CHECKING, Any

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.protocol.graph.dag import DAG
    from ezmsg.protocol.model.snapshot import GraphSnapshot


def graph(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show the topics of a running graph and how they are connected, in the order in which data flows.

    An edge that leads nowhere is marked, and streams without an edge come last.

    For example:

    ezmsg graph --address 127.0.0.1:25978
    """
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
    say(tree_lines(dag, described(snapshot)))
    note(f"{counted(len(dag.edge_owners), 'edge')} at {server}")
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
