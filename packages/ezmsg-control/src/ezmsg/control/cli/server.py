"""``ezmsg server``: the life of a graph server; `ezmsg.graphserver` serves, in a process of its own."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ezmsg.control.cli.certificates import certificates
from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.role_tokens import token
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.shutdown import shutdown
from ezmsg.control.cli.watching import watchable

if TYPE_CHECKING:
    from ezmsg.control.graph.server_status import ServerStatus

server = App(
    name="server",
    help="Run, start, stop and look at a graph server, and let others in. For example:\n\nezmsg server status",
    help_format="plaintext",
)

_FAILED, _NO_CONNECTION = 1, 3

TlsFile = Annotated[str | None, Parameter(help="This host's certificate, its key, and its authority's, for TLS.")]


@Parameter(name="*")
@dataclass
class ServerOptions:
    """What the command line of a server says, and both `run` and `start` hand on."""

    address: Annotated[
        str | None,
        Parameter(help="Where to listen, HOST:PORT. Default: EZMSG_GRAPHSERVER_ADDR, else 127.0.0.1:25978."),
    ] = None
    also: Annotated[
        str | None,
        Parameter(help="A name by which clients find it, too: zenoh:NAME, with ezmsg-zenoh. It takes a token."),
    ] = None
    log_file: Annotated[str | None, Parameter(help="Append its log to this file.")] = None
    state: Annotated[
        str | None,
        Parameter(
            help="Keep persistent edges, and settings that operators made, in this file; begin with what it holds."
        ),
    ] = None
    tls_cert: TlsFile = None
    tls_key: TlsFile = None
    tls_ca: TlsFile = None


@server.default
@watchable
def status(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show every graph server of yours on this machine, or the one that is named, and what it serves.

    It ends with 3 if there is none. For example:

    ezmsg server status
    """
    import asyncio

    from ezmsg.control.cli.exits import how_to_get_a_server
    from ezmsg.control.connection.discovery import named_address
    from ezmsg.control.graph.server_status import server_statuses
    from ezmsg.control.rendering.servers import status_lines

    found = asyncio.run(server_statuses(named_address(address), timeout))
    if json:
        _write_json(found)
    elif found:
        say(status_lines(found))
    for each in found:
        if each.failure is not None:
            note(f"! {each.address}: {each.failure}")
    if any(each.failure is None for each in found):
        return 0
    note(f"ezmsg: No graph server {'answers' if found else 'of yours runs here'}. {how_to_get_a_server()}")
    return _NO_CONNECTION


server.command(status, name="status")


@server.command
def run(*, options: ServerOptions | None = None) -> int:
    """Serve the graph in this terminal, until Ctrl-C.

    For example:

    ezmsg server run --address 127.0.0.1:25978
    """
    import subprocess

    words = _words(options or ServerOptions())
    if words is None:
        return _FAILED
    process = subprocess.Popen(words)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # it has had the same, and ends in good order
            continue


@server.command
def start(
    *,
    options: ServerOptions | None = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 10.0,
) -> int:
    """Start a graph server that stays, and return when it answers; `ezmsg server stop` ends it.

    For example:

    ezmsg server start
    """
    import asyncio
    import os

    from ezmsg.control.connection.discovery import DEFAULT_ADDRESS, named_address
    from ezmsg.control.graph.server_start import started

    options = options or ServerOptions()
    options.log_file = options.log_file or os.devnull
    words = _words(options)
    if words is None:
        return _FAILED
    place = named_address(options.address) or DEFAULT_ADDRESS
    known = asyncio.run(started(words, place, timeout))
    if json:
        _write_json([known])
    else:
        say([f"{known.address}   pid {known.pid}"])
        note(f"It stays until: ezmsg server stop --address {known.address}")
    return 0


server.command(shutdown, name="stop")
server.command(token, name="token")
server.command(certificates, name="certificates")


def _words(options: ServerOptions) -> list[str] | None:
    """Return the command line of a server, nothing, with a note, if it is not installed."""
    import sys
    from importlib.util import find_spec

    from ezmsg.control.connection.discovery import DEFAULT_ADDRESS, named_address

    if find_spec("ezmsg.graphserver") is None:
        note("ezmsg: A graph server needs ezmsg-graphserver, which is not installed: pip install ezmsg-graphserver")
        return None
    options.address = str(named_address(options.address) or DEFAULT_ADDRESS)
    fields = {f"--{name.replace('_', '-')}": value for name, value in vars(options).items()}
    given = [word for option, value in fields.items() if value is not None for word in (option, value)]
    return [sys.executable, "-m", "ezmsg.graphserver", *given]


def _write_json(statuses: "list[ServerStatus]") -> None:
    from attrs import asdict

    head = {"$schema": "ezmsg.server/1"}
    for each in statuses:
        say_json({**head, **asdict(each)})
        head = {}
