"""``ezmsg shutdown``: end a server."""

import sys

from ezmsg.control.cli.options import AddressOption, TimeoutOption


def shutdown(*, address: AddressOption = None, timeout: TimeoutOption = 2.0) -> int:
    """End a graph server.

    Publishers and subscribers that are joined already go on without it.
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.cli.exits import exit_code, unreachable
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.operations import shut_down
    from ezmsg.protocol.errors import ServerUnreachable

    server = find_address(address)
    try:
        ask(shut_down, server, timeout)
    except ServerUnreachable as error:
        print(f"ezmsg: {error.code}  {unreachable(error)} There is nothing to end.", file=sys.stderr)
        return exit_code(error)
    print(f"The graph server at {server} has ended.", file=sys.stderr)
    return 0
