"""``ezmsg graph``: what is connected with what."""

import asyncio
import json as json_text
import sys
from typing import Any

from ezmsg.control.cli.reaching import AddressOption, JsonOption, TimeoutOption, connected
from ezmsg.control.operations import take_dag
from ezmsg.control.rendering.tree import tree_lines
from ezmsg.protocol.dag import DAG
from ezmsg.protocol.model.snapshot import PERSISTENT_OWNER


def graph(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show the topics of a running graph and how they are connected."""
    where, dag = asyncio.run(_fetch(address, timeout))
    if json:
        print(json_text.dumps(_json_form(where, dag)))
        return 0
    for line in tree_lines(dag):
        print(line)
    print(f"{len(dag.edge_owners)} edges at {where}", file=sys.stderr)
    return 0


async def _fetch(address: str | None, timeout: float) -> tuple[str, DAG]:
    async with connected(address, timeout) as connection:
        return str(connection.address), await take_dag(connection, timeout)


def _json_form(where: str, dag: DAG) -> dict[str, Any]:
    edges = [
        {
            "from": from_topic,
            "to": to_topic,
            "owners": sorted(PERSISTENT_OWNER if owner is None else str(owner) for owner in owners),
        }
        for (from_topic, to_topic), owners in sorted(dag.edge_owners.items())
    ]
    return {"$schema": "ezmsg.graph/1", "server": where, "edges": edges}
