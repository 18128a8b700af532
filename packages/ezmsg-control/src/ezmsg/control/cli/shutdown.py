"""``ezmsg shutdown``: end a server."""

from ezmsg.control.cli.options import AddressOption, TimeoutOption
from ezmsg.control.cli.saying import note


def shutdown(*, address: AddressOption = None, timeout: TimeoutOption = 2.0) -> int:
    """End a graph server.

    Publishers and subscribers that are joined already go on without it. For example:

    ezmsg shutdown --address 127.0.0.1:25978
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
        note(f"ezmsg: {error.code}  {unreachable(error)} There is nothing to end.")
        return exit_code(error)
    note(f"The graph server at {server} has ended.")
    return 0
