"""What came of the workloads: every result, its median, its spread, the ratios, and whether the bars are met."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from workloads import BOTH_OF_OURS, PUBLIC, TOTALS, WORKLOADS, Bar, Metric, Workload

Result = dict[str, Any]

GROWTH_LIMIT = 1.15
"""The exponent by which a cost may grow with what it is the cost of: its work, and something for caches."""


@dataclass
class Record:
    """Everything that one workload gave, by side and in the order of the turns."""

    work: Workload
    results: dict[str, list[Result]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def by_turn(self, side: str, metric: Metric) -> dict[int, float]:
        """Return what each turn gave; one that failed is not there."""
        results = (result for result in self.results.get(side, ()) if result.get(metric.key) is not None)
        return {result["turn"]: float(result[metric.key]) / metric.divide_by for result in results}

    def values(self, side: str, metric: Metric) -> list[float]:
        return list(self.by_turn(side, metric).values())

    def median(self, side: str, metric: Metric) -> float | None:
        values = self.values(side, metric)
        return statistics.median(values) if values else None

    def quartiles(self, side: str, metric: Metric) -> tuple[float, float] | None:
        values = self.values(side, metric)
        if len(values) < 2:
            return None
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return low, high

    def ratio(self, side: str, metric: Metric, versus: str = PUBLIC) -> float | None:
        """Return the median over the turns of one side's number over another's in the same turn."""
        theirs = self.by_turn(versus, metric)
        ratios = [one / theirs[turn] for turn, one in self.by_turn(side, metric).items() if theirs.get(turn)]
        return statistics.median(ratios) if ratios else None

    def skipped(self) -> str | None:
        """Return why a workload could not be measured here, if it could not."""
        reasons = (result.get("skipped") for results in self.results.values() for result in results)
        return next((reason for reason in reasons if reason), None)


@dataclass(frozen=True)
class Verdict:
    """Whether one side of ours keeps to a bar."""

    work: Workload
    bar: Bar
    side: str
    found: float

    @property
    def met(self) -> bool:
        return self.found >= self.bar.limit if self.bar.metric.more_is_better else self.found <= self.bar.limit

    def __str__(self) -> str:
        bound = "at least" if self.bar.metric.more_is_better else "at most"
        what = f" of {self.bar.versus}" if self.bar.versus else f" {self.bar.metric.unit}"
        return f"{'ok' if self.met else 'MISSED'} ({bound} {self.bar.limit:,.4g}{what}; {self.found:,.4g})"


def verdicts(record: Record, metric: Metric | None = None, side: str | None = None) -> Iterator[Verdict]:
    """Yield what is to be said of the bars, of one metric and one side or of all, where there are numbers."""
    for bar in record.work.bars:
        if metric is not None and bar.metric != metric:
            continue
        for each in BOTH_OF_OURS:
            if (side is not None and each != side) or (bar.side is not None and each != bar.side):
                continue
            if bar.versus is None:
                found = record.median(each, bar.metric)
            else:
                found = record.ratio(each, bar.metric, bar.versus)
            if found is not None:
                yield Verdict(record.work, bar, each, found)


# --- growth ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Curve:
    """How a cost of one side grows."""

    series: str
    metric: Metric
    side: str
    points: tuple[tuple[float, float], ...]

    @property
    def exponent(self) -> float | None:
        """Return the exponent of the whole cost over the last decade and a half: 1 is as the work."""
        last = self.points[-1][0]
        logs = [(math.log(x), math.log(self._total(x, y))) for x, y in self.points if x * 32 >= last and y > 0]
        if len(logs) < 2:
            return None
        return statistics.linear_regression(*zip(*logs, strict=True)).slope

    def _total(self, x: float, y: float) -> float:
        return x * y if self.metric.key in TOTALS else y


def curves(records: Iterable[Record]) -> list[Curve]:
    found: dict[tuple[str, Metric, str], list[tuple[float, float]]] = {}
    for record in records:
        if record.work.series:
            for metric in record.work.metrics:
                for side in record.results:
                    value = record.median(side, metric)
                    if value is not None:
                        found.setdefault((record.work.series, metric, side), []).append((record.work.x, value))
    return [Curve(*key, tuple(points)) for key, points in found.items()]


# --- kept in a file -------------------------------------------------------------------------------------------


def as_json(records: Sequence[Record], surroundings: dict[str, Any]) -> str:
    kept = [{"workload": each.work.path, "results": each.results, "failures": each.failures} for each in records]
    return json.dumps({**surroundings, "workloads": kept}, indent=1) + "\n"


def from_json(texts: Iterable[str]) -> tuple[list[Record], dict[str, Any]]:
    """Return the records of several files, in the order of the table; of one workload, those that came last."""
    found: dict[str, dict[str, Any]] = {}
    surroundings: dict[str, Any] = {}
    for text in texts:
        content = json.loads(text)
        found |= {each["workload"]: each for each in content.pop("workloads")}
        surroundings |= content
    records = [
        Record(work, found[work.path]["results"], found[work.path]["failures"])
        for work in WORKLOADS
        if work.path in found
    ]
    return records, surroundings
