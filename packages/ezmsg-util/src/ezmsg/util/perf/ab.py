"""``ezmsg perf ab``: two sides measured in turns, so that a machine that slows down does so for both."""

import random
import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from ezmsg.util.perf.sides import Side


def compare(a: Side, b: Side, arguments: Sequence[str], rounds: int, prewarm: int, seed: int) -> dict[str, Any]:
    """Measure both sides ``rounds`` times, in an order of chance within each round, and return every number.

    :raises SideFailed: if a side cannot be measured.
    """
    order = random.Random(seed)  # noqa: S311  nothing is kept secret by it
    times: dict[str, dict[str, list[float]]] = {"a": defaultdict(list), "b": defaultdict(list)}
    for _ in range(prewarm):
        a.run(arguments)
        b.run(arguments)
    for _ in range(rounds):
        turns = [("a", a), ("b", b)]
        order.shuffle(turns)
        for name, side in turns:
            for result in side.run(arguments)["results"]:
                times[name][result["case_id"]].append(result["summary"]["us_per_message_median"])
    cases = [summary(case, times["a"][case], times["b"][case]) for case in sorted(times["a"]) if times["b"][case]]
    return {"suite": "ab", "a": a.name, "b": b.name, "rounds": rounds, "seed": seed, "cases": cases}


def summary(case: str, a: Sequence[float], b: Sequence[float]) -> dict[str, Any]:
    """Return what pairs of times come to; ``change`` is of b beside a, and below 0 b is faster."""
    changes = sorted(after / before - 1.0 for before, after in zip(a, b, strict=True))
    return {
        "case_id": case,
        "a_us": list(a),
        "b_us": list(b),
        "a_us_median": statistics.median(a),
        "b_us_median": statistics.median(b),
        "change_median": statistics.median(changes),
        "change_least": changes[0],
        "change_most": changes[-1],
    }


def lines(form: dict[str, Any]) -> Iterator[str]:
    """Yield the comparison for people."""
    yield f"a: {form['a']}   b: {form['b']}   {form['rounds']} rounds; below 0 % b is faster"
    for case in form["cases"]:
        times = f"{case['a_us_median']:9.2f} us {case['b_us_median']:9.2f} us"
        change = f"{100 * case['change_median']:+7.1f} %"
        spread = f"({100 * case['change_least']:+.1f} .. {100 * case['change_most']:+.1f} %)"
        yield f"{case['case_id']:<58} {times} {change} {spread}"
