"""Records come out as they went in, however the stream is cut; what is no record ends it."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.transports.records import (
    CONTROL,
    CONTROL_LIMIT,
    DATA,
    LIST_SLOTS,
    NOTICE,
    NOTICES,
    RECORD_BYTES,
    RELEASE,
    RELEASES,
    RecordError,
    RecordReader,
    pack,
    pack_slots,
    slots_in,
)

LIMIT = 300_000
U32 = st.integers(0, 2**32 - 1)
BODIES = st.binary(max_size=100) | st.integers(0, LIMIT).map(lambda size: random.Random(size).randbytes(size))


@st.composite
def records(draw: st.DrawFn) -> tuple[int, int, int, int, int, int, bytes]:
    kind = draw(st.sampled_from([CONTROL, NOTICE, DATA, RELEASE, NOTICES, RELEASES]))
    channel, segment, slot = draw(U32), draw(U32), draw(U32)
    message = draw(st.integers(0, 2**64 - 1))
    has_body = kind not in (NOTICE, RELEASE)
    body = draw(BODIES) if has_body else b""
    body = body if kind == DATA else body[:CONTROL_LIMIT]
    size = len(body) if has_body else draw(st.integers(0, 2**64 - 1))
    return kind, channel, message, segment, slot, size, body


def feed(reader: RecordReader, stream: bytes, sizes: Any) -> None:
    """Give a reader a stream in pieces, each as large as wanted and as it offers to take."""
    stream_view, position = memoryview(stream), 0
    while position < len(stream):
        room = reader.get_buffer()
        assert len(room) > 0
        size = min(len(room), next(sizes), len(stream) - position)
        room[:size] = stream_view[position : position + size]
        position += size
        reader.buffer_updated(size)


@given(st.lists(records(), max_size=12), st.data())
def test_any_records_under_any_cutting(expected: list[Any], data: st.DataObject) -> None:
    stream = b"".join(pack(*record[:6]) + record[6] for record in expected)
    largest = data.draw(
        st.sampled_from([1, 31, 33, 100, 5000, 65536, 10**6] if len(stream) < 2000 else [7000, 10**6])
    )
    seed = random.Random(data.draw(st.integers(0, 100)))
    seen: list[Any] = []
    feed(
        RecordReader(lambda *record: seen.append((*record[:6], bytes(record[6]))), LIMIT),
        stream,
        iter(lambda: seed.randint(1, largest), None),
    )
    assert seen == expected


@given(st.lists(records(), min_size=1, max_size=5))
def test_what_was_received_does_not_change_later(expected: list[Any]) -> None:
    seen: list[Any] = []
    reader = RecordReader(lambda *record: seen.append(record), LIMIT)
    stream = b"".join(pack(*record[:6]) + record[6] for record in expected)
    feed(reader, stream + stream, iter(lambda: 70_000, None))
    assert [bytes(record[6]) for record in seen] == [record[6] for record in expected] * 2


@pytest.mark.parametrize("kind", [0, 7, 77, 255])
def test_an_unknown_kind_ends_it(kind: int) -> None:
    seen: list[Any] = []
    reader = RecordReader(lambda *record: seen.append(record[0]), LIMIT)
    with pytest.raises(RecordError, match=f"kind {kind}"):
        feed(reader, pack(RELEASE, 1) + pack(kind, 1), iter(lambda: 64, None))
    assert seen == [RELEASE]


@pytest.mark.parametrize(
    ("kind", "size"),
    [(CONTROL, CONTROL_LIMIT + 1), (CONTROL, 2**64 - 1), (DATA, 1), (DATA, 2**40), (DATA, 2**64 - 1)],
)
def test_a_body_beyond_the_limit_takes_no_memory(kind: int, size: int) -> None:
    reader = RecordReader(lambda *_: None)
    with pytest.raises(RecordError, match=str(size)):
        feed(reader, pack(kind, 1, size=size), iter(lambda: RECORD_BYTES, None))
    assert len(reader.get_buffer()) <= 64 * 1024


@pytest.mark.parametrize("kind", [CONTROL, DATA])
def test_the_largest_body(kind: int) -> None:
    limit = CONTROL_LIMIT if kind == CONTROL else LIMIT
    body = bytes(range(256)) * (limit // 256) + bytes(limit % 256)
    seen: list[Any] = []
    reader = RecordReader(lambda *record: seen.append(bytes(record[6])), LIMIT)
    feed(reader, pack(kind, 1, size=limit) + body + pack(RELEASE, 1), iter(lambda: 10_000, None))
    assert seen == [body, b""]


@given(st.binary(max_size=500))
def test_nonsense_is_refused_or_understood(stream: bytes) -> None:
    reader = RecordReader(lambda *_: None)
    try:
        feed(reader, stream, iter(lambda: 500, None))
    except RecordError as error:
        assert str(error)  # noqa: PT017  no error is fine, too


@given(st.lists(st.integers(0, 2**16 - 1), min_size=1, max_size=300))
def test_slots_that_are_listed_are_read_again(slots: list[int]) -> None:
    assert list(slots_in(pack_slots(slots))) == slots


@pytest.mark.parametrize("body", [b"", b"\1", b"\1\0\2"])
def test_a_list_without_slots_or_with_half_of_one_is_refused(body: bytes) -> None:
    with pytest.raises(RecordError, match="lists no slots"):
        slots_in(body)


@pytest.mark.parametrize("kind", [NOTICES, RELEASES])
def test_a_list_that_is_longer_than_there_are_slots_ends_it(kind: int) -> None:
    reader = RecordReader(lambda *record: None, LIMIT)
    with pytest.raises(RecordError, match="larger than"):
        feed(reader, pack(kind, 1, size=2 * LIST_SLOTS + 1), iter(lambda: 64, None))
