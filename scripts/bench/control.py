"""Measure our control plane against the public package's, side by side in one run, and print a table with its bars.

The sides take turns within each repeat, as in `compare.py`. The exit status says whether everything ran; a bar
that is missed is said in the table and is no failure.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compare import OURS, PUBLIC, Record, identities, number
from control_workloads import Bar, ControlWorkload, Effort, select
from measure import MeasurementError, Result, casting

sys.path.append(str(Path(__file__).parents[1]))
import peers

WORKER = Path(__file__).with_name("control_worker.py")


@dataclass(frozen=True)
class ControlMeasurement:
    """Where and how one workload runs once."""

    python: str
    work: ControlWorkload
    effort: Effort
    quick: bool

    def command(self, role: str, address: str | None) -> list[str]:
        name, _, place = role.partition("#")
        arguments = ["--workload", self.work.name, "--effort", "quick" if self.quick else "full"]
        if place:
            arguments += ["--number", place]
        if address is not None:
            arguments += ["--address", address]
        return [self.python, str(WORKER), name, *arguments]


async def measure(measurement: ControlMeasurement) -> Result:
    """Run one workload once and return its numbers."""
    async with casting(measurement) as cast:
        async with asyncio.timeout(measurement.effort.deadline):
            address = (await (await cast.start("server")).hear("ready"))["address"]
            roles = [
                await cast.start(f"{role}#{place}", address) for place, role in enumerate(measurement.work.cast)
            ]
            for role in roles:
                await role.hear("ready")
            result = await cast.hear_first(await cast.start("lead", address), "result")
    del result["event"]
    return {"workload": measurement.work.name, **result, "unclean_exit": cast.unclean}


async def run_workload(
    work: ControlWorkload, sides: dict[str, str], effort: Effort, quick: bool, repeats: int
) -> Record:
    record = Record(work)
    for repeat in range(repeats):
        for side in sides if repeat % 2 == 0 else reversed(sides):
            try:
                result = await measure(ControlMeasurement(sides[side], work, effort, quick))
            except MeasurementError as error:
                record.failures.append(f"{side}: {error}")
            else:
                record.results.setdefault(side, []).append(result)
    return record


# --- printing -------------------------------------------------------------------------------------------------

COLUMNS = (("workload", 36), ("unit", 6), ("ours", 11), ("public", 11), ("ratio", 8), ("self ours", 11))


def layout(cells: Sequence[str]) -> str:
    texts = zip(cells, COLUMNS, strict=True)
    return "".join(
        cell.ljust(width) if place < 2 else cell.rjust(width) for place, (cell, (_, width)) in enumerate(texts)
    )


def rows(record: Record) -> Iterator[str]:
    for metric in record.work.metrics:
        values = [record.median(side, metric) for side in (OURS, PUBLIC)]
        ratio, spread = record.ratio(OURS, metric), record.spread(OURS, metric)
        cells = [f"{record.work.name} {metric.label}", metric.unit]
        cells += [figure(value, metric.divide_by) for value in values]
        cells += ["-" if each is None else f"{each:.2f}" for each in (ratio, spread)]
        bars = [said for bar in record.work.bars if bar.metric == metric and (said := verdict(record, bar))]
        yield "  ".join([layout(cells), *bars])


def figure(value: float | None, divide_by: float) -> str:
    if value is not None and value / divide_by < 10:
        return f"{value / divide_by:.3f}"
    return number(value, divide_by)


def verdict(record: Record, bar: Bar) -> str | None:
    """Say whether ours keeps to a bar, or nothing if there is no number."""
    if bar.ratio is not None:
        found, wanted, text = record.ratio(OURS, bar.metric), bar.ratio, f"ratio at most {bar.ratio:.2f}"
        better = found is not None and found <= wanted
    else:
        value = record.median(OURS, bar.metric)
        assert bar.value is not None, "a bar is a ratio or a value"
        found = None if value is None else value / bar.metric.divide_by
        side = "at most" if bar.metric.lower_is_better else "at least"
        text = f"{side} {bar.value:g} {bar.metric.unit}"
        better = found is not None and (found <= bar.value if bar.metric.lower_is_better else found >= bar.value)
    return None if found is None else f"{'ok' if better else 'MISSED'}: {text}"


LEGEND = """
Every number is the median over the repeats. The ratio is ours/public for times and public/ours for rates: BELOW 1
OURS IS FASTER. self: the largest over the smallest repeat of ours; a ratio closer to 1 than that says nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--quick", action="store_true", help="short windows, one repeat: does it run?")
    parser.add_argument("--only", metavar="PATTERN", help="workloads whose name contains or matches this")
    parser.add_argument("--repeats", type=int, metavar="N", help="runs of each side (3; with --quick 1)")
    parser.add_argument("--ours", action="store_true", help="leave the public package out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single result there")
    parser.add_argument("--ours-python", default=sys.executable, metavar="PATH", help="(this interpreter)")
    parser.add_argument("--peer-python", metavar="PATH", help=f"has {peers.PUBLIC}; else one is made and kept")
    options = parser.parse_args()
    works = select(options.only)
    if not works:
        parser.error(f"no workload matches {options.only!r}")
    effort = Effort.quick() if options.quick else Effort()
    sides = {OURS: options.ours_python}
    try:
        if not options.ours:
            sides[PUBLIC] = options.peer_python or peers.public_peer(peers.probe(options.ours_python))
    except peers.PeerError as error:
        print(error, file=sys.stderr)
        return 2
    records = asyncio.run(
        run_all(works, sides, effort, options.quick, options.repeats or (1 if options.quick else 3))
    )
    print(LEGEND)
    for line in identities(records):
        print(line)
    if options.json is not None:
        results = {record.work.name: record.results for record in records}
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 1 if any(record.failures for record in records) else 0


async def run_all(
    works: Sequence[ControlWorkload], sides: dict[str, str], effort: Effort, quick: bool, repeats: int
) -> list[Record]:
    print(layout([name for name, _ in COLUMNS]))
    records = []
    for work in works:
        record = await run_workload(work, sides, effort, quick, repeats)
        records.append(record)
        for line in rows(record):
            print(line, flush=True)
        for failure in record.failures:
            print(f"  FAILED {failure}", file=sys.stderr, flush=True)
    return records


if __name__ == "__main__":
    sys.exit(main())
