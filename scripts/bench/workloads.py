"""What is measured: the names, the shapes and the metrics of the workloads, as data.

Shared by the worker (which runs in the interpreter under test) and the driver, so nothing but the standard
library may be imported here.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Literal

Kind = Literal["roundtrip", "throughput", "connect_chain"]
Transport = Literal["local", "shm", "tcp", "control"]
Loop = Literal["asyncio", "uvloop"]

TRANSPORTS: tuple[Transport, ...] = ("local", "shm", "tcp")
KINDS: tuple[Kind, ...] = ("roundtrip", "throughput")
LOOPS: tuple[Loop, ...] = ("asyncio", "uvloop")
SIZES: dict[str, int] = {"16B": 16, "4KB": 4 << 10, "1MB": 1 << 20, "8MB": 8 << 20}


@dataclass(frozen=True)
class Metric:
    """One number of a result: its key there, and how a table shows it."""

    key: str
    label: str
    unit: str
    divide_by: float
    lower_is_better: bool


METRICS: dict[Kind, tuple[Metric, ...]] = {
    "roundtrip": (
        Metric("median_ns", "median", "us", 1e3, lower_is_better=True),
        Metric("p99_ns", "p99", "us", 1e3, lower_is_better=True),
    ),
    "throughput": (Metric("messages_per_s", "rate", "msg/s", 1.0, lower_is_better=False),),
    "connect_chain": (Metric("per_edge_ns", "per edge", "us", 1e3, lower_is_better=True),),
}


@dataclass(frozen=True)
class Workload:
    """One thing to measure. The name says all of it, so that it can travel on a command line."""

    name: str
    kind: Kind
    transport: Transport
    size_bytes: int

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return METRICS[self.kind]

    @property
    def processes(self) -> Literal["one", "two"]:
        """How many processes hold the endpoints; the graph server always has one of its own."""
        return "one" if self.transport in ("local", "control") else "two"


@dataclass(frozen=True)
class Effort:
    """How long to measure."""

    seconds: float = 1.0
    """Length of one measured window, after the warm-up."""
    edges: int = 1000
    """Length of the chain that `connect_chain` builds."""
    deadline: float = 60.0
    """Seconds after which one measurement has failed and its processes are killed."""


QUICK = Effort(seconds=0.3, edges=200, deadline=45.0)


def _build() -> dict[str, Workload]:
    grid = [
        Workload(f"{transport}/{kind}/{label}", kind, transport, size)
        for transport in TRANSPORTS
        for kind in KINDS
        for label, size in SIZES.items()
    ]
    return {work.name: work for work in [*grid, Workload("connect_chain", "connect_chain", "control", 0)]}


WORKLOADS: dict[str, Workload] = _build()


def select(pattern: str | None) -> list[Workload]:
    """Return the workloads whose name contains `pattern` or matches it as a glob; all of them for None."""
    if pattern is None:
        return list(WORKLOADS.values())
    return [work for name, work in WORKLOADS.items() if pattern in name or fnmatch.fnmatchcase(name, pattern)]
