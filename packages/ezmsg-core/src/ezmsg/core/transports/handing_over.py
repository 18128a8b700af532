"""Handing a segment's file descriptor to another process, over a raw Unix socket made for it alone.

The transports of asyncio and uvloop drop descriptors. A hand-over takes no answer: connecting and sending both end
in the kernel, so a segment can still be taken after its publisher was killed, and it is always there before the
first notice about it.
"""

import errno
import hmac
import os
import socket
import struct
import uuid
from collections.abc import Iterator
from itertools import chain

from ezmsg.core.transports.listening import same_user, segment_name
from ezmsg.core.transports.segments import Segment, SegmentForm
from ezmsg.protocol.declared import declared

_HEAD = struct.Struct("<16sIIQ")
_PROOF_BYTES = 32
_NOT_NOW = {errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ETOOMANYREFS}

UNFINISHED_LIMIT = 64
"""How many may have connected without having sent a segment; with more, the oldest is closed."""


@declared
class HandedSegment:
    """A segment as it arrives; ``signed`` and ``proof`` show that its publisher sent it.

    ``descriptor`` is -1 if this process has none left to take it.
    """

    publisher_id: uuid.UUID
    number: int
    form: SegmentForm
    descriptor: int
    signed: bytes
    proof: bytes

    def is_from(self, key: bytes) -> bool:
        """Whether it was sent by someone who holds the channel's key."""
        return hmac.compare_digest(_prove(key, self.signed), self.proof)


def hand_over(exchange_id: uuid.UUID, publisher_id: uuid.UUID, key: bytes, segment: Segment) -> bool:
    """Give a segment to an exchange of this host; return whether it took it just now.

    An exchange that is gone counts as having taken it: its link will tell.
    """
    head = _HEAD.pack(publisher_id.bytes, segment.number, segment.form.slots, segment.form.slot_bytes)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            connection.connect("\0" + segment_name(exchange_id))
            socket.send_fds(connection, [head + _prove(key, head)], [segment.descriptor])
    except OSError as error:
        return error.errno not in _NOT_NOW
    return True


class Inbox:
    """Where publishers of this host hand segments over."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.starved = False  # nothing could be accepted for want of file descriptors
        self._unfinished: list[socket.socket] = []

    def take_all(self) -> list[HandedSegment]:
        """Return every segment that was handed over by now, without waiting. The caller closes each descriptor."""
        before, self._unfinished = self._unfinished, []
        segments = []
        for connection in chain(before, self._accepted()):
            try:
                segment = _take(connection)
            except BlockingIOError:  # connected, and has yet to send
                self._unfinished.append(connection)
                if len(self._unfinished) > UNFINISHED_LIMIT:
                    self._unfinished.pop(0).close()
                continue
            connection.close()
            if segment is not None:
                segments.append(segment)
        return segments

    def close(self) -> None:
        """Take no more."""
        for connection in [self.listener, *self._unfinished]:
            connection.close()

    def _accepted(self) -> Iterator[socket.socket]:
        self.starved = False
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError as error:  # nobody else waits, or there is no descriptor left; then it goes on waiting
                self.starved = error.errno in (errno.EMFILE, errno.ENFILE)
                return
            connection.setblocking(False)
            yield connection


def _take(connection: socket.socket) -> HandedSegment | None:
    """Read what was sent.

    :raises BlockingIOError: if that is nothing so far.
    """
    try:
        if not same_user(connection):
            return None
        size = _HEAD.size + _PROOF_BYTES
        data, descriptors, _, _ = socket.recv_fds(connection, size, 1)
    except BlockingIOError:
        raise
    except OSError:
        return None
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    if len(descriptors) <= 1 and len(data) == size:
        publisher, number, slots, slot_bytes = _HEAD.unpack_from(data)
        form = SegmentForm(slots, slot_bytes)
        head, proof = data[: _HEAD.size], data[_HEAD.size :]
        descriptor = descriptors[0] if descriptors else -1  # none is left to this process
        return HandedSegment(uuid.UUID(bytes=publisher), number, form, descriptor, head, proof)
    for descriptor in descriptors:
        os.close(descriptor)
    return None


def _prove(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, b"ezmsg segment" + head, "sha256")
