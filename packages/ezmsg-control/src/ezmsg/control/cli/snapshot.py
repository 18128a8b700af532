"""``ezmsg snapshot``: all that a server knows at one moment."""

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption


def snapshot(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show the sessions, components and processes of a running graph; everything, with --json."""
    import json as json_text

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.overview import overview_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    server = find_address(address)
    taken = ask(take_snapshot, server, timeout)
    if json:
        head = {"$schema": "ezmsg.snapshot/1", "server": str(server)}
        print(json_text.dumps({**head, **to_json_form(taken)}))
        return 0
    for line in overview_lines(taken):
        print(line)
    return 0
