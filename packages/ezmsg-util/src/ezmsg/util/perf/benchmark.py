"""``ezmsg perf benchmark``: graphs under load, over and over, into a file that `report` and `compare` read."""

import itertools
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ezmsg.core as ez
from ezmsg.util.errors import MessageMissing
from ezmsg.util.perf.environment import environment_form
from ezmsg.util.perf.hotpath import undisturbed
from ezmsg.util.perf.loads import CONFIGS, Communication, LoadSettings, run_layout

MSG_SIZES = (16, 1 << 20)
N_CLIENTS = (1, 16)
COMMS = tuple(each.value for each in Communication)


@dataclass(frozen=True)
class Test:
    """One graph under load."""

    __test__ = False  # for pytest, which takes the name for its own

    msg_size: int
    n_clients: int
    config: str
    comms: str
    num_msgs: int
    num_buffers: int
    max_duration: float


@dataclass(frozen=True)
class Metrics:
    """What came of it; times are in seconds, rates in messages or bytes a second."""

    num_msgs: int
    sample_rate_mean: float
    sample_rate_median: float
    latency_mean: float
    latency_median: float
    latency_total: float
    data_rate: float


def all_tests(
    sizes: Sequence[int], clients: Sequence[int], comms: Sequence[str], configs: Sequence[str], **same: Any
) -> list[Test]:
    """Return every combination."""
    product = itertools.product(sizes, clients, configs, comms)
    return [Test(size, number, config, comm, **same) for size, number, config, comm in product]


def run_tests(tests: Sequence[Test], repeats: int, iterations: int, file: Path) -> None:
    """Run all tests ``repeats`` times in an order of chance, each ``iterations`` times, and note the results."""
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    try:
        with file.open("w", encoding="utf-8") as notes:
            _note(notes, {"environment": environment_form()})
            for repeat in range(repeats):
                order = random.Random(repeat)  # noqa: S311  nothing is kept secret by it
                for test in order.sample(tests, len(tests)):
                    for _ in range(iterations):
                        _note(notes, {"params": asdict(test), "results": asdict(perform(test, server.address))})
    finally:
        server.stop()


def perform(test: Test, address: Any) -> Metrics:
    """Run one test.

    :raises MessageMissing: if fewer than two messages arrive in its time.
    """
    force_tcp = test.comms.startswith("tcp")
    settings = LoadSettings(test.num_msgs, test.msg_size, test.max_duration, test.num_buffers, force_tcp)
    layout = CONFIGS[test.config](test.n_clients, settings)
    with undisturbed():
        times = run_layout(layout, Communication(test.comms), address)
    if len(times) < 2:
        case = f"{test.config}/{test.comms}/{test.msg_size}/{test.n_clients}"
        raise MessageMissing(case=case, seconds=test.max_duration)
    return metrics_of(times, test.msg_size)


def metrics_of(times: Sequence[tuple[float, float]], size: int) -> Metrics:
    """Return what the times of sending and receiving of messages come to."""
    latencies = [received_s - sent_s for sent_s, received_s in times]
    received = sorted(received_s for _, received_s in times)
    took_s = max(received[-1] - min(sent_s for sent_s, _ in times), 1e-9)
    between = [later - earlier for earlier, later in itertools.pairwise(received) if later > earlier]
    return Metrics(
        num_msgs=len(times),
        sample_rate_mean=len(times) / took_s,
        sample_rate_median=1.0 / statistics.median(between) if between else 0.0,
        latency_mean=statistics.fmean(latencies),
        latency_median=statistics.median(latencies),
        latency_total=sum(latencies),
        data_rate=len(times) * size / took_s,
    )


def warm_up(seconds: float) -> None:
    """Keep a processor busy for a while, so that its clock is up when the first test begins."""
    until_s = time.perf_counter() + seconds
    while time.perf_counter() < until_s:
        sum(range(1000))


def read(file: Path) -> Iterator[dict[str, Any]]:
    """Yield what a file notes, line by line; a line that is no JSON is what is left of a run that was cut off."""
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            form = json.loads(line)
        except ValueError:
            continue
        if isinstance(form, dict):
            yield form


def _note(notes: Any, form: dict[str, Any]) -> None:
    notes.write(f"{json.dumps(form)}\n")
    notes.flush()
