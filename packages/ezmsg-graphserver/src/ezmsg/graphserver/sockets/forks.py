"""Sockets that a forked child must not keep: their peers would take it for the process that they talk to.

A socket is closed when nobody has it any more, so a child that outlives its parent, a worker of a pool say, would
hide the parent's end from everybody. It reads none of these sockets: the threads and event loops that do are not
in it. The client has the same in its own distribution: neither may import the other, and the protocol does no I/O.
"""

import os

_ours: dict[int, tuple[int, int]] = {}
"""Descriptors, with what tells a socket from a later file of the same number. Entries of closed ones do no harm."""


def keep_from_forks(descriptor: int) -> None:
    """Let processes forked from this one have no part in an open socket."""
    if hasattr(os, "register_at_fork"):
        _ours[descriptor] = _identity(descriptor)


def _identity(descriptor: int) -> tuple[int, int]:
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino


def _let_go() -> None:
    """Put /dev/null in the place of each socket.

    The objects that stand for the sockets are in the child, too, and close their numbers when they are collected;
    were the numbers free by then, it could be a file of the child's that they close.
    """
    held = [descriptor for descriptor, identity in _ours.items() if _is_still(descriptor, identity)]
    _ours.clear()
    if not held:
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in held:
        os.dup2(nothing, descriptor, inheritable=False)
    os.close(nothing)


def _is_still(descriptor: int, identity: tuple[int, int]) -> bool:
    try:
        return _identity(descriptor) == identity
    except OSError:  # it is closed
        return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
