"""Ports on which the servers of tests shall listen."""

from __future__ import annotations

import itertools
import os
import random
import socket

# Below those that systems take for a socket that asks for none: one that was bound and let go of again may be the
# next connection's, or another test's, before the server is there.
_FIRST = 20_480
_EACH_WORKER = 640
# A server that is to look for a free port itself tries the next ones.
_APART = 4


def unused_port() -> int:
    """Return a port at which nobody listens, and which no other worker of this run is given."""
    for port in _ports:
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port
    raise AssertionError("unreachable: the ports go round")


def _of_this_worker() -> itertools.cycle[int]:
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 16
    first = _FIRST + worker * _EACH_WORKER
    ports = range(first, first + _EACH_WORKER, _APART)
    # Two runs side by side are not likely to begin at the same one.
    begin = random.SystemRandom().randrange(len(ports))
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_ports = _of_this_worker()
