"""A flood of lines of one kind is held back, and what was held back is counted."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.sockets.log_limiter import (
    BURST,
    LINES_A_MINUTE,
    MAX_LENGTH,
    MINUTE_S,
    MOST_PEERS,
    OTHER_ADDRESSES,
    WINDOW_S,
    AddressLimiter,
    LogLimiter,
    Repetitions,
    one_line,
)


def test_a_flood_is_held_back_and_counted() -> None:
    limiter = LogLimiter()
    decisions = [limiter.admit("EZ-1", 0.001 * number) for number in range(100)]
    assert decisions == [0] * BURST + [None] * (100 - BURST)
    assert limiter.admit("EZ-1", WINDOW_S) == 100 - BURST
    assert limiter.admit("EZ-1", WINDOW_S) == 0


def test_kinds_do_not_hold_back_each_other() -> None:
    limiter = LogLimiter()
    for _ in range(100):
        limiter.admit("EZ-1", 0.0)
    assert limiter.admit("EZ-2", 0.0) == 0


def test_a_line_is_one_line() -> None:
    assert one_line("a\nb\x1b[31m") == "a?b?[31m"
    assert len(one_line("x" * 100_000)) == MAX_LENGTH + 4


def test_who_comes_again_and_again_is_told_ever_more_rarely() -> None:
    repetitions = Repetitions()
    told = [second for second in range(4000) if repetitions.admit("a", second) is not None]
    assert told == [0, 10, 30, 70, 150, 310, 630, 1230, 1830, 2430, 3030, 3630]
    assert repetitions.admit("b", 4000) == 0, "another one is told at once"


def test_what_was_not_told_is_counted() -> None:
    repetitions = Repetitions()
    assert [repetitions.admit("a", second) for second in (0, 3, 6, 10, 12, 29, 30)] == [
        0,
        None,
        None,
        2,
        None,
        None,
        2,
    ]


def test_who_was_away_begins_anew() -> None:
    repetitions = Repetitions()
    assert [repetitions.admit("a", second) for second in (0, 10, 30, 200, 205, 210)] == [0, 0, 0, 0, None, 1]


def test_a_crowd_is_forgotten() -> None:
    repetitions = Repetitions()
    for number in range(10 * MOST_PEERS):
        assert repetitions.admit(str(number), 0.0) == 0
    assert len(repetitions._quiet) == MOST_PEERS


@given(st.lists(st.floats(0.0, 2.0), max_size=300))
def test_no_minute_has_more_than_ten_lines_of_an_address_and_all_are_accounted_for(pauses: list[float]) -> None:
    limiter, now, told, counted = AddressLimiter(), 0.0, [], 0
    for pause in pauses:
        now += pause
        for address, number in limiter.folded(now):
            assert address == "10.0.0.1"
            told.append(now)
            counted += number
        if limiter.admit("10.0.0.1", now):
            told.append(now)
            counted += 1
    assert counted + sum(number for _, number in limiter.folded(float("inf"))) == len(pauses)
    for first, when in enumerate(told):
        assert bisect_left(told, when + MINUTE_S) - first <= LINES_A_MINUTE


def test_addresses_do_not_hold_back_each_other_and_are_forgotten() -> None:
    limiter = AddressLimiter()
    for _ in range(100):
        limiter.admit("10.0.0.1", 0.0)
    assert limiter.admit("10.0.0.2", 0.0)
    for number in range(10 * MOST_PEERS):
        limiter.admit(f"host {number}", 0.0)
    assert len(limiter._addresses) == MOST_PEERS + 1
    folded = dict(limiter.folded(MINUTE_S))
    assert folded["10.0.0.1"] == 100 - (LINES_A_MINUTE - 1)
    assert folded[OTHER_ADDRESSES] > 1000
    assert not limiter._addresses
