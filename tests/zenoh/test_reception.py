"""Whatever the network loses, repeats or shuffles: each message is delivered once, in order, and let go of once."""

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.zenoh.channels.messages import Held
from ezmsg.zenoh.channels.reception import Reception, released

WINDOW = 4
STEPS = ["send", "arrive", "lose", "twice", "free", "say", "hear"]


@given(st.data(), st.integers(0, 2**40), st.integers(1, 30))
def test_everything_is_delivered_once_in_order(data: st.DataObject, first: int, count: int) -> None:
    """A publisher with a window, a network that does what it likes, and a subscriber that lets go when it likes."""
    reception: Reception[int] = Reception(first, WINDOW)
    free = list(range(WINDOW))
    under_way: dict[int, int] = {}  # by number
    network: list[int] = []
    states: list[Held] = []
    delivered: list[int] = []
    in_hand: list[int] = []
    sent = first
    steps = 0
    while len(delivered) < count or under_way:
        steps += 1
        calm = steps > 300  # from here on nothing is lost any more
        step = "all" if calm else data.draw(st.sampled_from(STEPS))
        if step in ("send", "all") and free and sent < first + count:
            under_way[sent] = free.pop()
            network.append(sent)
            sent += 1
        if network and step in ("arrive", "lose", "twice", "all"):
            index = 0 if calm else data.draw(st.integers(0, len(network) - 1))
            number = network[index] if step == "twice" else network.pop(index)
            if step != "lose":
                due = reception.take(number, number)
                delivered += due
                in_hand += due
        if in_hand and step in ("free", "all"):
            reception.release(in_hand.pop(0 if calm else data.draw(st.integers(0, len(in_hand) - 1))))
        if step in ("say", "all"):
            reception.hear(sent)
            states.append(reception.state())
        if states and step in ("hear", "all"):
            held = states[-1] if calm else data.draw(st.sampled_from(states))  # old ones may come late, and again
            tokens = released(held, under_way.items())
            for number in [number for number, token in under_way.items() if token in tokens]:
                assert number in delivered
                assert number not in in_hand
                free.append(under_way.pop(number))
            again = [number for number in held.missing if number in under_way]
            network += [number for number in again if not (calm and number in network)]
        assert delivered == list(range(first, first + len(delivered)))
        assert len(set(free)) == len(free)
        assert steps < 2000
    assert delivered == list(range(first, first + count))


def test_what_is_missing_is_asked_for_once_until_it_is_surely_lost() -> None:
    reception: Reception[str] = Reception(10, WINDOW)
    assert reception.take(12, "c") == []
    assert reception.state().missing == [10, 11]
    assert reception.take(13, "d") == []
    assert reception.state().missing == []  # it is under way
    reception.hear(14)
    assert reception.state().missing == [10, 11]
    assert reception.take(11, "b") == []
    assert reception.take(10, "a") == ["a", "b", "c", "d"]
    assert reception.state() == Held(14, [10, 11, 12, 13], [])


def test_what_no_window_holds_is_not_kept() -> None:
    reception: Reception[str] = Reception(0, WINDOW)
    assert reception.take(WINDOW, "too early") == []
    assert reception.take(2**60, "from somebody else") == []
    assert reception.missing() == list(range(WINDOW))
    assert len(reception.missing()) == WINDOW
