"""``ezmsg session``: whose a running graph is, and the end of a session."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.watching import watchable
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection

session = App(
    name="session",
    help="Show whose a running graph is, and end a session. For example:\n\nezmsg session",
    help_format="plaintext",
)


@session.default
@watchable
def list_all(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show every session: its client, since when, and how much it holds.

    For example:

    ezmsg session
    """
    import time

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_snapshot
    from ezmsg.control.rendering.units import session_lines

    server = find_address(address)
    snapshot = ask(take_snapshot, server, timeout)
    if json:
        head = {"$schema": "ezmsg.session/1"}
        for name, each in snapshot.sessions.items():
            edges = [list(edge) for edge in each.edges]
            components = [] if each.metadata is None else list(each.metadata.components)
            form = {"client": each.client, "opened": each.opened, "edges": edges, "components": components}
            say_json({**head, "session": name, **form})
            head = {}
        return 0
    say(session_lines(snapshot, time.time()))
    note(f"{counted(len(snapshot.sessions), 'session')} at {server}")
    return 0


session.command(list_all, name="list")


@session.command
def drop(
    name: Annotated[str, Parameter(help="A session's id, or a beginning that only it has.")],
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative="", help="Only show what would vanish.")] = False,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """End a session, whosever it is, and show what vanishes with it; its program goes on without.

    For example, what would vanish:

    ezmsg session drop 7f3a --dry-run
    """
    from uuid import UUID

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import drop_session, take_snapshot
    from ezmsg.control.rendering.units import vanishing_lines

    async def drop_it(connection: "ControlConnection", timeout: float) -> "tuple[str, Any]":
        snapshot = await take_snapshot(connection, timeout)
        found = resolved(name, snapshot.sessions, "session", "an id")
        if not dry_run:
            await drop_session(connection, UUID(found), timeout)
        return found, snapshot

    found, snapshot = ask(drop_it, find_address(address), timeout)
    held = snapshot.sessions[found]
    if json:
        edges = [list(edge) for edge in held.edges]
        components = [] if held.metadata is None else list(held.metadata.components)
        form = {"session": found, "dropped": not dry_run, "edges": edges, "components": components}
        say_json({"$schema": "ezmsg.session.drop/1", **form})
        return 0
    say(vanishing_lines(found, held, snapshot))
    note("Nothing was dropped; without --dry-run it would be." if dry_run else "It is dropped.")
    return 0
