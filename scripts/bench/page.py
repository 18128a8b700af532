"""The page about speed: what the bench found, with the machine named, as tables and charts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import charts
from records import GROWTH_LIMIT, Record, curves, verdicts
from workloads import BOTH_OF_OURS, EVERYBODY, GROUPS, NEXT, OURS, PUBLIC, ZENOH, ZMQ, Metric

BUSY = 1.0
"""A load at which a run is no longer alone."""
FOLDER = Path(__file__).parents[2] / "docs" / "reference"
TITLES = {
    "stream": "Streams: one publisher, one subscriber, as fast as they go",
    "round-trip": "Round trips: one message in flight",
    "kinds": "Kinds of messages, to another process",
    "paced": "Paced streams",
    "fan": "Fan-out and fan-in",
    "units": "Units in a row",
    "axis-arrays": "AxisArray through three processes",
    "starting": "Starting a program of five processes",
    "import": "Import and command line",
    "control": "The control plane",
    "calls": "System calls",
    "growth": "Growth",
}
INTRODUCTION = """# Speed

What the bench (`hatch run bench`) found beside the public package {public} and {next}, pyzmq and eclipse-zenoh.
Each has an environment of its own with the same Python and NumPy. The sides take turns in one run; a number is the
median of {turns}, with the quartiles behind it. Ratios are those of each turn, ours to the public package's
{public}, and of them the median. Compare them rather than the numbers, which are this machine's:

{machine}

Every message is received, but not looked into. `ours` runs on asyncio's event loop, as the public package does, and
`ours uvloop` on uvloop's, which `run()` takes where it is. pyzmq has blocking calls or an event loop (`pyzmq
asyncio`), and carries pickles of protocol 5 with their buffers apart, over `ipc` where ours uses shared memory;
eclipse-zenoh has blocking calls and carries bytes. How each is measured:
[the bench](../../scripts/bench/README.md).
"""


def write(records: Sequence[Record], surroundings: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write the page and its charts; return where the page is."""
    drawings = folder / "speed"
    drawings.mkdir(exist_ok=True)
    for old in drawings.glob("*.svg"):
        old.unlink()
    for name, drawing in all_charts(records).items():
        (drawings / f"{name}.svg").write_text(drawing, encoding="utf-8")
    page = folder / "speed.md"
    page.write_text("\n".join(lines(records, surroundings)) + "\n", encoding="utf-8")
    return page


# --- text -----------------------------------------------------------------------------------------------------


def lines(records: Sequence[Record], surroundings: dict[str, Any]) -> Iterator[str]:
    machine = "; ".join(f"{name} {value}" for name, value in surroundings["machine"].items())
    yield INTRODUCTION.format(public=PUBLIC, next=NEXT, turns=turns_of(surroundings), machine=machine + ".")
    if float(surroundings["machine"].get("load when it began", 0)) > BUSY:
        yield "**Other programs kept the machine busy during this run**: single figures may be off by far.\n"
    yield from bars(records)
    for group in GROUPS:
        of_group = [record for record in records if record.work.group == group and record.results]
        if of_group:
            yield f"## {TITLES[group]}\n"
            if group == "growth":
                yield from growth(of_group)
            else:
                yield from table(of_group)
                if ratio_rows(of_group):
                    yield f"![{TITLES[group]}](speed/{group}.svg)\n"


def turns_of(surroundings: dict[str, Any]) -> str:
    turns = surroundings["turns"]
    return "one turn" if turns == 1 else f"{turns} turns"


def bars(records: Sequence[Record]) -> Iterator[str]:
    """Say which bars are met: all that are not, and how many are."""
    found = [each for record in records for each in verdicts(record)]
    missed = [each for each in found if not each.met]
    met = len(found) - len(missed)
    yield f"{met} of {len(found)} bars are met in this run. A figure in **bold** misses its bar."
    yield ""


def table(records: Sequence[Record]) -> Iterator[str]:
    sides = [side for side in EVERYBODY if any(record.results.get(side) for record in records)]
    with_ratio = [side for side in BOTH_OF_OURS if side in sides and PUBLIC in sides]
    heads = ["", "unit", *sides, *(f"{side} / {PUBLIC}" for side in with_ratio), "bars"]
    yield "| " + " | ".join(heads) + " |"
    yield "| --- | --- |" + " ---: |" * (len(sides) + len(with_ratio)) + " --- |"
    for record in records:
        if reason := record.skipped():
            yield f"| {record.work.name} | {reason} |" + " |" * (len(sides) + len(with_ratio) + 1)
            continue
        for metric in record.work.metrics:
            cells = [f"{record.work.name}, {metric.label}", metric.unit]
            cells += [cell(record, side, metric) for side in sides]
            cells += [ratio_cell(record, side, metric) for side in with_ratio]
            yield "| " + " | ".join([*cells, bars_of(record, metric)]) + " |"
    yield ""


def cell(record: Record, side: str, metric: Metric) -> str:
    value, quartiles = record.median(side, metric), record.quartiles(side, metric)
    missed = [each for each in verdicts(record, metric, side) if not each.met and each.bar.versus is None]
    if value is None:
        return "**failed**" if any(said.startswith(f"{side}:") for said in record.failures) else ""
    text = f"**{figure(value)}**" if missed else figure(value)
    return text if quartiles is None else f"{text} ({figure(quartiles[0])} to {figure(quartiles[1])})"


def ratio_cell(record: Record, side: str, metric: Metric) -> str:
    ratio = record.ratio(side, metric)
    missed = [each for each in verdicts(record, metric, side) if not each.met and each.bar.versus == PUBLIC]
    if ratio is None:
        return ""
    return f"**{ratio:.2f}**" if missed else f"{ratio:.2f}"


def bars_of(record: Record, metric: Metric) -> str:
    """Say what is asked of a metric."""
    said = []
    for bar in record.work.bars:
        if bar.metric != metric:
            continue
        bound = "at least" if metric.more_is_better else "at most"
        limits = {each.limit for each in record.work.bars if each.metric == metric and each.versus == bar.versus}
        where = f" ({bar.side})" if len(limits) > 1 else ""
        if bar.versus in (ZMQ, ZENOH):
            missed = [each.side for each in verdicts(record, metric) if each.bar == bar and not each.met]
            ahead = f"ahead of {bar.versus}"
            said.append(f"**{ahead}: not {', '.join(missed)}**" if missed else ahead)
        else:
            said.append(f"{bound} {bar.limit:,.4g}{'' if bar.versus else ' ' + metric.unit}{where}")
    return "; ".join(dict.fromkeys(said))


def growth(records: Sequence[Record]) -> Iterator[str]:
    """Tell how costs grow, and what is asked of single points."""
    yield "The exponent is of the whole cost, over the upper part of each curve: 1 is as the work, 0 not at all."
    yield f"Above {GROWTH_LIMIT} it would grow faster than its work.\n"
    yield "| what grows | cost | unit | smallest | largest | exponent |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for curve in curves(records):
        if curve.side == OURS and curve.exponent is not None:
            smallest, largest = (f"{figure(y)} at {x:,.0f}" for x, y in (curve.points[0], curve.points[-1]))
            exponent = f"{curve.exponent:.2f}" if curve.exponent <= GROWTH_LIMIT else f"**{curve.exponent:.2f}**"
            cells = [curve.series, curve.metric.label, curve.metric.unit, smallest, largest, exponent]
            yield "| " + " | ".join(cells) + " |"
    yield ""
    single = [record for record in records if not record.work.series]
    if single:
        yield from table(single)
    for name in growth_charts(records):
        yield f"![Cost by {name.removeprefix('growth-').replace('-', ' ')}](speed/{name}.svg)\n"


def figure(value: float) -> str:
    """Write a number with three digits that say something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


# --- charts ---------------------------------------------------------------------------------------------------


def all_charts(records: Sequence[Record]) -> dict[str, str]:
    """Return every chart by its name."""
    drawn = {}
    for group in GROUPS:
        rows = ratio_rows([record for record in records if record.work.group == group])
        if rows and group != "growth":
            drawn[group] = charts.ratios(f"{TITLES[group]}: times better than {PUBLIC}", rows, BOTH_OF_OURS)
    return drawn | growth_charts(records)


def ratio_rows(records: Sequence[Record]) -> list[charts.Row]:
    """Return how many times better ours is, with the bar where there is one; more is better in all of them."""
    rows = []
    for record in records:
        for metric in record.work.metrics:
            for kind, side in enumerate(BOTH_OF_OURS):
                ratio = record.ratio(side, metric)
                if ratio and not record.work.series:
                    bars = [each.bar.limit for each in verdicts(record, metric, side) if each.bar.versus == PUBLIC]
                    bar = bars[0] if bars else None
                    if not metric.more_is_better:
                        ratio, bar = 1 / ratio, bar and 1 / bar
                    rows.append(charts.Row(f"{record.work.name}, {metric.label}", kind, ratio, bar))
    return rows


def growth_charts(records: Sequence[Record]) -> dict[str, str]:
    drawn: dict[str, str] = {}
    found = curves(records)
    for series in dict.fromkeys(curve.series for curve in found):
        of_series = [curve for curve in found if curve.series == series and len(curve.points) > 1]
        for unit in dict.fromkeys(curve.metric.unit for curve in of_series):
            lines = {f"{c.side}: {c.metric.label}": c.points for c in of_series if c.metric.unit == unit}
            drawn[f"growth-{series.replace(' ', '-')}"] = charts.curves(f"Cost by {series}", unit, lines)
    return drawn


def whole_chart(records: Sequence[Record]) -> str:
    """Return one chart of all ratios."""
    rows = ratio_rows(records) or [charts.Row("nothing to compare", 0, 1.0)]
    return charts.ratios(f"Times better than {PUBLIC}", rows, BOTH_OF_OURS)
