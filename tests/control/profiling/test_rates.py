"""Rates over a reader's window: what they say of steady counters, and that nothing that can happen makes one up."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control.profiling.rates import Course, courses
from ezmsg.protocol.model.profiling import (
    ProcessProfilingSnapshot,
    ProfileChannelType,
    PublisherProfileSnapshot,
    SubscriberProfileSnapshot,
)

S = 1_000_000_000
PROCESS, OTHER = UUID(int=1), UUID(int=2)


def published(at_s: float, messages: int, waited_ns: int = 0, process: UUID = PROCESS) -> ProcessProfilingSnapshot:
    publisher = PublisherProfileSnapshot(
        "A/OUT:1", "A/OUT", messages, 0, 0.0, 1, 32, at_s * S, messages * 100, waited_ns
    )
    return ProcessProfilingSnapshot(process, 41, "lab3", 0.0, at_s * S, {publisher.endpoint_id: publisher})


def received(at_s: float, messages: int, dropped: int = 0) -> ProcessProfilingSnapshot:
    subscriber = SubscriberProfileSnapshot(
        "B/IN:2", "B/IN", messages, 0, ProfileChannelType.SHM, at_s * S, messages * 100, dropped, 3
    )
    return ProcessProfilingSnapshot(PROCESS, 41, "lab3", 0.0, at_s * S, {}, {subscriber.endpoint_id: subscriber})


def told(*snapshots: ProcessProfilingSnapshot, window_s: float = 10.0) -> Course:
    known: dict[str, Course] = {}
    for each in snapshots:
        known = courses(known, [each], window_s)
    (course,) = known.values()
    return course


def test_of_one_count_nothing_is_said() -> None:
    course = told(published(1.0, 500))

    assert (course.rate_hz, course.bytes_per_s, course.waited_share, course.rates_hz) == (None, None, 0.0, [])


def test_a_steady_publisher_has_its_rate() -> None:
    course = told(*(published(at_s, 1000 * at_s, at_s * S // 4) for at_s in range(1, 5)))

    assert course.rate_hz == pytest.approx(1000.0)
    assert course.bytes_per_s == pytest.approx(100_000.0)
    assert course.waited_share == pytest.approx(0.25)
    assert course.rates_hz == pytest.approx([1000.0] * 3)


def test_what_is_older_than_the_window_is_forgotten() -> None:
    course = told(*(published(at_s, 10 if at_s < 50 else 10 + 7 * (at_s - 49)) for at_s in range(100)))

    assert course.seconds == 10.0
    assert course.rate_hz == pytest.approx(7.0)
    assert len(course.counts) == 11


def test_a_counter_that_falls_begins_anew() -> None:
    course = told(published(1, 900), published(2, 1000), published(3, 5), published(4, 25))

    assert course.rate_hz == pytest.approx(20.0)
    assert course.resets == 1


def test_an_endpoint_in_another_process_is_another() -> None:
    course = told(published(1, 900), published(2, 1000, process=OTHER))

    assert (course.rate_hz, course.process_id) == (None, OTHER)


def test_a_clock_that_stands_or_goes_back_changes_nothing() -> None:
    course = told(published(5, 100), published(6, 200), published(6, 250), published(2, 300))

    assert course.rate_hz == pytest.approx(100.0)


def test_drops_are_those_of_the_window() -> None:
    course = told(*(received(at_s, 10 * at_s, min(at_s, 5)) for at_s in range(30)), window_s=5.0)

    assert (course.dropped, course.queued, course.kind) == (0, 3, "shm")
    assert told(received(1, 10, 0), received(2, 20, 4)).dropped == 4


def test_a_process_that_does_not_answer_keeps_its_endpoints_and_one_that_does_loses_those_that_are_gone() -> None:
    known = courses({}, [published(1, 1)])

    assert courses(known, []) == known
    assert courses(known, [ProcessProfilingSnapshot(PROCESS, 41, "lab3", 0.0, 2 * S)]) == {}


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(0, 10**9), st.integers(0, 10**12)), max_size=30))
def test_no_rate_is_ever_negative(steps: list[tuple[float, int, int]]) -> None:
    known: dict[str, Course] = {}
    for at_s, messages, waited_ns in steps:
        known = courses(known, [published(at_s, messages, waited_ns)], 5.0)
        for course in known.values():
            assert course.rate_hz is None or course.rate_hz >= 0
            assert all(rate >= 0 for rate in course.rates_hz)
            assert 0 <= course.waited_share <= 1
