"""Claims of subscribers that come back, against a plain model."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.state.returning import Returning

IDS = [UUID(int=number) for number in range(4)]
SOME = st.sets(st.sampled_from(IDS), max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.sampled_from(IDS), SOME),
        st.tuples(st.just("keep"), st.sampled_from(IDS), SOME),
        st.tuples(st.just("time"), st.integers(0, 4), st.none()),
    )
)


@given(STEPS)
def test_a_claim_lasts_as_long_as_it_was_given(steps: list[tuple[str, object, set[UUID]]]) -> None:
    returning = Returning()
    model: dict[UUID, tuple[set[UUID], float]] = {}
    now = 0.0
    for act, what, publishers in steps:
        if act == "claim":
            returning.claim(what, publishers, now + 3)
            model[what] = model.get(what, (set(), 0.0))[0] | publishers, now + 3
        elif act == "keep":
            assert returning.keep(what, publishers) == (what in model)
            if what in model:
                model[what][0].update(publishers)
        else:
            now += what
            ended = {key: claimed for key, (claimed, deadline) in model.items() if deadline <= now}
            assert returning.expire(now) == ended
            model = {key: entry for key, entry in model.items() if key not in ended}
        returning.validate()
        assert returning.next_deadline() == min((deadline for _, deadline in model.values()), default=None)
