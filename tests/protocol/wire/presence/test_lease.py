"""The lease: a pure machine, from a clock and signs of life to what a peer is."""

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.model.snapshot import ProcessState
from ezmsg.protocol.wire.presence.lease import BEATS, LEASE_S, Lease

STEPS = st.lists(
    st.tuples(st.sampled_from(["beat", "blocked", "heard", "nothing"]), st.floats(0.0, 2 * LEASE_S), st.booleans()),
    max_size=60,
)


@given(STEPS, st.floats(0.0, 0.5))
def test_it_is_what_the_last_sign_of_life_makes_it(steps: list[tuple[str, float, bool]], margin_s: float) -> None:
    lease = Lease(margin_s=margin_s)
    now_s, heard_s, blocked = 0.0, None, False
    for kind, seconds, answers in steps:
        now_s += seconds
        if kind in ("beat", "blocked"):
            blocked = kind == "blocked"
            lease.beaten(now_s, LEASE_S if blocked else 0.1)
            heard_s = now_s
        elif kind == "heard":
            lease.heard(now_s)
            heard_s = None if heard_s is None else now_s
        state = lease.judge(now_s, host_answers=answers)
        silent_s = 0.0 if heard_s is None else now_s - heard_s
        assert lease.silent_s(now_s) == silent_s
        if silent_s < LEASE_S - margin_s:
            assert state is (ProcessState.STALLED if blocked else ProcessState.ALIVE)
        else:
            assert state is (ProcessState.UNRESPONSIVE if answers else ProcessState.DEAD)


@given(st.floats(0.0, 1e6))
def test_who_never_beats_is_never_judged(now_s: float) -> None:
    lease = Lease()
    lease.heard(0.0)
    assert lease.judge(now_s, host_answers=False) is ProcessState.ALIVE
    assert not lease.wants_word(now_s)


def test_a_word_is_said_before_it_is_over_and_there_are_four_beats_in_it() -> None:
    lease = Lease()
    lease.beaten(0.0)
    assert lease.interval_s * BEATS == lease.lease_s
    assert not lease.wants_word(lease.interval_s)
    assert lease.wants_word(lease.lease_s / 2)
    assert not lease.is_over(lease.lease_s / 2)


@given(st.floats(allow_nan=False))
def test_a_length_is_taken_within_reason(seconds: float) -> None:
    lease = Lease()
    lease.agree(seconds)
    assert 0.1 <= lease.lease_s <= 3600.0
