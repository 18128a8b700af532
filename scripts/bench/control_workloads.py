"""What is measured of the control plane: names, the processes each needs, and the bars, as data.

Shared by the worker (which runs in the interpreter under test) and the driver, so nothing but the standard
library may be imported here.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from workloads import Metric

MEDIAN = Metric("median_ns", "median", "ms", 1e6, lower_is_better=True)
P99 = Metric("p99_ns", "p99", "ms", 1e6, lower_is_better=True)
LONGEST = Metric("max_ns", "longest", "ms", 1e6, lower_is_better=True)
RATE = Metric("changes_per_s", "kept to", "1/s", 1.0, lower_is_better=False)
FREE_RATE = Metric("free_changes_per_s", "free", "1/s", 1.0, lower_is_better=False)


@dataclass(frozen=True)
class Bar:
    """What a metric must keep to: a ratio to the public package, or a figure of ours in the metric's unit."""

    metric: Metric
    ratio: float | None = None
    value: float | None = None


@dataclass(frozen=True)
class ControlWorkload:
    """One thing to measure; ``cast`` names the roles that must be ready before the lead begins."""

    name: str
    measure: str
    cast: tuple[str, ...] = ()
    variant: str = ""
    metrics: tuple[Metric, ...] = (MEDIAN, P99)
    bars: tuple[Bar, ...] = ()


@dataclass(frozen=True)
class Effort:
    """How much of everything, and for how long."""

    seconds: float = 2.0
    samples: int = 300
    edges: int = 1250
    units: int = 1000
    firsts: int = 12
    processes: int = 16
    settings_hz: float = 200.0
    settings_s: float = 10.0
    stop_s: float = 10.0
    deadline: float = 90.0
    """Seconds after which one measurement has failed and its processes are killed."""

    @staticmethod
    def quick() -> Effort:
        """Return just enough to see whether it runs; the sizes of what is asked for stay."""
        return Effort(seconds=0.3, samples=30, firsts=3, settings_s=1.0, stop_s=1.0)


WORKLOADS = (
    ControlWorkload("ping", "ping", ("host",), "free", bars=(Bar(MEDIAN, ratio=0.75),)),
    ControlWorkload("ping/sleeping", "ping", ("host",), "sleeping", (MEDIAN, P99), (Bar(P99, value=5.0),)),
    ControlWorkload("ping/computing", "ping", ("host",), "computing", (MEDIAN, P99)),
    ControlWorkload("snapshot/edges", "snapshot", bars=(Bar(MEDIAN, ratio=1 / 3),)),
    ControlWorkload("snapshot/edges/changing", "snapshot", variant="changing", bars=(Bar(MEDIAN, ratio=1 / 3),)),
    ControlWorkload("snapshot/units/first", "units", ("describe",), "first", bars=(Bar(MEDIAN, ratio=1.5),)),
    ControlWorkload("snapshot/units/again", "units", ("describe",), "again", bars=(Bar(MEDIAN, ratio=1 / 3),)),
    ControlWorkload("fan-out/stats", "fan-out", ("process",) * Effort.processes, "stats"),
    ControlWorkload(
        "fan-out/50ms", "fan-out", ("process",) * Effort.processes, "slow", bars=(Bar(MEDIAN, value=100.0),)
    ),
    ControlWorkload("settings", "settings", ("host",), "free", (RATE, FREE_RATE, P99), (Bar(RATE, value=199.0),)),
    ControlWorkload("bystander/alone", "bystander", ("churn",), metrics=(MEDIAN, LONGEST)),
    ControlWorkload(
        "bystander/stopped", "bystander", ("stopped", "churn"), "", (MEDIAN, LONGEST), (Bar(LONGEST, value=50.0),)
    ),
)
BY_NAME = {work.name: work for work in WORKLOADS}


def select(pattern: str | None) -> list[ControlWorkload]:
    """Return the workloads whose name contains `pattern` or matches it as a glob; all of them for None."""
    if pattern is None:
        return list(WORKLOADS)
    return [work for work in WORKLOADS if pattern in work.name or fnmatch.fnmatchcase(work.name, pattern)]
