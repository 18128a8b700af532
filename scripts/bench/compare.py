"""Measure ours against the public package, side by side in one run, and print a table.

The sides take turns within each repeat, and the order turns round from one repeat to the next, so that a
machine that slows down or speeds up during the run does so for both. The exit status says whether everything
ran, never who was faster.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from measure import Measurement, MeasurementError, Result, measure
from workloads import QUICK, Effort, Loop, Metric, Workload, select

sys.path.append(str(Path(__file__).parents[1]))
import peers

OURS, OURS_UVLOOP, PUBLIC = "ours asyncio", "ours uvloop", "public"
OVERHEAD_S = 1.5
"""Roughly what starting, warming up and leaving take, for the estimate at the start."""


@dataclass(frozen=True)
class Side:
    """One column: an interpreter and the event loop it runs."""

    label: str
    python: str
    loop: Loop


@dataclass
class Record:
    """Everything one workload gave, by side and in the order of the repeats."""

    work: Workload
    results: dict[str, list[Result]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def values(self, side: str, metric: Metric) -> list[float]:
        return [float(result[metric.key]) for result in self.results.get(side, [])]

    def median(self, side: str, metric: Metric) -> float | None:
        values = self.values(side, metric)
        return statistics.median(values) if values else None

    def ratio(self, side: str, metric: Metric) -> float | None:
        """Return `side` compared with the public package: below 1, ours is faster, whatever the metric."""
        ours, public = self.median(side, metric), self.median(PUBLIC, metric)
        if not ours or not public:
            return None
        return ours / public if metric.lower_is_better else public / ours

    def spread(self, side: str, metric: Metric) -> float | None:
        """Return the largest over the smallest repeat of one side: what a ratio is worth on this machine."""
        values = self.values(side, metric)
        return max(values) / min(values) if len(values) > 1 and min(values) > 0 else None


# --- running ----------------------------------------------------------------------------------------------


async def run_workload(work: Workload, sides: Sequence[Side], effort: Effort, repeats: int) -> Record:
    record = Record(work)
    for repeat in range(repeats):
        for side in sides if repeat % 2 == 0 else reversed(sides):
            try:
                result = await measure(Measurement(side.python, work, side.loop, effort))
            except MeasurementError as error:
                record.failures.append(f"{side.label}: {error}")
            else:
                record.results.setdefault(side.label, []).append(result)
    return record


async def run_all(works: Sequence[Workload], sides: Sequence[Side], effort: Effort, repeats: int) -> list[Record]:
    records = []
    print(header())
    for work in works:
        record = await run_workload(work, sides, effort, repeats)
        records.append(record)
        for line in rows(record):
            print(line, flush=True)
        for failure in record.failures:
            print(f"  FAILED {failure}", file=sys.stderr, flush=True)
    return records


# --- printing ---------------------------------------------------------------------------------------------

COLUMNS = (
    ("workload", 31),
    ("unit", 6),
    (OURS, 13),
    (OURS_UVLOOP, 13),
    (PUBLIC, 13),
    ("asyncio/pub", 12),
    ("uvloop/pub", 11),
    ("self ours", 10),
    ("self public", 12),
)


def layout(cells: Sequence[str]) -> str:
    left = [cells[0].ljust(COLUMNS[0][1]), cells[1].ljust(COLUMNS[1][1])]
    return "".join(left + [cell.rjust(width) for cell, (_, width) in zip(cells[2:], COLUMNS[2:], strict=True)])


def header() -> str:
    title = layout([name for name, _ in COLUMNS])
    return f"{title}\n{'-' * len(title)}"


def rows(record: Record) -> Iterator[str]:
    for metric in record.work.metrics:
        medians = [record.median(side, metric) for side in (OURS, OURS_UVLOOP, PUBLIC)]
        ratios = [record.ratio(side, metric) for side in (OURS, OURS_UVLOOP)]
        spreads = [record.spread(side, metric) for side in (OURS, PUBLIC)]
        yield layout(
            [
                f"{record.work.name} {metric.label}",
                metric.unit,
                *(number(value, metric.divide_by) for value in medians),
                *(f"{value:.2f}" if value is not None else "-" for value in ratios),
                *(f"{value:.2f}" if value is not None else "-" for value in spreads),
            ]
        )


def number(value: float | None, divide_by: float) -> str:
    if value is None:
        return "-"
    value /= divide_by
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


LEGEND = """
Every number is the median over the repeats. The two */pub columns are ratios to the public package, times as
ours/public and rates as public/ours: BELOW 1 OURS IS FASTER, above 1 it is slower.
self: the largest over the smallest repeat of one side. A ratio closer to 1 than the larger self says nothing."""


def identities(records: Sequence[Record]) -> list[str]:
    """Say what stood behind each column, as the workers themselves reported it."""
    return sorted(
        {
            f"{side}: {result['package']}, loop {result['loop']}, "
            f"Python {result['python']}, numpy {result['numpy']}"
            for record in records
            for side, results in record.results.items()
            for result in results
        }
    )


def exits(records: Sequence[Record]) -> Iterator[str]:
    """Say which processes did not leave cleanly: no failure of the measurement, but worth knowing."""
    for record in records:
        for side, results in record.results.items():
            for result in results:
                yield from (f"{record.work.name}, {side}: {wrong}" for wrong in result["unclean_exit"])


def as_json(records: Sequence[Record], effort: Effort, repeats: int) -> str:
    summary = [
        {
            "workload": record.work.name,
            "ratios_below_1_ours_is_faster": {
                metric.key: {side: record.ratio(side, metric) for side in (OURS, OURS_UVLOOP)}
                for metric in record.work.metrics
            },
            "results": record.results,
            "failures": record.failures,
        }
        for record in records
    ]
    return json.dumps({"effort": asdict(effort), "repeats": repeats, "workloads": summary}, indent=2)


# --- command line -----------------------------------------------------------------------------------------


def choose_sides(options: argparse.Namespace) -> list[Side]:
    ours = peers.probe(options.ours_python)
    peer = peers.probe(options.peer_python or peers.public_peer(ours))
    if (ours.python, ours.numpy) != (peer.python, peer.numpy):
        print(f"NOTE different Pythons or numpys: ours {ours}, public {peer}", file=sys.stderr)
    sides = [Side(OURS, ours.path, "asyncio"), Side(PUBLIC, peer.path, "asyncio")]
    if ours.uvloop and not options.no_uvloop:
        sides.append(Side(OURS_UVLOOP, ours.path, "uvloop"))
    return sides


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--quick", action="store_true", help="short windows, one repeat: does it run?")
    parser.add_argument("--only", metavar="PATTERN", help="workloads whose name contains or matches this")
    parser.add_argument("--repeats", type=int, metavar="N", help="runs of each side (5; with --quick 1)")
    parser.add_argument("--seconds", type=float, help="length of one measured window")
    parser.add_argument("--edges", type=int, help="length of the chain that connect_chain builds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single result there")
    parser.add_argument("--ours-python", default=sys.executable, metavar="PATH", help="(this interpreter)")
    parser.add_argument(
        "--peer-python", metavar="PATH", help=f"has {peers.PUBLIC} and numpy; else one is made and kept"
    )
    parser.add_argument("--no-uvloop", action="store_true", help="measure ours on asyncio's loop only")
    parser.add_argument("--list", action="store_true", help="print the names of the workloads and stop")
    options = parser.parse_args(arguments)
    options.works = select(options.only)
    if not options.works:
        parser.error(f"no workload matches {options.only!r}; see --list")
    options.repeats = options.repeats or (1 if options.quick else 5)
    return options


def effort_of(options: argparse.Namespace) -> Effort:
    effort = QUICK if options.quick else Effort()
    if options.seconds is not None:
        effort = replace(effort, seconds=options.seconds, deadline=effort.deadline + options.seconds)
    if options.edges is not None:
        effort = replace(effort, edges=options.edges)
    return effort


def main() -> int:
    options = parse()
    if options.list:
        print("\n".join(work.name for work in options.works))
        return 0
    effort = effort_of(options)
    try:
        sides = choose_sides(options)
    except peers.PeerError as error:
        print(error, file=sys.stderr)
        return 2
    runs = len(options.works) * len(sides) * options.repeats
    print(f"{runs} runs, about {math.ceil(runs * (effort.seconds + OVERHEAD_S) / 60)} min\n")
    records = asyncio.run(run_all(options.works, sides, effort, options.repeats))
    print(LEGEND)
    for line in identities(records):
        print(line)
    for line in exits(records):
        print(f"NOTE {line}")
    if options.json is not None:
        options.json.write_text(as_json(records, effort, options.repeats) + "\n")
    return 1 if any(record.failures for record in records) else 0


if __name__ == "__main__":
    sys.exit(main())
