"""A flood of lines of one kind is held back, and what was held back is counted."""

from ezmsg.graphserver.sockets.log_limiter import (
    BURST,
    MAX_LENGTH,
    MOST_PEERS,
    WINDOW_S,
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
