"""``ezmsg shutdown``: end a server."""

from typing import Annotated

from cyclopts import Parameter

from ezmsg.control.cli.options import TimeoutOption
from ezmsg.control.cli.saying import note

_Address = Annotated[
    str | None,
    Parameter(help="The graph server, HOST:PORT. Default: EZMSG_GRAPHSERVER_ADDR, else 127.0.0.1:25978."),
]


def shutdown(*, address: _Address = None, timeout: TimeoutOption = 2.0) -> int:
    """End a graph server: the one that is named, else the one at the default address.

    Publishers and subscribers that are joined already go on without it. For example:

    ezmsg shutdown --address 127.0.0.1:25978
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.exits import exit_code, unreachable
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import shut_down
    from ezmsg.protocol.errors import ServerUnreachable

    server = find_address(address)  # what is ended is said, or stands where a server belongs
    try:
        ask(shut_down, server, timeout)
    except ServerUnreachable as error:
        note(f"ezmsg: {error.code}  {unreachable(error)} There is nothing to end.")
        return exit_code(error)
    note(f"The graph server at {server} has ended.")
    return 0
