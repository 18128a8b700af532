"""A trace in Chrome's format, by the rules of that format."""

import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given
from tests.control.exporting.traces import BOOT_NS, PUBLISH, THREE_PROCESSES, USER, batches, joined, sums

from ezmsg.control.exporting.chrome import to_chrome_json
from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch


def slices(trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == "X"]


def test_three_processes() -> None:
    trace = json.loads(to_chrome_json(THREE_PROCESSES))
    threads = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in trace["traceEvents"]
        if event["name"] == "thread_name"
    }
    ways = defaultdict(list)
    for event in slices(trace):
        if "bind_id" in event:
            ways[event["bind_id"]].append((threads[event["pid"], event["tid"]], event.get("flow_out", False)))
    publish = "SYSTEM/A/OUTPUT publish", True
    to_b, to_c = ("SYSTEM/B/INPUT lease", False), ("SYSTEM/C/INPUT lease", False)
    assert sorted(ways.values()) == [[publish, to_b], [publish, to_b, to_c]]
    assert trace["otherData"]["origin_unix_ns"] == str(BOOT_NS + 1_000)
    assert trace["otherData"]["lost_samples"] == {str(UUID(int=1)): 0, str(UUID(int=2)): 7, str(UUID(int=3)): 0}
    (work,) = [event for event in slices(trace) if event["name"] == "on_message"]
    assert (work["ts"], work["dur"], work["args"]["value_ns"]) == (0.3, 0.6, 600)


@given(batches())
def test_whatever_was_traced(traced: list[ProcessProfilingTraceBatch]) -> None:
    trace = json.loads(to_chrome_json(traced))
    found: Counter[tuple[str, str]] = Counter()
    threads: dict[tuple[int, int], list[tuple[float, float]]] = defaultdict(list)
    for event in slices(trace):
        assert event["ts"] >= 0
        threads[event["pid"], event["tid"]].append((event["ts"], event["dur"]))
        if event["cat"] != PUBLISH:
            found[event["cat"], event["name"] if event["cat"] == USER else ""] += round(event["dur"] * 1000)
    assert +found == sums(traced)
    for spans in threads.values():
        for (start, length), (later, _) in pairwise(spans):
            assert start + length <= later * (1 + 1e-12) + 1e-3, "slices of one thread overlap"
    assert sum(event.get("flow_in", False) for event in slices(trace)) == len(joined(traced))
    assert sum(trace["otherData"]["lost_samples"].values()) == sum(one.lost_samples for one in traced)
