"""The text of metrics, read back by the parser of the monitoring system that most will use."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ezmsg.graphserver.metrics.metrics import ProcessFigures, ServerFigures, metrics_text
from ezmsg.graphserver.metrics.open_metrics import Exposition, Family
from ezmsg.protocol.model.profiling import (
    ChannelProfileSnapshot,
    MetricTotals,
    ProcessProfilingSnapshot,
    ProfileChannelType,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)
from ezmsg.protocol.testing import instances

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
SERVER = ServerFigures("epoch", "0.1.0", "1.0", 1, 2, 3, 4, 5, 6, 7, 8, 9)
COUNT = Family("a_count", "counter", 'Counts "things"\nof \\ all kinds.')
TEXT = st.text(max_size=20)


def parse(text: str) -> Samples:
    """Return every sample; the parser refuses what is not OpenMetrics."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = sample.name, tuple(sorted(sample.labels.items()))
            assert key not in found, "a sample is told twice"
            found[key] = sample.value
    return found


@given(st.dictionaries(st.tuples(TEXT, TEXT), st.integers(0, 2**53), max_size=5))
def test_any_text_may_be_a_label(values: dict[tuple[str, str], int]) -> None:
    page = Exposition()
    for (topic, task), value in values.items():
        page.add(COUNT, value, topic=topic, task=task)
    assert parse(page.text()) == {
        ("a_count_total", (("task", task), ("topic", topic))): value for (topic, task), value in values.items()
    }


@given(st.integers(-(2**70), 2**70))
def test_decimals_are_exact(value: int) -> None:
    page = Exposition()
    page.add(Family("wait_seconds", "gauge", "Waiting.", "seconds", 1_000_000_000), value)
    (line,) = [line for line in page.text().splitlines() if not line.startswith("#")]
    whole, decimals = line.split()[1].split(".")
    assert len(decimals) == 9
    assert int(whole + decimals) == value


@given(st.lists(instances(ProcessProfilingSnapshot), max_size=3))
def test_whatever_processes_say_is_a_page(counted: list[ProcessProfilingSnapshot]) -> None:
    figures = [ProcessFigures(str(UUID(int=number)), number, "lab", each) for number, each in enumerate(counted)]
    samples = parse(metrics_text(SERVER, [*figures, ProcessFigures("silent", 9, 'na"me', None)]))
    up = {dict(labels)["process"]: value for (name, labels), value in samples.items() if name == "ezmsg_process_up"}
    assert up == {**{figure.process_id: 1 for figure in figures}, "silent": 0}


def one_process() -> ProcessProfilingSnapshot:
    channels = [
        ChannelProfileSnapshot(UUID(int=8), ProfileChannelType.SHM, 9, 90, 1, 1_500_000_000),
        ChannelProfileSnapshot(None, ProfileChannelType.TCP, 1, 10, 0, 0),
    ]
    totals = {"publish_delta_ns": MetricTotals(9, 5)}
    publisher = PublisherProfileSnapshot(
        "A/OUT:1", "A/OUT", 10, 0, 0.0, 2, 32, 1.0, 100, 1_500_000_001, channels, totals
    )
    tasks = {"work": MetricTotals(7, 2_000_000_000)}
    whole = {"user_span_ns": MetricTotals(9, 3_000_000_000)}  # two of them have no name
    subscriber = SubscriberProfileSnapshot(
        "B/IN:2", "B/IN", 7, 0, ProfileChannelType.SHM, 1.0, 70, 3, 4, totals=whole, tasks=tasks
    )
    return ProcessProfilingSnapshot(
        UUID(int=1), 11, "lab", 0.0, 1.0, {"A/OUT:1": publisher}, {"B/IN:2": subscriber}, tracers=["somebody"]
    )


def test_what_is_told() -> None:
    text = metrics_text(SERVER, [ProcessFigures("p", 11, "lab", one_process())])
    assert text.endswith("# EOF\n")
    assert "# UNIT ezmsg_backpressure_wait_seconds seconds\n" in text
    samples = parse(text)
    at: dict[str, Any] = {"process": "p", "topic": "A/OUT", "endpoint": "A/OUT:1"}
    to: dict[str, Any] = {"process": "p", "topic": "B/IN", "endpoint": "B/IN:2"}
    shm = {**at, "receiver": str(UUID(int=8)), "transport": "SHM"}
    expected: list[tuple[str, dict[str, str], float]] = [
        ("ezmsg_server_info", {"version": "0.1.0", "protocol": "1.0", "epoch": "epoch"}, 1),
        ("ezmsg_server_edges", {}, 4),
        ("ezmsg_server_topology_events_total", {}, 7),
        ("ezmsg_process_up", {"process": "p", "pid": "11", "host": "lab"}, 1),
        ("ezmsg_process_tracers", {"process": "p"}, 1),
        ("ezmsg_published_messages_total", at, 10),
        ("ezmsg_published_bytes_total", at, 100),
        ("ezmsg_backpressure_wait_seconds_total", at, 1.500000001),
        ("ezmsg_channel_wait_seconds_total", shm, 1.5),
        ("ezmsg_channel_inflight_messages", shm, 1),
        ("ezmsg_received_messages_total", to, 7),
        ("ezmsg_dropped_messages_total", to, 3),
        ("ezmsg_queued_messages", to, 4),
        ("ezmsg_traced_seconds_total", {**to, "metric": "user_span_ns"}, 3),
        ("ezmsg_traced_measurements_total", {**at, "metric": "publish_delta_ns"}, 9),
        ("ezmsg_task_seconds_total", {**to, "task": "work"}, 2),
        ("ezmsg_task_calls_total", {**to, "task": "work"}, 7),
    ]
    for name, labels, value in expected:
        assert samples[name, tuple(sorted(labels.items()))] == value
