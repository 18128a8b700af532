"""``ezmsg shutdown``: end a server."""

import sys

from ezmsg.control.cli.options import AddressOption, TimeoutOption


def shutdown(*, address: AddressOption = None, timeout: TimeoutOption = 2.0) -> int:
    """End a graph server. Publishers and subscribers that are joined already go on without it."""
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.discovery import find_address
    from ezmsg.control.operations import shut_down

    ask(shut_down, address, timeout)
    print(f"The graph server at {find_address(address)} has ended.", file=sys.stderr)
    return 0
