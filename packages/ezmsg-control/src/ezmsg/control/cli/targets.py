"""What a command line names: an address of the graph in full, or as much of its beginning as is only its own."""

from collections.abc import Iterable
from difflib import get_close_matches

from ezmsg.control.errors import UnknownTarget

_MOST = 8  # names in a sentence


def resolved(target: str, known: Iterable[str], kind: str) -> str:
    """Return the address that is meant; ``kind`` is what a sentence calls it.

    :raises UnknownTarget: if none is, or several are.
    """
    addresses = sorted(known)
    if target in addresses:
        return target
    begun = [each for each in addresses if each.startswith(target)]
    if len(begun) == 1:
        return begun[0]
    near = begun or get_close_matches(target, addresses) or [each for each in addresses if _has(each, target)]
    raise UnknownTarget(kind=kind, target=target, near=near[:_MOST], known=addresses)


def _has(address: str, target: str) -> bool:
    return target.casefold() in address.casefold()
