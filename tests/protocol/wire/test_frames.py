"""Frames: whatever the chunks, the bodies that come out are the bodies that went in."""

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.errors import FrameTooLarge, MalformedFrame
from ezmsg.protocol.wire.frames import FRAME_LIMIT, HANDSHAKE_LIMIT, FrameParser, frame

BODIES = st.lists(st.binary(max_size=60), max_size=6)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut data into chunks, some of which may be empty."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def drain(parser: FrameParser) -> list[bytes]:
    """Take every whole body."""
    return list(iter(parser.next_body, None))


@given(bodies=BODIES, places=st.lists(st.integers(0, 1000), max_size=12))
def test_bodies_survive_any_chunking(bodies: list[bytes], places: list[int]) -> None:
    parser = FrameParser()
    received = []
    for chunk in cut(b"".join(map(frame, bodies)), places):
        parser.feed(chunk)
        received += drain(parser)
    assert received == bodies
    assert parser.pending == 0


@given(bodies=BODIES)
def test_bodies_survive_byte_by_byte_and_in_views(bodies: list[bytes]) -> None:
    parser = FrameParser()
    received = []
    stream = memoryview(b"".join(map(frame, bodies)))
    for place in range(len(stream)):
        parser.feed(stream[place : place + 1])
        received += drain(parser)
    assert received == bodies


@given(bodies=BODIES, body=st.binary(min_size=1, max_size=60), data=st.data())
def test_an_unfinished_frame_gives_nothing_and_stays_pending(
    bodies: list[bytes], body: bytes, data: st.DataObject
) -> None:
    last = frame(body)
    kept = data.draw(st.integers(1, len(last) - 1))
    parser = FrameParser()
    parser.feed(b"".join(map(frame, bodies)) + last[:kept])
    assert drain(parser) == bodies
    assert parser.pending == kept
    parser.feed(last[kept:])
    assert drain(parser) == [body]


@given(limit=st.integers(0, 50), size=st.integers(0, 100))
def test_the_limit_is_the_largest_body_on_both_sides(limit: int, size: int) -> None:
    parser = FrameParser(limit)
    parser.feed(frame(bytes(size)))
    if size <= limit:
        assert frame(bytes(size), limit) == frame(bytes(size))
        assert drain(parser) == [bytes(size)]
        return
    with pytest.raises(FrameTooLarge) as refused:
        frame(bytes(size), limit)
    assert refused.value.fields() == {"size": size, "limit": limit}
    with pytest.raises(FrameTooLarge) as refused:
        parser.next_body()
    assert refused.value.fields() == {"size": size, "limit": limit}


def test_frames_before_an_oversize_one_are_delivered() -> None:
    parser = FrameParser(4)
    parser.feed(frame(b"one") + frame(b"two") + frame(b"three"))
    assert parser.next_body() == b"one"
    assert parser.next_body() == b"two"
    with pytest.raises(FrameTooLarge):
        parser.next_body()


def test_an_oversize_frame_is_refused_by_its_length_alone() -> None:
    parser = FrameParser()
    parser.feed(struct.pack("<I", HANDSHAKE_LIMIT + 1))
    with pytest.raises(FrameTooLarge):
        parser.next_body()


def test_memory_is_taken_as_bytes_arrive_and_not_from_the_length() -> None:
    parser = FrameParser(FRAME_LIMIT)
    tracemalloc.start()
    try:
        parser.feed(struct.pack("<I", FRAME_LIMIT) + b"some")
        assert parser.next_body() is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_a_raised_limit_counts_for_the_next_frame() -> None:
    parser = FrameParser(3)
    parser.feed(frame(b"one") + frame(b"three"))
    assert parser.next_body() == b"one"
    parser.limit = 5
    assert parser.next_body() == b"three"


def test_the_length_is_little_endian() -> None:
    assert frame(b"abc") == b"\x03\x00\x00\x00abc"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", b"<!DOCTYPE HTML>\n", b"<html>"])
def test_an_answer_of_http_is_called_one(answer: bytes) -> None:
    parser = FrameParser()
    parser.feed(answer)
    with pytest.raises(MalformedFrame, match="it answers in HTTP"):
        parser.next_body()
