"""``report`` and ``compare``: what a benchmark's file holds, as a page of HTML that needs nothing else."""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any, NamedTuple

SHOWN = (
    ("sample_rate_mean", "messages/s", True),
    ("latency_mean", "latency, us", False),
    ("data_rate", "MB/s", True),
)
"""The metrics of a table: key, head, and whether more is better."""

_SCALES = {"latency_mean": 1e6, "data_rate": 1e-6}
_STYLE = """body { font: 14px sans-serif; margin: 2em; } table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .25em .8em; text-align: right; border-bottom: 1px solid #ccc; } .better { background: #dfd; }
.worse { background: #fdd; }"""

NOTICEABLE = 0.05
"""The least difference that a page marks."""


class Key(NamedTuple):
    """What the runs of one row have in common."""

    config: str
    comms: str
    msg_size: int
    n_clients: int


def medians(lines: Iterable[Mapping[str, Any]]) -> dict[Key, dict[str, float]]:
    """Return the median of every metric over all runs of each test."""
    found: defaultdict[Key, list[Mapping[str, float]]] = defaultdict(list)
    for line in lines:
        if "params" in line and "results" in line:
            params = line["params"]
            found[Key(params["config"], params["comms"], params["msg_size"], params["n_clients"])].append(
                line["results"]
            )
    return {
        key: {name: statistics.median(run[name] for run in runs) for name, _, _ in SHOWN}
        for key, runs in sorted(found.items())
    }


def page(title: str, ours: list[dict[str, Any]], baseline: list[dict[str, Any]] | None = None) -> str:
    """Return a page; with a baseline, how much each test differs from it, too."""
    head = f"<!doctype html><html><head><meta charset='utf-8'><title>{escape(title)}</title>"
    body = "".join(_body(title, ours, baseline))
    return f"{head}<style>{_STYLE}</style></head><body>{body}</body></html>\n"


def _body(title: str, ours: list[dict[str, Any]], baseline: list[dict[str, Any]] | None) -> Iterator[str]:
    yield f"<h1>{escape(title)}</h1>"
    yield from _environment("measured on", ours)
    if baseline is not None:
        yield from _environment("baseline", baseline)
    before = {} if baseline is None else medians(baseline)
    rows = medians(ours)
    for config, comms in sorted({(key.config, key.comms) for key in rows}):
        yield f"<h2>{escape(config)}, {escape(comms)}</h2><table>{_heads()}"
        for key, values in rows.items():
            if (key.config, key.comms) == (config, comms):
                cells = "".join(_cell(name, values[name], before.get(key), more) for name, _, more in SHOWN)
                yield f"<tr><td>{key.msg_size:,}</td><td>{key.n_clients}</td>{cells}</tr>"
        yield "</table>"


def _environment(title: str, lines: list[dict[str, Any]]) -> Iterator[str]:
    for line in lines:
        if isinstance(line.get("environment"), dict):
            said = ", ".join(f"{key} {value}" for key, value in line["environment"].items())
            yield f"<p>{escape(title)}: {escape(said)}</p>"


def _heads() -> str:
    names = ("bytes", "clients", *(head for _, head, _ in SHOWN))
    return f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in names)}</tr>"


def _cell(name: str, value: float, before: Mapping[str, float] | None, more_is_better: bool) -> str:
    shown = f"{value * _SCALES.get(name, 1.0):,.1f}"
    if before is None or not before[name]:
        return f"<td>{shown}</td>"
    change = value / before[name] - 1.0
    kind = "" if abs(change) < NOTICEABLE else "better" if (change > 0) == more_is_better else "worse"
    return f"<td class='{kind}'>{shown} ({100 * change:+.1f} %)</td>"
