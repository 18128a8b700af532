"""``ezmsg unit``: the units of a running graph."""

from typing import Annotated

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.watching import watchable
from ezmsg.control.rendering.quantities import counted

unit = App(
    name="unit",
    help="Show the units of a running graph. For example:\n\nezmsg unit",
    help_format="plaintext",
)


@unit.default
@watchable
def list_all(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show every unit: its type, its process, and whether it takes settings while it runs.

    For example:

    ezmsg unit
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.units import owners, unit_list_lines, units
    from ezmsg.protocol.snapshots.json_form import to_json_form

    server = find_address(address)
    snapshot = ask(take_snapshot, server, timeout)
    described, owned = units(snapshot), owners(snapshot)
    if json:
        head = {"$schema": "ezmsg.unit/1"}
        for name in sorted({*described, *owned}):
            process = to_json_form(owned.get(name))
            say_json({**head, "address": name, "process": process, "described": to_json_form(described.get(name))})
            head = {}
        return 0
    say(unit_list_lines(snapshot))
    note(f"{counted(len({*described, *owned}), 'unit')} at {server}")
    return 0


unit.command(list_all, name="list")


@unit.command
@watchable
def info(
    name: Annotated[str, Parameter(help="A unit's address, or a beginning that only it has.")],
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show one unit: its type, its process, its streams with their edges, its functions.

    For example:

    ezmsg unit info DEMO/FILT
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.units import owners, unit_lines, units
    from ezmsg.protocol.snapshots.json_form import to_json_form

    snapshot = ask(take_snapshot, find_address(address), timeout)
    described, owned = units(snapshot), owners(snapshot)
    found = resolved(name, {*described, *owned}, "unit")
    if json:
        form = {"process": to_json_form(owned.get(found)), "described": to_json_form(described.get(found))}
        say_json({"$schema": "ezmsg.unit/1", "address": found, **form})
        return 0
    say(unit_lines(found, snapshot))
    return 0
