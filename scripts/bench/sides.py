"""Whom the bench compares: an interpreter, the worker that it runs, and the event loop, for each column."""

from __future__ import annotations

import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
import peers
from workloads import NEXT, OURS, OURS_UVLOOP, PUBLIC, ZENOH, ZMQ, ZMQ_LOOP


@dataclass(frozen=True)
class Side:
    """One column."""

    label: str
    python: str
    worker: str
    loop: str


PEERS = {
    PUBLIC: (peers.PUBLIC, "worker.py", "asyncio"),
    NEXT: (peers.PRE_RELEASE, "worker.py", "asyncio"),
    ZMQ: (peers.PYZMQ, "zmq_worker.py", "blocking"),
    ZMQ_LOOP: (peers.PYZMQ, "zmq_worker.py", "asyncio"),
    ZENOH: (peers.ZENOH, "zenoh_worker.py", "blocking"),
}
"""What each peer's environment has to hold, the worker for it, and how it is driven.

The public package runs on asyncio's loop, as it does by itself.
"""


def choose(wanted: Collection[str], ours_python: str, peer_python: str | None) -> list[Side]:
    """Return the sides that are wanted, making the environments that are missing.

    Raises PeerError if one cannot be made.
    """
    ours = peers.probe(ours_python)
    sides = [Side(OURS, ours.path, "worker.py", "asyncio")]
    if ours.uvloop:
        sides.append(Side(OURS_UVLOOP, ours.path, "worker.py", "uvloop"))
    for label, (requirement, worker, loop) in PEERS.items():
        if label in wanted:
            given = peer_python if label == PUBLIC else None
            sides.append(Side(label, given or peers.peer(requirement, ours), worker, loop))
    return [side for side in sides if side.label in wanted]
