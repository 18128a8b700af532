"""Who must be told when a session or client is gone for which processes may trace."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.deciding.state.profiles import Profiles

ids = st.integers(1, 4).map(lambda number: UUID(int=number))
steps = st.one_of(
    st.tuples(st.just("traced"), ids, ids),
    st.tuples(st.just("origin"), ids, ids),
    st.tuples(st.just("process"), ids, ids),
)


@given(st.lists(steps, max_size=40))
def test_each_process_hears_once_of_each_origin_that_it_may_trace_for(said: list[tuple[str, UUID, UUID]]) -> None:
    profiles = Profiles()
    model: set[tuple[UUID, UUID]] = set()
    for kind, origin, process in said:
        match kind:
            case "traced":
                profiles.traced(origin, process)
                model.add((origin, process))
            case "origin":
                told = sorted(each for whom, each in model if whom == origin)
                assert profiles.origin_gone(origin) == told
                model = {(whom, each) for whom, each in model if whom != origin}
            case "process":
                profiles.process_gone(process)
                model = {(whom, each) for whom, each in model if each != process}
        profiles.validate()
        assert (origin in profiles) == any(whom == origin for whom, _ in model)
    for origin in [UUID(int=number) for number in range(1, 5)]:
        assert profiles.origin_gone(origin) == sorted(each for whom, each in model if whom == origin)
    profiles.validate()
