"""Whatever is lost, comes twice or overtakes on the way: the bytes come in order, once, and both ends know it."""

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.zenoh.way.flow import PIECE_BYTES, WINDOW, Flow, Piece

STEPS = ["write", "arrive", "lose", "twice", "tell", "learn", "again"]


@given(st.data(), st.lists(st.integers(0, 3 * PIECE_BYTES), max_size=6), st.booleans())
def test_all_bytes_come_once_and_in_order(data: st.DataObject, sizes: list[int], ends: bool) -> None:
    sender, receiver = Flow(), Flow()
    unwritten = [bytes([number]) * size for number, size in enumerate(sizes, 1)]
    wanted = b"".join(unwritten)
    network: list[Piece] = []
    states: list[int] = []
    came: list[bytes] = []
    written = 0
    for step_number in range(2000):
        calm = step_number > 100
        step = "all" if calm else data.draw(st.sampled_from(STEPS))
        if unwritten and step in ("write", "all"):
            written += len(unwritten[0])
            sender.write(unwritten.pop(0))
            if ends and not unwritten:
                sender.end()
            network += sender.due()
        if network and step in ("arrive", "lose", "twice", "all"):
            index = 0 if calm else data.draw(st.integers(0, len(network) - 1))
            piece = network[index] if step == "twice" else network.pop(index)
            if step != "lose":
                came += receiver.hear(*piece)
        if step in ("tell", "all"):
            states.append(receiver.heard)
        if states and step in ("learn", "all"):
            sender.learn(states[-1] if calm else data.draw(st.sampled_from(states)))
            network += sender.due()
        if step in ("again", "all"):
            network += [piece for piece in sender.again(sender.sent) if not (calm and piece in network)]
        assert wanted.startswith(b"".join(came))
        assert len(sender.again(sender.sent)) <= WINDOW
        assert 0 <= sender.waiting_bytes <= written
        if calm and not unwritten and sender.is_settled:
            break
    assert b"".join(came) == wanted
    assert (came[-1:] == [b""]) == (ends and bool(sizes))
    assert sender.is_settled
    assert sender.waiting_bytes == 0


def test_no_more_waits_to_be_delivered_than_the_window_holds() -> None:
    receiver = Flow()
    for number in range(1, 10 * WINDOW):
        assert receiver.hear(number, b"early") == []
    assert len(receiver.hear(0, b"first")) == WINDOW
