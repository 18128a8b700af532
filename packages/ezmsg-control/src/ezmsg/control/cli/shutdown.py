"""``ezmsg shutdown``: end a server."""

import sys

from ezmsg.control.cli.options import AddressOption, TimeoutOption


def shutdown(*, address: AddressOption = None, timeout: TimeoutOption = 2.0) -> int:
    """End a graph server: the one that is named, or on the default port.

    Publishers and subscribers that are joined already go on without it.
    """
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.discovery import find_address
    from ezmsg.control.operations import shut_down

    server = find_address(address)  # what is ended is said, or stands where a server belongs
    ask(shut_down, server, timeout)
    print(f"The graph server at {server} has ended.", file=sys.stderr)
    return 0
