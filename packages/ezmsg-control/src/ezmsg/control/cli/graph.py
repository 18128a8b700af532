"""``ezmsg graph``: what is connected with what."""

from typing import TYPE_CHECKING, Any

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.protocol.graph.dag import DAG


def graph(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show the topics of a running graph and how they are connected.

    For example:

    ezmsg graph --address 127.0.0.1:25978
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_dag
    from ezmsg.control.rendering.tree import tree_lines

    server = find_address(address)
    dag = ask(take_dag, server, timeout)
    if json:
        say_json(_json_form(str(server), dag))
        return 0
    say(tree_lines(dag))
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
