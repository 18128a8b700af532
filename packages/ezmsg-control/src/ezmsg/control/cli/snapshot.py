"""``ezmsg snapshot``: all that a server knows at one moment."""

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import say, say_json
from ezmsg.control.cli.watching import watchable


@watchable
def snapshot(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show the sessions, components and processes of a running graph; everything, with --json.

    For example:

    ezmsg snapshot --json
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.overview import overview_lines
    from ezmsg.protocol.snapshots.json_form import to_json_form

    server = find_address(address)
    taken = ask(take_snapshot, server, timeout)
    if json:
        head = {"$schema": "ezmsg.snapshot/1", "server": str(server)}
        say_json({**head, **to_json_form(taken)})
        return 0
    say(overview_lines(taken))
    return 0
