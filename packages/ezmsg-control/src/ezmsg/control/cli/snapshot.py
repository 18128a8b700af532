"""``ezmsg snapshot``: all that a server knows at one moment."""

import asyncio
import json as json_text

from ezmsg.control.cli.reaching import AddressOption, JsonOption, TimeoutOption, connected
from ezmsg.control.exporting.json_form import to_json_form
from ezmsg.control.operations import take_snapshot
from ezmsg.control.rendering.overview import overview_lines
from ezmsg.protocol.model.snapshot import GraphSnapshot


def snapshot(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show the sessions, components and processes of a running graph; everything, with --json."""
    where, taken = asyncio.run(_fetch(address, timeout))
    if json:
        print(json_text.dumps({"$schema": "ezmsg.snapshot/1", "server": where, **to_json_form(taken)}))
        return 0
    for line in overview_lines(taken):
        print(line)
    return 0


async def _fetch(address: str | None, timeout: float) -> tuple[str, GraphSnapshot]:
    async with connected(address, timeout) as connection:
        return str(connection.address), await take_snapshot(connection, timeout)
