"""Blame: the wait is shared out among those who caused it, and all of it, and nothing is made up."""

import random
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.control.exporting.traces import USER, batch, sample
from tests.control.profiling.profiles import SECOND, Process, began, ended, endpoint, id_of

from ezmsg.control.errors import NobodyPublishes
from ezmsg.control.profiling.blaming import Blame, blame
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot, PublisherProfileSnapshot

MS = 1_000_000


def told(found: Blame) -> list[tuple[str, float, list[str]]]:
    return [(culprit.topic, round(culprit.share, 3), culprit.through) for culprit in found.culprits]


def slow_and_quick() -> list[Process]:
    return [
        Process("source", pid=1).publishes("S/A/OUT", {"worker": 400 * MS, "log": 12 * MS}, messages=10_000),
        Process("worker", pid=2)
        .hears("S/SLOW/IN", ["S/A/OUT"], 9_000 * MS, {"on_message": 8_000 * MS, "count": 1_000 * MS}, 2_500)
        .hears("S/QUICK/IN", ["S/A/OUT"], 1_000 * MS, {"show": 900 * MS}, 10_000)
        .hears("S/OTHER/IN", ["S/B/OUT"], 9_000 * MS),
        Process("log", pid=3).hears("S/LOG/IN", ["S/A/OUT"]),
    ]


def test_the_slow_unit_is_named_with_its_process_and_task() -> None:
    processes = slow_and_quick()
    slow = endpoint("S/SLOW/IN")
    spans = [sample(USER, slow, number, number * MS, number, label="on_message") for number in range(1, 101)]
    spans += [sample(USER, slow, number, 1, number, label="on_message", within="count") for number in range(1, 101)]
    found = blame(began(*processes), ended(*processes), "S/A/OUT", [batch(2, *spans)])
    assert (found.waited_ns, found.window_ns, found.share) == (412 * MS, 10 * SECOND, 0.0412)
    assert (found.messages, found.num_buffers, found.unattributed_ns, found.gaps) == (10_000, 32, 0, [])
    assert told(found) == [("S/SLOW/IN", 0.874, []), ("S/QUICK/IN", 0.097, []), ("S/LOG/IN", 0.029, [])]
    worst = found.culprits[0]
    assert (worst.process_id, worst.pid, worst.host, worst.busy_share) == (id_of("worker"), 2, "lab", 0.9)
    work, count = worst.tasks
    assert (work.name, work.waited_ns, work.calls, work.p50_ns, work.p99_ns) == (
        "on_message", 320 * MS, 2_500, 50 * MS, 99 * MS,
    )  # fmt: skip
    assert (count.name, count.waited_ns, count.p50_ns) == ("count", 40 * MS, None)


def test_percentiles_of_what_is_left_say_so() -> None:
    processes = slow_and_quick()
    traces = [batch(2, lost_samples=3), batch(2, lost_samples=4), batch(3)]
    found = blame(began(*processes), ended(*processes), "S/A/OUT", traces)
    said = "Of what the process with pid 4002 on lab traced, 7 samples were lost. Percentiles are of the rest."
    assert found.gaps == [said]


def test_who_only_waits_hands_the_blame_on() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"middle": 5_000 * MS}),
        Process("middle").hears("B/IN", ["A/OUT"], 8_000 * MS).publishes("B/OUT", {"end": 7_200 * MS}),
        Process("end").hears("C/IN", ["B/OUT"], 9_900 * MS).hears("B/IN2", ["B/OUT"]),
    ]
    found = blame(began(*processes), ended(*processes), "A/OUT")
    assert told(found) == [("C/IN", 0.9, ["B/IN"]), ("B/IN", 0.1, [])]


def test_what_nobody_can_be_named_for_is_said() -> None:
    processes = [Process("source").publishes("A/OUT", {"gone": 70 * MS, "here": 20 * MS}, more_ns=10 * MS),
                 Process("here").hears("B/IN", ["A/OUT"], MS)]  # fmt: skip
    found = blame(began(*processes), ended(*processes), "A/OUT")
    assert (told(found), found.unattributed_ns, found.waited_ns) == ([("B/IN", 0.2, [])], 80 * MS, 100 * MS)


def test_untraced_subscribers_of_one_loop_are_not_told_apart() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"two": 70 * MS}),
        Process("two").hears("B/IN", ["A/OUT"]).hears("C/IN", ["A/OUT"]),
    ]
    found = blame(began(*processes), ended(*processes), "A/OUT")
    assert (found.culprits, found.unattributed_ns) == ([], 70 * MS)
    assert found.gaps == ["Nothing was traced that would tell which of B/IN, C/IN was waited for."]


def test_a_unit_that_is_stuck_in_one_message_is_to_blame() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"two": 70 * MS}, messages=3),
        Process("two").hears("B/IN", ["A/OUT"]).hears("C/IN", ["A/OUT"], MS, messages=9),
    ]
    before, after = began(*processes), ended(*processes)
    for each in (before, after):
        each[1].subscribers[endpoint("B/IN")].queued_messages_current = 31
    assert told(blame(before, after, "A/OUT"))[0] == ("B/IN", 1.0, [])


def two_on_a_loop(queues: tuple[int, int], busy_ms: tuple[int, int], dropped: int = 0) -> Blame:
    """A publisher that waited 9 of 10 seconds for two subscribers whose queues held so many at both ends."""
    processes = [
        Process("source").publishes("A/OUT", {"two": 9_000 * MS}, messages=500),
        Process("two")
        .hears("B/IN", ["A/OUT"], busy_ms[0] * MS, messages=500)
        .hears("C/IN", ["A/OUT"], busy_ms[1] * MS, messages=500),
    ]
    before, after = began(*processes), ended(*processes)
    for each in (before, after):
        for topic, queued in zip(("B/IN", "C/IN"), queues, strict=True):
            each[1].subscribers[endpoint(topic)].queued_messages_current = queued
    after[1].subscribers[endpoint("B/IN")].messages_dropped_total = dropped
    return blame(before, after, "A/OUT")


def test_who_lets_messages_wait_in_the_queue_is_to_blame() -> None:
    assert told(two_on_a_loop((31, 0), (10, 250)))[0] == ("B/IN", 0.976, [])
    assert told(two_on_a_loop((31, 31), (5_700, 4_300))) == [("B/IN", 0.57, []), ("C/IN", 0.43, [])]


def test_whose_queue_is_full_because_another_keeps_the_loop_busy_is_not_to_blame() -> None:
    assert told(two_on_a_loop((31, 0), (300, 9_700))) == [("C/IN", 0.97, []), ("B/IN", 0.03, [])]


@pytest.mark.parametrize(
    ("queues", "dropped"),
    [((31, 31), 0), ((3, 0), 0), ((31, 0), 1)],
    ids=["both are full", "a few wait, as they do at times", "a leaky one is full, as it always is"],
)
def test_where_neither_hands_nor_queues_tell_nobody_is_named(queues: tuple[int, int], dropped: int) -> None:
    found = two_on_a_loop(queues, (10, 350), dropped=dropped)
    assert told(found) == [("C/IN", 0.039, []), ("B/IN", 0.001, [])]
    assert found.unattributed_ns == 8_640 * MS
    (gap,) = found.gaps
    assert gap.startswith("Not all of what is done with messages of B/IN, C/IN was seen")


def test_who_works_on_copies_hands_on_no_more_than_it_waited() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"middle": 9_000 * MS}),
        Process("middle").hears("B/IN", ["A/OUT"], 10 * MS).publishes("B/OUT", {"end": 90 * MS}),
        Process("end").hears("C/IN", ["B/OUT"], 9_900 * MS),
    ]
    found = blame(began(*processes), ended(*processes), "A/OUT")
    assert told(found) == [("B/IN", 0.99, []), ("C/IN", 0.01, ["B/IN"])]


def test_a_wait_that_has_not_ended_is_for_those_who_hold_the_buffers() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"slow": 0, "quick": 0}, more_ns=10 * SECOND),
        Process("slow").hears("B/IN", ["A/OUT"]),
        Process("quick").hears("C/IN", ["A/OUT"]),
    ]
    before, after = began(*processes), ended(*processes)
    waiting = after[0].publishers[endpoint("A/OUT")]
    waiting.inflight_messages_current, waiting.waiting_now, waiting.waiting_ns_now = 32, 1, 10 * SECOND
    waiting.channels[0].inflight_messages_current = 32
    found = blame(before, after, "A/OUT")
    assert (told(found), found.unattributed_ns) == ([("B/IN", 1.0, [])], 0)


def test_who_holds_the_buffers_at_the_end_is_not_to_blame_for_who_has_left() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"slow": 0, "quick": 0}, more_ns=9 * SECOND),
        Process("slow").hears("B/IN", ["A/OUT"]),
        Process("quick").hears("C/IN", ["A/OUT"], MS, messages=500),
    ]
    before, after = began(*processes), ended(*processes)
    start, end = (each[0].publishers[endpoint("A/OUT")] for each in (before, after))
    start.channels = [replace(channel) for channel in end.channels]
    end.inflight_messages_current, end.waiting_now, end.waiting_ns_now = 32, 1, 2 * MS
    (end.channels[1]).inflight_messages_current = 32
    del end.channels[0]
    found = blame(before, after, "A/OUT")
    assert [(culprit.topic, culprit.waited_ns) for culprit in found.culprits] == [("C/IN", 2 * MS)]
    assert found.unattributed_ns == 9 * SECOND - 2 * MS
    (gap,) = found.gaps
    assert re.fullmatch(r"The channel of A/OUT:\S+ in .* pid 106 on lab to B/IN was gone at the end\.", gap)


def test_what_of_a_wait_was_before_the_window_is_nobodys() -> None:
    processes = [
        Process("source").publishes("A/OUT", {"one": 9 * SECOND, "two": 3 * SECOND}, more_ns=-4 * SECOND),
        Process("one").hears("B/IN", ["A/OUT"]),
        Process("two").hears("C/IN", ["A/OUT"]),
    ]
    found = blame(began(*processes), ended(*processes), "A/OUT")
    assert [culprit.waited_ns for culprit in found.culprits] == [6 * SECOND, 2 * SECOND]
    assert (found.share, found.unattributed_ns) == (0.8, 0)


def test_nobody_publishes() -> None:
    processes = slow_and_quick()
    with pytest.raises(NobodyPublishes, match=r"publisher on 'S/B/OUT'\. Those that have one: S/A/OUT\."):
        blame(began(*processes), ended(*processes), "S/B/OUT")
    with pytest.raises(NobodyPublishes, match="Nor has any other topic"):
        blame([], [], "A")


def published(snapshot: ProcessProfilingSnapshot, topic: str) -> PublisherProfileSnapshot:
    return snapshot.publishers[endpoint(topic)]


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        ("ends", "pid 1 on lab was not there at the end"),
        ("begins", "pid 1 on lab was not there at the beginning"),
        ("restarts", "pid 7 on lab is not the one"),
        ("is reset", "counters of S/A/OUT:.* were reset"),
        ("reopens a channel", "A channel of S/A/OUT:.* was opened anew"),
        ("closes", "S/A/OUT:.* was gone at the end"),
    ],
)
def test_what_came_or_went_is_a_gap_and_no_number(happens: str, said: str) -> None:
    processes = slow_and_quick()
    before, after = began(*processes), ended(*processes)
    match happens:
        case "ends":
            del after[0]
        case "begins":
            del before[0]
        case "restarts":
            after[0] = replace(after[0], pid=7)
        case "is reset":
            published(before[0], "S/A/OUT").backpressure_wait_ns_total = 500 * MS
        case "reopens a channel":
            published(before[0], "S/A/OUT").channels = published(after[0], "S/A/OUT").channels
            published(after[0], "S/A/OUT").channels = [
                replace(channel, waited_ns_total=0) for channel in published(after[0], "S/A/OUT").channels
            ]
        case "closes":
            del after[0].publishers[endpoint("S/A/OUT")]
    found = blame(before, after, "S/A/OUT")
    (gap,) = found.gaps
    assert re.search(said, gap)
    assert found.culprits == []
    assert found.waited_ns == found.unattributed_ns


# --- whatever was counted ----------------------------------------------------------------------------------

TOPICS = [f"{unit}/{stream}" for unit in "ABCD" for stream in ("OUT", "IN")]
COUNTS = st.integers(0, 3) | st.integers(0, 10 * SECOND)


@st.composite
def graphs(draw: st.DrawFn) -> list[Process]:
    """Units in processes, each hearing some others, also in circles, with any counters."""
    names = ["one", "two", "three"]
    processes = [Process(name, pid=number) for number, name in enumerate(names, 1)]
    for unit in "ABCD":
        process = draw(st.sampled_from(processes))
        heard = draw(st.lists(st.sampled_from(["A/OUT", "B/OUT", "C/OUT", "D/OUT"]), max_size=3))
        tasks = draw(st.dictionaries(st.sampled_from(["work", "show"]), COUNTS, max_size=2))
        process.hears(f"{unit}/IN", heard, draw(COUNTS), tasks, draw(st.integers(0, 5)))
        for subscriber in process.subscribers.values():
            subscriber.queued_messages_current = draw(st.sampled_from([0, 1, 31]))
            subscriber.messages_dropped_total = draw(st.sampled_from([0, 0, 1]))
        waited = draw(st.dictionaries(st.sampled_from([*names, "nowhere"]), COUNTS, max_size=3))
        process.publishes(f"{unit}/OUT", waited, draw(st.integers(0, 5)), draw(COUNTS))
        for publisher in process.publishers.values():
            publisher.inflight_messages_current = draw(st.sampled_from([0, 32]))
            publisher.waiting_ns_now = draw(COUNTS)
            publisher.backpressure_wait_ns_total = draw(st.just(publisher.backpressure_wait_ns_total) | COUNTS)
            for channel in publisher.channels:
                channel.inflight_messages_current = draw(st.integers(0, 2))
    return processes


@st.composite
def pairs(draw: st.DrawFn) -> tuple[list[ProcessProfilingSnapshot], list[ProcessProfilingSnapshot]]:
    """Two moments of a graph; mostly the first is before the second, and sometimes anything has happened."""
    processes = draw(graphs())
    after = ended(*processes)
    before: list[Any] = began(*processes)
    if draw(st.booleans()):
        before = ended(*draw(graphs()))
        for snapshot in before:
            snapshot.timestamp -= draw(st.sampled_from([10, -10, 0])) * SECOND
    for each in (before, after):
        if draw(st.integers(0, 5)) == 0:
            del each[draw(st.integers(0, len(each) - 1))]
    return before, after


@given(pairs(), st.randoms(use_true_random=False))
def test_all_shares_are_the_wait_and_the_order_of_processes_is_nothing(
    pair: tuple[list[ProcessProfilingSnapshot], list[ProcessProfilingSnapshot]], order: random.Random
) -> None:
    before, after = pair
    for topic in ("A/OUT", "B/OUT"):
        try:
            found = blame(before, after, topic)
        except NobodyPublishes:
            continue
        given_ns = [culprit.waited_ns for culprit in found.culprits]
        assert sum(given_ns) + found.unattributed_ns == found.waited_ns
        assert all(each > 0 for each in given_ns)
        assert given_ns == sorted(given_ns, reverse=True)
        assert found.unattributed_ns >= 0
        assert 0 <= found.share <= 1
        for culprit in found.culprits:
            assert 0 < culprit.share <= 1
            assert culprit.busy_share >= 0
            assert sum(task.waited_ns for task in culprit.tasks) in (culprit.waited_ns, 0)
            assert all(task.waited_ns >= 0 for task in culprit.tasks)
        shuffled = [list(before), list(after)]
        for each in shuffled:
            order.shuffle(each)
        assert blame(*shuffled, topic) == found
        missing = {each.process_id for each in before} ^ {each.process_id for each in after}
        assert len(found.gaps) >= len(missing)
