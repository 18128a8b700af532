"""Measure ours beside the public package and others, side by side in one run, and print numbers, ratios and bars.

The sides take turns, and the order turns round from one turn to the next, so that a machine that slows down or
speeds up during the run does so for all. The exit status says whether everything ran, never who was faster.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1]))
import page
import peers
from machine import machine
from measure import Measurement, MeasurementError, measure_program, measure_roles, measure_system_calls
from page import figure
from records import GROWTH_LIMIT, Record, Result, as_json, curves, from_json, verdicts
from sides import Side, choose
from workloads import EVERYBODY, GROUPS, OURS, PUBLIC, Workload, select

ATTEMPTS = 3
STANDSTILL_S, WATCH_S = 0.5, 0.05
"""From when on a machine stands still: a suspended one, say, or one whose programs somebody stops for a while."""


async def run_once(side: Side, work: Workload, seconds: float, folder: str) -> Result:
    measurement = Measurement(side, work, seconds * work.window)
    if work.kind == "program":
        return await measure_program(measurement, folder)
    if work.kind == "system calls":
        return await measure_system_calls(measurement)
    return await measure_roles(measurement)


async def run_workload(work: Workload, sides: Sequence[Side], turns: int, seconds: float, folder: str) -> Record:
    record = Record(work)
    taking_part = [side for side in sides if side.label in work.sides]
    if work.kind == "program":
        for side in taking_part:  # byte code is what users have; what makes it is not counted
            await attempt(Record(work), side, 0, seconds, folder)
    for turn in range(turns):
        for side in taking_part if turn % 2 == 0 else reversed(taking_part):
            await attempt(record, side, turn, seconds, folder)
    return record


async def attempt(record: Record, side: Side, turn: int, seconds: float, folder: str) -> None:
    """Run a workload once on one side, again if the machine stood still meanwhile, and note what came of it."""
    for _ in range(ATTEMPTS):
        async with standstill() as stood:
            try:
                result, failure = await run_once(side, record.work, seconds, folder), None
            except MeasurementError as error:
                result, failure = {}, str(error)
        if max(stood) < STANDSTILL_S:
            break
    if failure is None:
        record.results.setdefault(side.label, []).append(result | {"turn": turn})
    else:
        record.failures.append(f"{side.label}: {failure}")


@contextlib.asynccontextmanager
async def standstill() -> AsyncIterator[list[float]]:
    """Have noted for how long this process, which has nothing to do, did not get a processor."""
    stood = [0.0]

    async def watch() -> None:
        while True:
            due = time.perf_counter() + WATCH_S
            await asyncio.sleep(WATCH_S)
            stood.append(time.perf_counter() - due)

    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(watch())
        yield stood
        watching.cancel()


async def run_all(options: argparse.Namespace, sides: Sequence[Side], around: dict[str, Any]) -> list[Record]:
    records: list[Record] = []
    with tempfile.TemporaryDirectory() as folder:
        labels = {side.label for side in sides}
        for work in (each for each in options.works if labels.intersection(each.sides)):
            record = await run_workload(work, sides, options.turns, options.seconds, folder)
            records.append(record)
            print("\n".join(described(record)), flush=True)
            if options.json is not None:  # now, so that a run that is cut off is not lost
                options.json.write_text(as_json(records, around), encoding="utf-8")
    return records


# --- printing -------------------------------------------------------------------------------------------------


def described(record: Record) -> Iterator[str]:
    """Yield the lines about one workload."""
    reason = record.skipped()
    if reason:
        yield f"{record.work.path}: left out, {reason}"
        return
    for metric in record.work.metrics:
        yield f"{record.work.path}: {metric.label}, {metric.unit}"
        for side in EVERYBODY:
            value = record.median(side, metric)
            if value is None:
                continue
            quartiles, ratio = record.quartiles(side, metric), record.ratio(side, metric)
            spread = "" if quartiles is None else f"{figure(quartiles[0])} to {figure(quartiles[1])}"
            beside = "" if ratio is None or side == PUBLIC else f"{ratio:.2f} of {PUBLIC}"
            said = ", ".join(str(each) for each in verdicts(record, metric, side))
            yield f"  {side:14}{figure(value):>12}  {spread:24}{beside:16}{said}".rstrip()
    for failure in record.failures:
        yield f"  FAILED {failure}"


def summary(records: Sequence[Record]) -> Iterator[str]:
    """Yield what stood behind the columns, what went wrong, how costs grow, and the bars."""
    yield ""
    for side, package in sorted(
        {
            (side, result["package"])
            for record in records
            for side, results in record.results.items()
            for result in results
            if "package" in result
        }
    ):
        yield f"{side}: {package}"
    unclean = (
        f"NOTE {record.work.path}, {side}: {wrong}"
        for record in records
        for side, results in record.results.items()
        for result in results
        for wrong in result.get("unclean_exit", ())
    )
    yield from unclean
    for curve in curves(records):
        if curve.side == OURS and curve.exponent is not None:
            said = "ok" if curve.exponent <= GROWTH_LIMIT else "FASTER THAN ITS WORK"
            yield f"growth with {curve.series}: {curve.metric.label} by the power of {curve.exponent:.2f}, {said}"
    found = [each for record in records for each in verdicts(record)]
    for each in found:
        if not each.met:
            yield f"{each.work.path}, {each.bar.metric.label}, {each.side}: {each}"
    yield f"{sum(each.met for each in found)} of {len(found)} bars are met"


# --- command line ---------------------------------------------------------------------------------------------


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("--only", metavar="PATTERN", help="workloads whose path contains or matches this")
    parser.add_argument("--groups", metavar="NAME,...", help=f"of {', '.join(GROUPS)}; all but growth by itself")
    parser.add_argument("--turns", type=int, metavar="N", help="turns of each side (5; with --quick 1)")
    parser.add_argument("--seconds", type=float, help="length of one measured window (1; with --quick 0.2)")
    parser.add_argument("--quick", action="store_true", help="short windows, one turn: does it run?")
    parser.add_argument("--sides", metavar="NAME,...", help=f"of {', '.join(EVERYBODY)}; all by themselves")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single result there")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw all ratios there")
    parser.add_argument("--write", action="store_true", help="write docs/reference/speed.md and its charts")
    parser.add_argument("--read", type=Path, nargs="+", metavar="FILE", help="take what --json wrote; run nothing")
    parser.add_argument("--ours-python", default=sys.executable, metavar="PATH", help="(this interpreter)")
    parser.add_argument(
        "--peer-python", metavar="PATH", help=f"has {peers.PUBLIC} and numpy; else one is made and kept"
    )
    parser.add_argument("--list", action="store_true", help="print the paths of the workloads and stop")
    options = parser.parse_args(arguments)
    options.turns = options.turns or (1 if options.quick else 5)
    options.seconds = options.seconds or (0.2 if options.quick else 1.0)
    options.sides = options.sides.split(",") if options.sides else EVERYBODY
    groups = options.groups.split(",") if options.groups else ()
    wrong = [name for name in (*groups, *options.sides) if name not in (*GROUPS, *EVERYBODY)]
    if wrong:
        parser.error(f"there is no {', '.join(wrong)}")
    if not groups and options.only is None:
        groups = [group for group in GROUPS if group != "growth"]
    options.works = select(options.only, groups)
    if not options.works:
        parser.error(f"no workload matches {options.only!r}; see --list")
    return options


def main() -> int:
    # Programs under test have sessions of their own; told to end, the bench ends them first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    options = parse()
    if options.list:
        print("\n".join(work.path for work in options.works))
        return 0
    if options.read:
        records, surroundings = from_json(path.read_text(encoding="utf-8") for path in options.read)
        for record in records:
            print("\n".join(described(record)))
    else:
        taking_part = {side for work in options.works for side in work.sides if side in options.sides}
        try:
            sides = choose(taking_part, options.ours_python, options.peer_python)
        except peers.PeerError as error:
            print(error, file=sys.stderr)
            return 2
        surroundings = {"machine": machine(), "turns": options.turns, "seconds": options.seconds}
        records = asyncio.run(run_all(options, sides, surroundings))
    print("\n".join(summary(records)))
    keep(records, surroundings, options)
    return 1 if any(record.failures for record in records) else 0


def keep(records: Sequence[Record], surroundings: dict[str, Any], options: argparse.Namespace) -> None:
    """Write what is asked for."""
    if options.json is not None and options.read:
        options.json.write_text(as_json(records, surroundings), encoding="utf-8")
    if options.svg is not None:
        options.svg.write_text(page.whole_chart(records), encoding="utf-8")
    if options.write:
        print(page.write(records, surroundings))


if __name__ == "__main__":
    sys.exit(main())
