"""What is measured on the hot path, as data: which interface, which transport, how much."""

import itertools
import random
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

APIS = ("async", "sync")
TRANSPORTS = ("local", "shm", "tcp")
PAYLOAD_SIZES = (64, 4096)


@dataclass(frozen=True)
class Case:
    """One thing to measure: a message there and back again, within one process."""

    api: str
    transport: str
    payload_size: int
    num_buffers: int
    trace: bool = False

    @property
    def case_id(self) -> str:
        """Its name, which says all of it."""
        size, buffers, trace = self.payload_size, self.num_buffers, str(self.trace).lower()
        return f"{self.api}/{self.transport}/payload={size}/buffers={buffers}/trace={trace}"


@dataclass(frozen=True)
class Summary:
    """What the samples of a case come to; ``seconds_*`` are for all messages of a sample."""

    samples: int
    seconds_median: float
    seconds_mean: float
    seconds_min: float
    seconds_max: float
    seconds_median_of_means: float
    seconds_cv: float
    us_per_message_median: float
    us_per_message_mean: float
    messages_per_second_median: float
    messages_per_second_mean: float


def all_cases(
    apis: Iterable[str], transports: Iterable[str], sizes: Iterable[int], num_buffers: int, trace: bool, seed: int
) -> list[Case]:
    """Return every combination, in an order of chance that the seed decides: no case is always the first."""
    product = itertools.product(apis, transports, sizes)
    cases = [Case(api, transport, size, num_buffers, trace) for api, transport, size in product]
    random.Random(seed).shuffle(cases)  # noqa: S311  nothing is kept secret by it
    return cases


def summarised(seconds: Sequence[float], count: int) -> Summary:
    """Return what samples come to, each the time that ``count`` messages took."""
    median, mean = statistics.median(seconds), statistics.fmean(seconds)
    deviation = statistics.pstdev(seconds)
    return Summary(
        samples=len(seconds),
        seconds_median=median,
        seconds_mean=mean,
        seconds_min=min(seconds),
        seconds_max=max(seconds),
        seconds_median_of_means=median_of_means(seconds),
        seconds_cv=deviation / mean if mean else 0.0,
        us_per_message_median=1e6 * median / count,
        us_per_message_mean=1e6 * mean / count,
        messages_per_second_median=count / median,
        messages_per_second_mean=count / mean,
    )


def median_of_means(values: Sequence[float], groups: int = 3) -> float:
    """Return the median of the means of groups of neighbours, which a single outlier moves little."""
    size = max(1, -(-len(values) // groups))
    return statistics.median(statistics.fmean(group) for group in _groups(values, size))


def _groups(values: Sequence[float], size: int) -> Iterable[Sequence[float]]:
    return (values[start : start + size] for start in range(0, len(values), size))


def suite_form(results: Iterable[dict[str, Any]], count: int, warmup: int, seed: int) -> dict[str, Any]:
    """Return all results in the form that a file of them has, which is ezmsg 3.10's."""
    return {"suite": "hotpath", "seed": seed, "count": count, "warmup": warmup, "results": list(results)}
