"""``ezmsg shutdown``: end a server."""

import sys
from typing import Annotated

from cyclopts import Parameter

from ezmsg.control.cli.options import TimeoutOption

_Address = Annotated[
    str | None,
    Parameter(help="The graph server, HOST:PORT. Default: EZMSG_GRAPHSERVER_ADDR, else 127.0.0.1:25978."),
]


def shutdown(*, address: _Address = None, timeout: TimeoutOption = 2.0) -> int:
    """End a graph server: the one that is named, else the one at the default address.

    Publishers and subscribers that are joined already go on without it.
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
        print(f"ezmsg: {error.code}  {unreachable(error)} There is nothing to end.", file=sys.stderr)
        return exit_code(error)
    print(f"The graph server at {server} has ended.", file=sys.stderr)
    return 0
