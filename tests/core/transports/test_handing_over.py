"""Segments are taken from whoever proves that it may give them, and from nobody else; nobody makes us wait."""

import gc
import os
import socket
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports import handing_over
from ezmsg.core.transports.handing_over import UNFINISHED_LIMIT, Inbox, hand_over
from ezmsg.core.transports.listening import listen_for_segments, segment_name
from ezmsg.core.transports.segments import Segment, SegmentForm, map_descriptor

pytestmark = pytest.mark.skipif(not PASSES_DESCRIPTORS, reason="descriptors travel over Unix sockets")

EXCHANGE, PUBLISHER, KEY = uuid.uuid4(), uuid.uuid4(), b"k" * 32
FORM = SegmentForm(2, 4096)


def open_descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture(autouse=True)
def _no_descriptor_is_left() -> Iterator[None]:
    before = open_descriptors()
    yield
    assert open_descriptors() == before


@pytest.fixture
def inbox(_no_descriptor_is_left: None) -> Iterator[Inbox]:
    inbox = Inbox(listen_for_segments(EXCHANGE))
    yield inbox
    inbox.close()


@pytest.fixture
def segment(_no_descriptor_is_left: None) -> Iterator[Segment]:
    segment = Segment(7, FORM)
    yield segment
    segment.close()
    segment.memory.release()
    segment._words.release()
    segment._map.close()


def connected() -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.connect("\0" + segment_name(EXCHANGE))
    return connection


def test_a_segment_is_handed_over_with_what_tells_whose_it_is(inbox: Inbox, segment: Segment) -> None:
    assert inbox.take_all() == []
    assert hand_over(EXCHANGE, PUBLISHER, KEY, segment)
    (handed,) = inbox.take_all()
    assert (handed.publisher_id, handed.number, handed.form) == (PUBLISHER, 7, FORM)
    assert handed.is_from(KEY)
    assert not handed.is_from(b"x" * 32)
    assert not handed.is_from(b"")
    assert not os.get_inheritable(handed.descriptor)
    segment.memory[:4] = b"here"
    assert bytes(map_descriptor(handed.descriptor, handed.form)[:4]) == b"here"
    os.close(handed.descriptor)
    assert inbox.take_all() == []


def test_many_at_once_come_in_order(inbox: Inbox, segment: Segment) -> None:
    for number in range(50):
        segment.number = number
        assert hand_over(EXCHANGE, PUBLISHER, KEY, segment)
    handed = inbox.take_all()
    assert [each.number for each in handed] == list(range(50))
    for each in handed:
        os.close(each.descriptor)


def test_it_can_be_taken_when_its_publisher_is_gone(inbox: Inbox, segment: Segment) -> None:
    assert hand_over(EXCHANGE, PUBLISHER, KEY, segment)
    segment.memory[:4] = b"left"
    segment.close()
    (handed,) = inbox.take_all()
    assert bytes(map_descriptor(handed.descriptor, handed.form)[:4]) == b"left"
    os.close(handed.descriptor)


@pytest.mark.parametrize("change", range(0, 64, 3))
def test_a_header_that_was_changed_is_not_the_publishers(inbox: Inbox, segment: Segment, change: int) -> None:
    head = bytearray(handing_over._HEAD.pack(PUBLISHER.bytes, 7, FORM.slots, FORM.slot_bytes))
    sent = head + handing_over._prove(KEY, bytes(head))
    sent[change % len(sent)] ^= 1
    with connected() as connection:
        socket.send_fds(connection, [sent], [segment.descriptor])
    (handed,) = inbox.take_all()
    assert not handed.is_from(KEY)
    os.close(handed.descriptor)


def _silence(_: socket.socket, __: Segment) -> None:
    pass


def _garbage(connection: socket.socket, _: Segment) -> None:
    connection.send(os.urandom(500))


def _a_descriptor_and_nothing_said(connection: socket.socket, segment: Segment) -> None:
    socket.send_fds(connection, [b"x"], [segment.descriptor])


def _many_descriptors(connection: socket.socket, segment: Segment) -> None:
    head = struct.pack("<64x")
    socket.send_fds(connection, [head], [segment.descriptor] * 5)


def _words_without_a_descriptor(connection: socket.socket, _: Segment) -> None:
    head = handing_over._HEAD.pack(PUBLISHER.bytes, 7, FORM.slots, FORM.slot_bytes)
    connection.send(head + handing_over._prove(KEY, head))


STRANGERS = [_silence, _garbage, _a_descriptor_and_nothing_said, _many_descriptors, _words_without_a_descriptor]


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize("stays", [True, False])
def test_strangers_are_in_nobodys_way(inbox: Inbox, segment: Segment, stranger: Any, stays: bool) -> None:
    connections = []
    for _ in range(UNFINISHED_LIMIT + 20):
        connection = connected()
        stranger(connection, segment)
        if stays:
            connections.append(connection)
        else:
            connection.close()
    assert hand_over(EXCHANGE, PUBLISHER, KEY, segment)
    ours = []
    for _ in range(2):
        for handed in inbox.take_all():
            if handed.is_from(KEY) and handed.descriptor >= 0:
                ours.append(handed.number)
            if handed.descriptor >= 0:  # else it came without one, as from a process that has none left
                os.close(handed.descriptor)
    assert ours == [7]
    assert len(inbox._unfinished) <= UNFINISHED_LIMIT
    for connection in connections:
        connection.close()


def test_a_publisher_may_take_its_time_between_connecting_and_sending(inbox: Inbox, segment: Segment) -> None:
    head = handing_over._HEAD.pack(PUBLISHER.bytes, 7, FORM.slots, FORM.slot_bytes)
    with connected() as connection:
        assert inbox.take_all() == []
        socket.send_fds(connection, [head + handing_over._prove(KEY, head)], [segment.descriptor])
        (handed,) = inbox.take_all()
    assert handed.is_from(KEY)
    os.close(handed.descriptor)


def test_a_process_of_another_user_is_not_heard(
    inbox: Inbox, segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handing_over, "same_user", lambda connection: False)
    assert hand_over(EXCHANGE, PUBLISHER, KEY, segment)
    assert inbox.take_all() == []


def test_a_full_queue_asks_for_patience_and_a_gone_process_for_nothing(segment: Segment) -> None:
    other = uuid.uuid4()
    assert hand_over(other, PUBLISHER, KEY, segment)  # nobody is there; the link will tell
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind("\0" + segment_name(other))
        listener.listen(0)
        while hand_over(other, PUBLISHER, KEY, segment):
            pass
        connection, _ = listener.accept()
        connection.close()
        assert hand_over(other, PUBLISHER, KEY, segment)


def test_no_descriptor_left_asks_for_patience(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(handing_over.socket, "socket", none_left)
    assert not hand_over(EXCHANGE, PUBLISHER, KEY, segment)
