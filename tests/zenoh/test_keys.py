"""Keys: any topic has one, no two have the same, and none means anything to Zenoh but itself."""

from uuid import UUID

import zenoh
from hypothesis import example, given
from hypothesis import strategies as st

from ezmsg.zenoh.keys import Keys, channel_of, chunk, client_of, new_channel, publisher_keys

ID = UUID(int=7)
TOPICS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)


@given(TOPICS)
@example("A/B/C")
@example("//")
@example("**")
@example("$*")
@example("@admin")
@example("*/?#$%")
@example("é/\U0001f9e0")
@example(".")
@example("..")
def test_any_topic_has_a_key_that_zenoh_takes_as_it_is(topic: str) -> None:
    keys = publisher_keys("lab", topic, ID)
    for key in (keys.data, keys.alive, keys.inward("c"), keys.outward("c"), keys.token("c")):
        assert str(zenoh.KeyExpr(key)) == key
        assert not zenoh.KeyExpr("ezmsg/other/**").intersects(zenoh.KeyExpr(key))
        assert zenoh.KeyExpr("ezmsg/lab/**").includes(zenoh.KeyExpr(key))
    assert zenoh.KeyExpr(keys.inward("*")).includes(zenoh.KeyExpr(keys.inward("c")))


@given(TOPICS, TOPICS)
@example("a/b", "a%2Fb")
@example("a//b", "a/%/b")
def test_no_two_topics_share_a_key(one: str, other: str) -> None:
    assert (publisher_keys("lab", one, ID) == publisher_keys("lab", other, ID)) == (one == other)


@given(TOPICS)
def test_a_graph_is_one_step(graph: str) -> None:
    assert "/" not in chunk(graph)
    assert publisher_keys(graph, "A", ID).base.count("/") == 3


def test_a_channel_is_found_at_the_end() -> None:
    assert channel_of(Keys("ezmsg/lab/A/7").inward("c0ffee")) == "c0ffee"


@given(st.uuids(), st.text(max_size=70))
def test_a_channel_tells_whose_it_is(client_id: UUID, other: str) -> None:
    channel = new_channel(client_id)
    assert client_of(channel) == client_id
    assert channel != new_channel(client_id)
    assert client_of(other) is None or len(other) == 64
