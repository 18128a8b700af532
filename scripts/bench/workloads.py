"""What is measured: groups of workloads with their parameters, what is told of each, and the bars, as plain data.

A workload's parameters travel to the processes under test as JSON; nothing here is imported there.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

OURS, OURS_UVLOOP = "ours", "ours uvloop"
PUBLIC, NEXT = "3.9.0", "3.10.0b5"
ZMQ, ZMQ_LOOP, ZENOH = "pyzmq", "pyzmq asyncio", "zenoh"
BOTH_OF_OURS = (OURS, OURS_UVLOOP)
EZMSG = (*BOTH_OF_OURS, PUBLIC, NEXT)
EVERYBODY = (*EZMSG, ZMQ, ZMQ_LOOP, ZENOH)
AS_RUN = (OURS_UVLOOP, PUBLIC, NEXT)
"""Whole programs take uvloop by themselves where it is."""

SIZES = {"16B": 16, "4KB": 4 << 10, "64KB": 64 << 10, "1MB": 1 << 20, "8MB": 8 << 20}


@dataclass(frozen=True)
class Metric:
    """One number of a result: its key there, and how it is shown."""

    key: str
    label: str
    unit: str
    divide_by: float = 1.0
    more_is_better: bool = False


RATE = Metric("messages_per_s", "rate", "msg/s", more_is_better=True)
DELIVERIES = Metric("deliveries_per_s", "deliveries", "msg/s", more_is_better=True)
PROCESSOR = Metric("cpu_ns", "processor", "us/msg", 1e3)
ENDS_PROCESSOR = Metric("ends_cpu_ns", "processor of both ends", "us/msg", 1e3)
MEDIAN, P99 = Metric("median_ns", "p50", "us", 1e3), Metric("p99_ns", "p99", "us", 1e3)
MEDIAN_MS, P99_MS = Metric("median_ns", "p50", "ms", 1e6), Metric("p99_ns", "p99", "ms", 1e6)
LONGEST_MS = Metric("max_ns", "longest", "ms", 1e6)
EACH = Metric("each_ns", "each", "us", 1e3)
ONE_MORE = Metric("one_more_ns", "one more", "us", 1e3)
SNAPSHOT_EACH = Metric("snapshot_each_ns", "snapshot, each", "us", 1e3)
AGAIN_EACH = Metric("again_each_ns", "later snapshots, each", "us", 1e3)
MESSAGE = Metric("message_ns", "a message", "us", 1e3)
DELIVERY = Metric("delivery_ns", "a delivery", "us", 1e3)
SERVER_MEMORY = Metric("server_memory_bytes", "server's memory", "MiB", 2**20)
GAIN = Metric("gain", "over copying", "times", more_is_better=True)
CALLS = Metric("calls", "system calls", "1/msg")
KEPT, FREE = (
    Metric("changes_per_s", "kept to", "1/s", more_is_better=True),
    Metric("free_changes_per_s", "free", "1/s", more_is_better=True),
)
FIRST, WHOLE = Metric("first_ns", "first message", "ms", 1e6), Metric("whole_ns", "whole run", "ms", 1e6)
SPENT = Metric("processor_ns", "processor", "ms", 1e6)


@dataclass(frozen=True)
class Bar:
    """What a metric of ours must keep to, in the direction in which it is better.

    A ratio of ours to `versus`; where that is nobody, a figure in the metric's own unit.
    """

    metric: Metric
    limit: float
    side: str | None = None
    """Which side of ours; all of them, if none is named."""
    versus: str | None = PUBLIC


@dataclass(frozen=True)
class Workload:
    """One thing to measure."""

    group: str
    name: str
    parameters: Mapping[str, Any]
    metrics: tuple[Metric, ...]
    bars: tuple[Bar, ...] = ()
    kind: str = "roles"
    """How it is run: roles with a lead, a program, or roles whose system calls are counted."""
    cast: tuple[str, ...] = ()
    """The roles that must be ready before the lead begins."""
    sides: tuple[str, ...] = EZMSG
    deadline_s: float = 60.0
    window: float = 1.0
    """How many of the bench's windows of time it needs."""
    series: str = ""
    """The curve that it is a point of, and where on it."""
    x: float = 0.0

    @property
    def path(self) -> str:
        return f"{self.group}/{self.name}"

    def with_parameters(self, **more: Any) -> Workload:
        return replace(self, parameters={**self.parameters, **more})


def both(metric: Metric, asyncio: float, uvloop: float | None = None, versus: str = PUBLIC) -> tuple[Bar, ...]:
    """Return the bars of both loops."""
    limits = (asyncio, asyncio if uvloop is None else uvloop)
    return tuple(Bar(metric, limit, side, versus) for limit, side in zip(limits, BOTH_OF_OURS, strict=True))


def ahead(metric: Metric, *others: str) -> tuple[Bar, ...]:
    return tuple(Bar(metric, 1.0, None, other) for other in others)


# --- messages between two ends --------------------------------------------------------------------------------

STREAM_BARS = {
    ("local", "16B"): both(RATE, 6),
    ("shm", "16B"): both(RATE, 5, 8) + ahead(RATE, ZMQ),
    ("shm", "4KB"): both(RATE, 5, 8) + ahead(RATE, ZMQ, ZENOH),
    ("shm", "1MB"): both(RATE, 1.8) + ahead(RATE, ZMQ, ZENOH),
    ("shm", "8MB"): both(RATE, 1.8) + ahead(RATE, ZMQ, ZENOH),
    ("tcp", "16B"): both(RATE, 6) + ahead(RATE, ZMQ),
    ("tcp", "4KB"): both(RATE, 6) + ahead(RATE, ZMQ, ZENOH),
    ("tcp", "1MB"): both(RATE, 5) + ahead(RATE, ZMQ, ZENOH),
    ("tcp", "8MB"): both(RATE, 5) + ahead(RATE, ZMQ, ZENOH),
}
ROUND_TRIP_BARS = {
    ("local", "16B"): both(MEDIAN, 0.24),
    ("local", "1MB"): (),
    ("shm", "16B"): both(MEDIAN, 0.2, 0.12) + ahead(MEDIAN, ZMQ, ZENOH),
    ("shm", "1MB"): both(MEDIAN, 0.47) + ahead(MEDIAN, ZMQ, ZENOH),
    ("shm", "8MB"): both(MEDIAN, 0.47) + ahead(MEDIAN, ZMQ, ZENOH),
    ("tcp", "16B"): both(MEDIAN, 0.34) + ahead(MEDIAN, ZMQ, ZENOH),
    ("tcp", "1MB"): both(MEDIAN, 0.34) + ahead(MEDIAN, ZMQ, ZENOH),
}


def two_ends(measure: str, transport: str, size: str, **more: Any) -> dict[str, Any]:
    return {"measure": measure, "transport": transport, "size": SIZES[size], **more}


def follower_of(transport: str) -> tuple[str, ...]:
    return () if transport == "local" else ("follow",)


def streams() -> Iterator[Workload]:
    yield Workload(
        "stream",
        "local/16B/turns",
        two_ends("stream", "local", "16B", turn=True),
        (RATE, PROCESSOR),
        both(RATE, 3.3, 4.2),
    )
    for (transport, size), bars in STREAM_BARS.items():
        yield Workload(
            "stream",
            f"{transport}/{size}",
            two_ends("stream", transport, size),
            (RATE, PROCESSOR),
            bars,
            cast=follower_of(transport),
            sides=EZMSG if transport == "local" else EVERYBODY,
        )


def round_trips() -> Iterator[Workload]:
    for (transport, size), bars in ROUND_TRIP_BARS.items():
        yield Workload(
            "round-trip",
            f"{transport}/{size}",
            two_ends("round trip", transport, size),
            (MEDIAN, P99),
            bars,
            cast=follower_of(transport),
            sides=EZMSG if transport == "local" else EVERYBODY,
        )


def kinds() -> Iterator[Workload]:
    for name, size, bars in (("dataclass", "64KB", both(RATE, 4)), ("dataclass", "4KB", ())):
        parameters = two_ends("stream", "shm", size, payload=name)
        yield Workload("kinds", f"{name}/{size}", parameters, (RATE, PROCESSOR), bars, cast=("follow",))
    for samples in (32, 256):
        parameters = two_ends("stream", "shm", "16B", payload="axisarray") | {"size": samples * 30 * 4}
        yield Workload("kinds", f"axisarray/{samples}x30", parameters, (RATE, PROCESSOR), cast=("follow",))
    yield Workload(
        "kinds",
        "loan/8MB",
        two_ends("loan", "shm", "8MB"),
        (RATE, GAIN),
        (Bar(GAIN, 20.0, versus=None),),
        cast=("follow",),
        sides=BOTH_OF_OURS,
        window=2.0,
    )
    yield Workload(
        "kinds",
        "codec/axisarray",
        {"words": ("{programs}/codec.py",)},
        (EACH,),
        (Bar(EACH, 8.0, versus=None),),
        kind="program",
        sides=(OURS,),
    )


def fans() -> Iterator[Workload]:
    for count in (1, 2, 4, 8):
        parameters = two_ends("stream", "local", "4KB", followers=count)
        yield Workload("fan", f"out/one process/{count}", parameters, (DELIVERIES, PROCESSOR))
    for count in (1, 2, 4):
        parameters = two_ends("stream", "shm", "4KB", followers=count)
        yield Workload(
            "fan", f"out/processes/{count}", parameters, (DELIVERIES, PROCESSOR), cast=("follow",) * count
        )
    yield Workload("fan", "in/one process/4", two_ends("fan-in", "local", "4KB", followers=4), (RATE,))
    yield Workload(
        "fan", "in/processes/4", two_ends("fan-in", "shm", "4KB", followers=4), (RATE,), cast=("follow",) * 4
    )


def paced() -> Iterator[Workload]:
    for name, more, bars in (
        ("two streams at 1 kHz", {"streams": 2}, both(PROCESSOR, 0.3)),
        ("one stream at 1 kHz", {}, ()),
    ):
        parameters = two_ends("stream", "shm", "16B", rate_hz=1000, **more)
        yield Workload("paced", name, parameters, (PROCESSOR,), bars, cast=("follow",))


def system_calls() -> Iterator[Workload]:
    for name, parameters in (
        ("stream/shm/16B", two_ends("stream", "shm", "16B", few=2000, many=12000)),
        ("at 1 kHz/shm/16B", two_ends("stream", "shm", "16B", rate_hz=1000, few=500, many=2500)),
        ("round-trip/shm/16B", two_ends("round trip", "shm", "16B", few=500, many=3000)),
        ("stream/tcp/16B", two_ends("stream", "tcp", "16B", few=2000, many=12000)),
    ):
        yield Workload("calls", name, parameters, (CALLS,), kind="system calls", cast=("follow",))


# --- units ----------------------------------------------------------------------------------------------------


def chain(*words: str) -> dict[str, Any]:
    return {"words": ("{programs}/chain.py", "--loop", "{loop}", "--seconds", "{seconds}", *words)}


def units() -> Iterator[Workload]:
    for name, words, bars in (
        ("two hops/one process", ("--layout", "one"), both(RATE, 4.5)),
        ("two hops/two processes", ("--layout", "apart"), both(RATE, 4.5)),
        ("ten units/one process", ("--relays", "8", "--layout", "one"), ()),
        ("ten units/three processes", ("--relays", "8", "--layout", "thirds"), ()),
    ):
        yield Workload("units", name, chain(*words), (RATE, PROCESSOR), bars, kind="program")


def axis_arrays() -> Iterator[Workload]:
    slow = ("--layout", "each", "--interval", "0.001")
    for name, words, metrics, bars in (
        ("flat out 32x30", ("--layout", "each", "--samples", "32"), (RATE, PROCESSOR), ((RATE, 3.0),)),
        ("flat out 256x30", ("--layout", "each", "--samples", "256"), (RATE, PROCESSOR), ((RATE, 3.0),)),
        (
            "paced 32x30",
            (*slow, "--samples", "32"),
            (MEDIAN, P99, PROCESSOR),
            ((MEDIAN, 0.5), (P99, 0.5), (PROCESSOR, 0.5)),
        ),
        (
            "filtered 32x30",
            (*slow, "--samples", "32", "--filtered"),
            (MEDIAN, ENDS_PROCESSOR),
            ((ENDS_PROCESSOR, 0.4),),
        ),
    ):
        yield Workload(
            "axis-arrays",
            name,
            chain(*words),
            metrics,
            tuple(Bar(metric, limit) for metric, limit in bars),
            kind="program",
            sides=AS_RUN,
            window=2.0,
        )


# --- beginning ------------------------------------------------------------------------------------------------


def starting() -> Iterator[Workload]:
    for words in (("fork",), ("spawn",), ("fork", "axisarray"), ("spawn", "axisarray")):
        yield Workload(
            "starting",
            " ".join(words),
            {"words": ("{programs}/five.py", *words)},
            (FIRST, WHOLE, SPENT),
            (Bar(FIRST, 0.8), Bar(WHOLE, 0.8)),
            kind="program",
            sides=AS_RUN,
        )


def importing() -> Iterator[Workload]:
    imported, command = ("-c", "import ezmsg.core as ez; ez.run"), ("-c", "{command}")
    for name, words, bars, sides in (
        ("interpreter", ("-c", "pass"), (), AS_RUN),
        ("numpy", ("-c", "import numpy"), (), AS_RUN),
        ("import", imported, (Bar(SPENT, 1.2),), AS_RUN),
        ("help", (*command, "-h"), (Bar(SPENT, 150.0, versus=None),), AS_RUN),
        *(
            (verb, (*command, verb, "--address", "{address}"), (Bar(SPENT, 300.0, versus=None),), (OURS_UVLOOP,))
            for verb in ("graph", "settings", "process", "snapshot")
        ),
        ("run", ("{programs}/once.py",), (), AS_RUN),
        ("run/fork", ("{programs}/once.py", "fork"), (), AS_RUN),
        ("run/spawn", ("{programs}/once.py", "spawn"), (), AS_RUN),
    ):
        yield Workload("import", name, {"words": words}, (SPENT, WHOLE), bars, kind="program", sides=sides)


# --- the control plane ----------------------------------------------------------------------------------------


def control() -> Iterator[Workload]:
    def one(
        name: str,
        measure: str,
        metrics: tuple[Metric, ...],
        *bars: Bar,
        cast: tuple[str, ...] = (),
        window: float = 1.0,
        **parameters: Any,
    ) -> Workload:
        parameters["measure"] = measure
        return Workload("control", name, parameters, metrics, bars, cast=cast, window=window)

    times = (MEDIAN_MS, P99_MS)
    yield one("connect/1,000 edges", "chain", (EACH,), Bar(EACH, 0.03), edges=1000)
    yield one("endpoints/64 publishers", "endpoints", (EACH,), Bar(EACH, 0.05), endpoints=64)
    yield one("ping", "ping", times, Bar(MEDIAN_MS, 0.5), cast=("host",))
    yield one("ping/sleeping", "ping", times, Bar(P99_MS, 5.0, versus=None), cast=("host",), unit="sleeping")
    yield one("ping/computing", "ping", times, cast=("host",), unit="computing")
    yield one("snapshot/1,250 edges", "snapshot", times, Bar(MEDIAN_MS, 0.2), edges=1250)
    yield one("snapshot/changing", "snapshot", times, Bar(MEDIAN_MS, 1 / 3), edges=1250, changing=True)
    for which, limit in (("first", 1.5), ("again", 1 / 3)):
        yield one(
            f"snapshot/1,000 units/{which}",
            "snapshot of units",
            times,
            Bar(MEDIAN_MS, limit),
            cast=("describe",),
            units=1000,
            which=which,
        )
    for what, bars in (("stats", ()), ("50 ms", (Bar(MEDIAN_MS, 100.0, versus=None),))):
        yield one(
            f"asking 16 processes/{what}",
            "asking all",
            times,
            *bars,
            cast=("process",) * 16,
            processes=16,
            what=what,
        )
    settings = (KEPT, FREE, P99_MS)
    yield one("settings", "settings", settings, Bar(KEPT, 199.0, versus=None), cast=("host",))
    bystander = (MEDIAN_MS, LONGEST_MS)
    yield one("bystander/alone", "bystander", bystander, cast=("churn",), window=2.0)
    yield one(
        "bystander/stopped",
        "bystander",
        bystander,
        Bar(LONGEST_MS, 50.0, versus=None),
        cast=("stopped", "churn"),
        window=2.0,
    )


# --- growth ---------------------------------------------------------------------------------------------------


def growth() -> Iterator[Workload]:
    """Points of curves. The public package is asked for as far as it gets there in a reasonable time."""

    def point(
        series: str, x: int, parameters: dict[str, Any], metrics: tuple[Metric, ...], public_to: int, **more: Any
    ) -> Workload:
        return Workload(
            "growth",
            f"{series}/{x:,}",
            parameters,
            metrics,
            sides=(OURS, PUBLIC) if x <= public_to else (OURS,),
            deadline_s=180.0,
            series=series,
            x=x,
            **more,
        )

    for count in (1, 2, 4, 8, 16, 32, 64):
        parameters = two_ends("stream", "local", "16B", followers=count)
        yield point("subscribers", count, parameters, (DELIVERY,), 64)
    for count in (1, 10, 100, 500, 1000, 2000):
        yield point(
            "topics", count, {"measure": "endpoints", "endpoints": count, "pairs": True}, (EACH, MESSAGE), 100
        )
    for count in (10, 100, 500, 1000, 2000):
        described = {"measure": "metadata", "units": count}
        yield point("units described", count, described, (EACH, SNAPSHOT_EACH, AGAIN_EACH), 1000)
    for count in (10, 100, 500, 1000, 2000):
        words = ("{programs}/chain.py", "--loop", "{loop}", "--seconds", "0", "--relays", str(count - 2))
        yield point("units run", count, {"words": words}, (WHOLE,), 100, kind="program")
    for count in (10, 100, 1000, 3000, 10000):
        yield point("edges", count, {"measure": "edges", "edges": count}, (EACH, ONE_MORE, SNAPSHOT_EACH), 1000)
    for size in (8, 64, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20, 64 << 20):
        parameters = two_ends("round trip", "shm", "16B") | {"size": size}
        yield point("bytes", size, parameters, (MEDIAN,), 64 << 20, cast=("follow",))
    yield Workload(
        "growth",
        "2,000 units and 10,000 edges",
        {"measure": "edges", "edges": 10_000, "units": 2000},
        (ONE_MORE, SERVER_MEMORY),
        (Bar(ONE_MORE, 1000.0, versus=None), Bar(SERVER_MEMORY, 150.0, versus=None)),
        sides=(OURS,),
        deadline_s=180.0,
    )


TOTALS = {DELIVERY.key, EACH.key, SNAPSHOT_EACH.key, AGAIN_EACH.key}
"""Metrics of growth that are told for each of what grows: their cost is as many times that."""

WORKLOADS: tuple[Workload, ...] = (
    *streams(),
    *round_trips(),
    *kinds(),
    *paced(),
    *fans(),
    *units(),
    *axis_arrays(),
    *starting(),
    *importing(),
    *control(),
    *system_calls(),
    *growth(),
)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(work.group for work in WORKLOADS))


def select(pattern: str | None, groups: Sequence[str] = ()) -> list[Workload]:
    """Return the workloads of some groups, or of all, whose path contains `pattern` or matches it as a glob."""
    return [
        work
        for work in WORKLOADS
        if (not groups or work.group in groups)
        and (pattern is None or pattern in work.path or fnmatch.fnmatchcase(work.path, pattern))
    ]
