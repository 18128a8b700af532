"""Claims of subscribers that come back, and publishers that are away, against a plain model."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.deciding.state.returning import Returning
from ezmsg.protocol.messages.endpoints import Contact, DeclarePublisher

IDS = [UUID(int=number) for number in range(4)]
SOME = st.sets(st.sampled_from(IDS), max_size=3)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("claim"), st.sampled_from(IDS), SOME),
        st.tuples(st.just("keep"), st.sampled_from(IDS), SOME),
        st.tuples(st.just("hold"), st.sampled_from(IDS), SOME),
        st.tuples(st.just("let go"), st.sampled_from(IDS), SOME),
        st.tuples(st.just("back"), st.sampled_from(IDS), st.booleans()),
        st.tuples(st.just("time"), st.integers(0, 4), st.none()),
    )
)


@given(STEPS)
def test_a_claim_lasts_as_long_as_it_was_given(steps: list[tuple[str, object, set[UUID]]]) -> None:
    returning = Returning()
    model: dict[UUID, tuple[set[UUID], float]] = {}
    away: dict[UUID, tuple[set[UUID], float]] = {}
    now = 0.0
    for act, what, publishers in steps:
        if act == "claim":
            returning.claim(what, publishers, now + 3)
            model[what] = model.get(what, (set(), 0.0))[0] | publishers, now + 3
        elif act == "keep":
            assert returning.keep(what, publishers) == (what in model)
            if what in model:
                model[what][0].update(publishers)
        elif act == "hold":
            returning.hold(declared(what), publishers, now + 3)
            away[what] = away.get(what, (set(), 0.0))[0] | publishers, now + 3
        elif act == "let go":
            returning.let_go(what, publishers)
            for publisher in publishers & away.keys():
                away[publisher][0].discard(what)
        elif act == "back":
            assert returning.stale(declared(what)) == set()
            if publishers:  # not as it was
                assert returning.stale(declared(what, b"other")) == away.pop(what, (set(), 0.0))[0]
        else:
            now += what
            ended = {key: set(claimed) for key, (claimed, deadline) in model.items() if deadline <= now}
            model = {key: entry for key, entry in model.items() if key not in ended}
            gone = {key: kept for key, (kept, deadline) in away.items() if deadline <= now}
            away = {key: entry for key, entry in away.items() if key not in gone}
            for publisher, subscribers in gone.items():
                for subscriber in subscribers:
                    ended.setdefault(subscriber, set()).add(publisher)
            assert returning.expire(now) == ended
        returning.validate()
        deadlines = [deadline for _, deadline in (*model.values(), *away.values())]
        assert returning.next_deadline() == min(deadlines, default=None)


def declared(publisher: UUID, secret: bytes = b"") -> DeclarePublisher:
    return DeclarePublisher(publisher, "T", Contact(UUID(int=9), None, "127.0.0.1", 1), secret)
