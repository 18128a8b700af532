"""Strangers: never more than there is room for, and who is alone where it comes from keeps its place."""

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.wire.presence.strangers import Strangers, origin_of

ORIGINS = st.sampled_from(["lab", "desk", "garden"])
STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 30), ORIGINS), max_size=200)


@given(st.integers(1, 6), STEPS)
def test_the_oldest_of_the_largest_crowd_goes(limit: int, steps: list[tuple[bool, int, str]]) -> None:
    strangers: Strangers[int] = Strangers(limit)
    here: dict[int, str] = {}
    for comes, number, origin in steps:
        if not comes:
            assert strangers.leave(number) == (here.pop(number, None) is not None)
        elif number not in here:
            here[number] = origin
            gone = strangers.enter(number, origin)
            assert (gone is not None) == (len(here) > limit)
            if gone is not None:
                crowds = [[each for each in here if here[each] == other] for other in set(here.values())]
                assert gone in [crowd[0] for crowd in crowds if len(crowd) == max(map(len, crowds))]
                del here[gone]
        assert len(strangers) == len(here) <= limit
        assert all(each in strangers for each in here)


@given(st.integers(2, 8), st.integers(0, 100))
def test_however_many_come_from_elsewhere_one_from_here_stays(limit: int, others: int) -> None:
    strangers: Strangers[int] = Strangers(limit)
    strangers.enter(-1, "here")
    for number in range(others):
        strangers.enter(number, "elsewhere")
    assert -1 in strangers


def test_what_is_one_origin() -> None:
    assert origin_of("10.0.0.1") != origin_of("10.0.0.2")
    assert origin_of("::ffff:10.0.0.1") == origin_of("10.0.0.1")
    assert origin_of("2001:db8::1") == origin_of("2001:db8::2") != origin_of("2001:db8:0:1::1")
    assert origin_of("fe80::1%eth0") == origin_of("fe80::2")
    assert origin_of("?") == "?"
