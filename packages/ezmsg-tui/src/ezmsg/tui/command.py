"""``ezmsg top``: the verb that this distribution adds to the command."""

from typing import Annotated

from cyclopts import Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json

_FAILED, _USAGE, _TIMED_OUT = 1, 2, 5
_PORT = 8000


def top(
    port: Annotated[int | None, Parameter(help="With --web, the port; 0 is any free one. Default: 8000.")] = None,
    /,
    *,
    web: Annotated[bool, Parameter(negative="", help="Serve it to a browser on this machine.")] = False,
    once: Annotated[bool, Parameter(negative="", help="Look once, write what is known, and go.")] = False,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 5.0,
) -> int:
    """Look into a running graph, and change it, on a screen of its own.

    It starts no server and traces nothing by itself. For scripts, and for a browser behind a token:

    ezmsg top --once --json

    ezmsg top --web 8000
    """
    import sys

    if port is not None and not web:
        note(f"ezmsg: {port} is a port, which --web takes: ezmsg top --web {port}")
        return _USAGE
    if json and not once:
        note("ezmsg: --json is for one look: ezmsg top --once --json")
        return _USAGE
    if once:
        return _look(address, timeout, json=json)
    if web:
        return _serve(_PORT if port is None else port, address)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        note("ezmsg: top wants a terminal. For a script: ezmsg top --once, for a browser: ezmsg top --web")
        return _USAGE
    return _show(address)


def _show(address: str | None) -> int:
    from ezmsg.protocol.addresses import parse_address
    from ezmsg.tui.starting import show

    if address is not None:
        parse_address(address)  # what is no address is said before the screen is taken
    return show(address)


def _look(address: str | None, timeout: float, *, json: bool) -> int:
    import asyncio

    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import take_dag
    from ezmsg.tui.summary import lines, look, plain

    server = find_address(address)
    ask(take_dag, server, timeout)  # which says why, if there is no server or it does not let us in
    view = asyncio.run(look(str(server), timeout))
    if not view.is_live or view.snapshot is None:
        note(f"ezmsg: {server} did not tell what runs there within {timeout:g} s. A longer --timeout may help.")
        return _TIMED_OUT
    if json:
        say_json(plain(view))
    else:
        say(lines(view))
        note(f"{view.picture.unit_count} units in {len(view.picture.processes)} processes at {server}")
    return 0


def _serve(port: int, address: str | None) -> int:
    from importlib.util import find_spec

    if find_spec("textual_serve") is None:
        note("ezmsg: --web needs an extra that is not installed. Install it: pip install 'ezmsg-tui[web]'")
        return _FAILED
    from ezmsg.tui.serving import serve

    return serve(port, address, lambda text: say([text], flush=True), note)
