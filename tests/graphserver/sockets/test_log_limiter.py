"""A flood of lines of one kind is held back, and what was held back is counted."""

from ezmsg.graphserver.sockets.log_limiter import BURST, MAX_LENGTH, WINDOW_S, LogLimiter, one_line


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
