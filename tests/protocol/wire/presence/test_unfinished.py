"""Frames that are not whole: each has its time, and all of them their room."""

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.wire.presence.awake import AwakeClock
from ezmsg.protocol.wire.presence.unfinished import FRAME_TIMEOUT_S, SLOWEST_BYTES_PER_S, Unfinished

STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 40), st.integers(0, 3)), max_size=100
)


@given(STEPS)
def test_what_all_hold_is_what_each_holds_and_who_was_first_goes(steps: list[tuple[int, int, int, int]]) -> None:
    unfinished: Unfinished[int] = Unfinished(50)
    held: dict[int, int] = {}
    began: dict[int, tuple[int, float]] = {}
    now_s = 0.0
    for peer, number, size, seconds in steps:
        now_s += seconds
        unfinished.note(peer, number, size, 100, now_s)
        held.pop(peer, None)
        if size:
            held[peer] = size
        if not size or began.get(peer, (number, 0.0))[0] != number:
            began.pop(peer, None)
        if size:
            began.setdefault(peer, (number, now_s))
        assert unfinished.held == sum(held.values())
        assert len(unfinished) == len(held)
        limit_s = FRAME_TIMEOUT_S + 100 / SLOWEST_BYTES_PER_S
        late = {each for each, (_, began_s) in began.items() if began_s + limit_s <= now_s}
        assert {each for each, _ in unfinished.late(now_s)} == late
        while (oldest := unfinished.excess()) is not None:
            assert sum(held.values()) > 50
            assert oldest == next(iter(began))
            unfinished.forget(oldest)
            del held[oldest], began[oldest]
        assert sum(held.values()) <= 50


def test_a_large_frame_has_more_time() -> None:
    unfinished: Unfinished[str] = Unfinished()
    unfinished.note("peer", 0, 1, 60 * SLOWEST_BYTES_PER_S, 0.0)
    assert not unfinished.late(FRAME_TIMEOUT_S + 59.0)
    assert unfinished.late(FRAME_TIMEOUT_S + 61.0)


@given(st.lists(st.floats(-5, 100), max_size=50))
def test_time_in_which_nobody_looked_does_not_count(steps: list[float]) -> None:
    clock, now_s, awake_s = AwakeClock(7.0, 1.0), 7.0, 0.0
    for step in steps:
        now_s += step
        seen_s = clock.look(now_s)
        assert 0.0 <= seen_s - awake_s <= 1.0 + 1e-9
        if 0.0 <= step <= 1.0:
            assert abs(seen_s - awake_s - step) < 1e-6
        awake_s = seen_s
