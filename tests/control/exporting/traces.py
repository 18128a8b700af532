"""Traces as processes might have made them, for tests of what is written from them."""

from collections import Counter
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ezmsg.protocol.model.profiling import (
    ProcessProfilingTraceBatch,
    ProfileChannelType,
    ProfilingTraceSample,
)

PUBLISH, WAIT, LEASE, USER = "publish_delta_ns", "backpressure_wait_ns", "lease_time_ns", "user_span_ns"
PUBLISHERS = [UUID(int=number) for number in range(1, 4)]
SUBSCRIBERS = ["SYSTEM/B/INPUT", "SYSTEM/C/INPUT", "BARE"]
BOOT_NS = 1_700_000_000_000_000_000


def sample(
    metric: str,
    endpoint_id: str,
    end_ns: int,
    value_ns: int,
    message: int | None = None,
    publisher: UUID | None = None,
    label: str | None = None,
    within: str | None = None,
) -> ProfilingTraceSample:
    topic = endpoint_id.rpartition(":")[0]
    kind = ProfileChannelType.SHM if metric in (LEASE, USER) else None
    return ProfilingTraceSample(
        end_ns, endpoint_id, topic, metric, value_ns, kind, message, publisher, label, within
    )


def batch(
    number: int, *samples: ProfilingTraceSample, host: str = "lab", pid: int | None = None, **more: int
) -> ProcessProfilingTraceBatch:
    more.setdefault("clock_offset_ns", BOOT_NS)
    return ProcessProfilingTraceBatch(
        UUID(int=number), 4000 + number if pid is None else pid, host, 0.0, list(samples), **more
    )


@st.composite
def samples(draw: st.DrawFn) -> ProfilingTraceSample:
    """One measurement; messages and publishers are few, so that publishes and receives meet."""
    metric = draw(st.sampled_from([PUBLISH, WAIT, LEASE, USER, "metric_of_tomorrow_ns"]))
    publisher = draw(st.sampled_from(PUBLISHERS))
    message = draw(st.none() | st.integers(0, 3))
    if metric in (PUBLISH, WAIT):
        endpoint_id = f"SYSTEM/A/OUTPUT:{publisher}"
    else:
        topic = draw(st.sampled_from(SUBSCRIBERS))
        endpoint_id = f"{topic}:{UUID(int=100 + draw(st.integers(0, 1)))}"
    label = draw(st.sampled_from(["on_message", "lease", ""])) if metric == USER else None
    within = draw(st.sampled_from([None, "on_message"])) if metric == USER else None
    end_ns = draw(st.integers(0, 2**50))
    value_ns = draw(st.integers(0, 10_000))
    publisher_id = draw(st.none() | st.just(publisher))
    return sample(metric, endpoint_id, end_ns, value_ns, message, publisher_id, label, within)


def batches() -> SearchStrategy[list[ProcessProfilingTraceBatch]]:
    """What several processes have traced, in several batches each, on one host or on two."""
    one = st.builds(
        lambda number, drawn, lost, host, offset: batch(
            number, *drawn, host=host, lost_samples=lost, clock_offset_ns=offset, pid=4000 + number % 2
        ),
        st.integers(1, 3),
        st.lists(samples(), max_size=8),
        st.integers(0, 2),
        st.sampled_from(["lab", "other"]),
        st.sampled_from([0, BOOT_NS, BOOT_NS + 1_000]),
    )
    return st.lists(one, max_size=5)


def sums(traced: list[ProcessProfilingTraceBatch]) -> Counter[tuple[str, str]]:
    """All time of spans, by metric and task."""
    found: Counter[tuple[str, str]] = Counter()
    for each in (each for one in traced for each in one.samples):
        if each.metric != PUBLISH:
            found[each.metric, each.label or ""] += int(each.value)
    return +found


def joined(traced: list[ProcessProfilingTraceBatch]) -> set[tuple[UUID, int, str]]:
    """The message and the subscriber of each arrow that there must be."""
    published = {
        (each.publisher_id, each.sample_seq) for one in traced for each in one.samples if each.metric == PUBLISH
    }
    return {
        (each.publisher_id, each.sample_seq, each.endpoint_id)
        for one in traced
        for each in one.samples
        if each.metric in (LEASE, USER)
        and each.publisher_id is not None
        and each.sample_seq is not None
        and (each.publisher_id, each.sample_seq) in published
    }


A, B, C = PUBLISHERS[0], f"SYSTEM/B/INPUT:{UUID(int=11)}", f"SYSTEM/C/INPUT:{UUID(int=12)}"

THREE_PROCESSES = [
    batch(
        1,
        sample(PUBLISH, f"SYSTEM/A/OUTPUT:{A}", 1_000, 900, 0, A),
        sample(WAIT, f"SYSTEM/A/OUTPUT:{A}", 3_000, 500, 1, A),
        sample(PUBLISH, f"SYSTEM/A/OUTPUT:{A}", 3_100, 2_100, 1, A),
    ),
    batch(
        2,
        sample(USER, B, 1_900, 600, 0, A, "on_message"),
        sample(LEASE, B, 2_000, 800, 0, A),
        sample(LEASE, B, 4_000, 700, 1, A),
        lost_samples=7,
        clock_offset_ns=BOOT_NS + 250_000,
    ),
    batch(3, sample(LEASE, C, 1_500, 400, 0, A), clock_offset_ns=BOOT_NS - 250_000),
]
"""One publisher, heard in two other processes, whose wall clock was set while they started."""
