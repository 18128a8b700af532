"""The bounded log: whatever a reader missed comes to it as an explicit gap."""

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.deciding.state.event_log import Cursor, EventLog
from ezmsg.graphserver.deciding.state.event_size import event_size
from ezmsg.protocol.messages.events import Gap, TopologyEvent
from ezmsg.protocol.model.topology import TopologyChangedEvent, TopologyEventType


def event(seq: int, *topics: str) -> TopologyEvent:
    kind = TopologyEventType.GRAPH_CHANGED
    return TopologyEvent(TopologyChangedEvent(seq, kind, 0.0, list(topics), None, None))


def fill(log: EventLog, count: int) -> None:
    for _ in range(count):
        log.append(event(log.last_seq + 1))


def drain(cursor: Cursor) -> list[TopologyEvent | Gap]:
    items = []
    while (item := cursor.take()) is not None:
        items.append(item)
    return items


def test_numbers_start_at_one() -> None:
    log = EventLog(10)
    assert (log.first_seq, log.last_seq) == (1, 0)
    fill(log, 1)
    assert drain(Cursor(log, 0)) == [event(1)]


def test_lost_history_is_a_gap_with_both_ends_included() -> None:
    log = EventLog(3)
    fill(log, 10)
    assert drain(Cursor(log, 0)) == [Gap(1, 7), event(8), event(9), event(10)]
    assert drain(Cursor(log, 5)) == [Gap(6, 7), event(8), event(9), event(10)]
    assert drain(Cursor(log, 7)) == [event(8), event(9), event(10)]


def test_large_events_take_the_place_of_many() -> None:
    size = event_size(event(1, "x" * 1000))
    log = EventLog(10, bytes_limit=3 * size)
    for seq in range(1, 6):
        log.append(event(seq, "x" * 1000))
    assert (log.first_seq, log.bytes) == (3, 3 * size)
    log.append(event(6, "x" * 10_000))
    assert drain(Cursor(log, 4)) == [Gap(5, 5), event(6, "x" * 10_000)], "the last one is held at any size"
    log.append(event(7))
    assert drain(Cursor(log, 5)) == [Gap(6, 6), event(7)]


@given(
    st.integers(1, 5),
    st.integers(1, 9).map(lambda events: events * event_size(event(1))),
    st.integers(-2, 4),
    st.lists(st.integers(0, 6), max_size=20),
)
def test_a_reader_sees_every_number_once_in_order(
    limit: int, bytes_limit: int, after_seq: int, steps: list[int]
) -> None:
    log = EventLog(limit, bytes_limit)
    fill(log, 4)
    cursor = Cursor(log, after_seq)
    expected = max(after_seq, 0) + 1
    for step in steps:  # an odd step reads one item, an even one appends that many events
        if step % 2 == 0:
            fill(log, step)
            continue
        match cursor.take():
            case Gap(first=first, last=last):
                assert first == expected <= last
                assert last == log.first_seq - 1
                expected = last + 1
            case TopologyEvent(event=seen):
                assert seen.seq == expected
                expected += 1
            case None:
                assert expected == log.last_seq + 1
