"""What a command line names: an address of the graph in full, or as much of its beginning as is only its own."""

from collections.abc import Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

from ezmsg.control.errors import UnknownTarget
from ezmsg.protocol.model.snapshot import SnapshotProcess

_MOST = 8  # names in a sentence


def resolved_process(target: str, processes: Iterable[SnapshotProcess]) -> str:
    """Return a unit of the process that is meant, by its number, which is never abbreviated, or by a unit.

    As much of a beginning is enough as only units of that process have.

    :raises UnknownTarget: if none is meant, or several are, as processes of two hosts may have one number.
    """
    owners = [process for process in processes if process.answers_for]
    numbered = [each.answers_for[0] for each in owners if each.pid is not None and str(each.pid) == target]
    if len(numbered) == 1:
        return numbered[0]
    if numbered:
        raise UnknownTarget(kind="single process", target=target, near=numbered, by="a number")
    units = [unit for process in owners for unit in process.answers_for]
    begun = [process for process in owners if any(unit.startswith(target) for unit in process.answers_for)]
    if target not in units and len(begun) == 1:
        return begun[0].answers_for[0]
    return resolved(target, units, "process or unit", "a number or an address")


def resolved_publisher(target: str, topics: Iterable[str]) -> str:
    """Return the topic that is meant of those that have a publisher, or one that nothing begins so as it is.

    :raises UnknownTarget: if several are meant.
    """
    known = sorted(topics)
    return resolved(target, known, "publisher") if any(each.startswith(target) for each in known) else target


def resolved(target: str, known: Iterable[str], kind: str, by: str = "an address") -> str:
    """Return the address that is meant; ``kind`` is what a sentence calls it, ``by`` how it is named.

    :raises UnknownTarget: if none is, or several are.
    """
    addresses = sorted(known)
    if target in addresses:
        return target
    begun = [each for each in addresses if each.startswith(target)]
    if len(begun) == 1:
        return begun[0]
    near = begun or get_close_matches(target, addresses) or [each for each in addresses if _has(each, target)]
    raise UnknownTarget(kind=kind, target=target, near=near[:_MOST], known=addresses, by=by)


def matching(target: str | None, known: Iterable[str], kind: str) -> list[str]:
    """Return the addresses that are meant: all, those that fit a pattern with ``*``, or that of :func:`resolved`.

    :raises UnknownTarget: if none is.
    """
    addresses = sorted(known)
    if target is None:
        return addresses
    if "*" not in target and "?" not in target:
        return [resolved(target, addresses, kind)]
    found = [each for each in addresses if fnmatchcase(each, target)]
    if not found:
        raise UnknownTarget(kind=kind, target=target, near=[], known=addresses)
    return found


def _has(address: str, target: str) -> bool:
    return target.casefold() in address.casefold()
