"""What is gathered comes out of the reader at the other end as it went in, in fewer records."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.transports.gathering import Gathering
from ezmsg.core.transports.records import NOTICE, NOTICES, RELEASE, RELEASES, RecordReader, slots_in

CHANNELS = st.integers(1, 3)
SLOTS = st.integers(0, 2**16 - 1)
SIZES = st.sampled_from([64, 4096, 2**32 - 1, 2**32, 2**40])
NOTICED = st.tuples(CHANNELS, st.integers(0, 2), st.integers(0, 1), SLOTS, SIZES)
RELEASED = st.tuples(CHANNELS, SLOTS)


def read(stream: bytes) -> tuple[list[tuple[int, int, int, int, int]], dict[int, list[int]], int]:
    """Return the notices, the releases of each channel, and how many records they came in."""
    notices: list[tuple[int, int, int, int, int]] = []
    releases, count = defaultdict(list), 0

    def receive(kind: int, channel: int, message: int, segment: int, slot: int, size: int, body: object) -> None:
        nonlocal count
        count += 1
        assert isinstance(body, bytes | memoryview)
        if kind == NOTICE:
            notices.append((channel, message, segment, slot, size))
        elif kind == NOTICES:
            listed = enumerate(slots_in(body), message)
            notices.extend((channel, number, segment, each, slot) for number, each in listed)
        elif kind == RELEASE:
            releases[channel].append(slot)
        else:
            assert kind == RELEASES
            releases[channel] += slots_in(body)

    reader = RecordReader(receive)
    while stream:
        room = reader.get_buffer()
        piece, stream = stream[: len(room)], stream[len(room) :]
        room[: len(piece)] = piece
        reader.buffer_updated(len(piece))
    return notices, dict(releases), count


@given(st.lists(NOTICED | RELEASED | st.just("write"), max_size=60))
def test_everything_comes_out_in_its_order(steps: list[object]) -> None:
    gathering = Gathering()
    stream = b""
    numbers: defaultdict[int, int] = defaultdict(int)
    notices, releases = [], defaultdict(list)
    for step in steps:
        match step:
            case (channel, skipped, segment, slot, size):
                number = numbers[channel] + skipped  # leaky channels leave numbers out
                numbers[channel] = number + 1
                gathering.notice(channel, number, segment, slot, size)
                notices.append((channel, number, segment, slot, size))
            case (channel, slot):
                gathering.release(channel, slot)
                releases[channel].append(slot)
            case _:
                stream += b"".join(gathering.pieces())
                assert not gathering
    stream += b"".join(gathering.pieces())
    assert read(stream)[:2] == (notices, dict(releases))


def test_a_burst_is_one_record_for_each_channel() -> None:
    gathering = Gathering()
    for number in range(100):
        assert gathering.notice(1, number, 0, number % 8, 64) is (number > 0)
        gathering.release(2, number % 8)
    notices, releases, count = read(b"".join(gathering.pieces()))
    assert count == 2
    assert [number for _, number, *_ in notices] == [*range(100)]
    assert releases[2] == [number % 8 for number in range(100)]


def test_messages_of_four_gigabytes_go_by_themselves() -> None:
    gathering = Gathering()
    for number in range(3):
        gathering.notice(1, number, 0, number, 2**33)
    notices, _, count = read(b"".join(gathering.pieces()))
    assert count == 3
    assert [size for *_, size in notices] == [2**33] * 3


def test_a_list_is_never_longer_than_a_reader_takes() -> None:
    gathering = Gathering()
    for number in range(70_000):
        gathering.notice(1, number, 0, number % 2**16, 64)
        gathering.release(2, number % 2**16)
    notices, releases, count = read(b"".join(gathering.pieces()))
    assert [number for _, number, *_ in notices] == [*range(70_000)]
    assert len(releases[2]) == 70_000
    assert count == 2 * 3
