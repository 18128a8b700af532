"""Handing a segment's file descriptor to another process, over a raw Unix socket made for it alone.

The transports of asyncio and uvloop drop descriptors. A hand-over takes no answer: connecting and sending both end
in the kernel, so a segment can still be taken after its publisher was killed, and it is always there before the
first notice about it.
"""

import contextlib
import hmac
import os
import socket
import struct
import uuid
from collections.abc import Iterator

from attrs import frozen

from ezmsg.core.transports.listening import same_user, segment_name
from ezmsg.core.transports.segments import Segment, SegmentForm

_HEAD = struct.Struct("<16sIIQ")
_PROOF_BYTES = 32


@frozen
class HandedSegment:
    """A segment as it arrives; ``signed`` and ``proof`` show that its publisher sent it."""

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
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.setblocking(False)
        try:
            connection.connect("\0" + segment_name(exchange_id))
            socket.send_fds(connection, [head + _prove(key, head)], [segment.descriptor])
        except BlockingIOError:
            return False
        except OSError:
            return True
    return True


def take_all(listener: socket.socket) -> Iterator[HandedSegment]:
    """Yield every segment that was handed over by now. The caller closes each descriptor."""
    while True:
        try:
            connection, _ = listener.accept()
        except (BlockingIOError, InterruptedError):
            return
        with connection:
            segment = _take(connection) if same_user(connection) else None
        if segment is not None:
            yield segment


def _take(connection: socket.socket) -> HandedSegment | None:
    # A publisher sends right after it connects; this bounds what anybody else can make us wait.
    connection.settimeout(0.2)
    with contextlib.suppress(OSError):
        data, descriptors, _, _ = socket.recv_fds(connection, _HEAD.size + _PROOF_BYTES, 1)
        if len(descriptors) == 1 and len(data) == _HEAD.size + _PROOF_BYTES:
            publisher, number, slots, slot_bytes = _HEAD.unpack_from(data)
            form = SegmentForm(slots, slot_bytes)
            head, proof = data[: _HEAD.size], data[_HEAD.size :]
            return HandedSegment(uuid.UUID(bytes=publisher), number, form, descriptors[0], head, proof)
        for descriptor in descriptors:
            os.close(descriptor)
    return None


def _prove(key: bytes, head: bytes) -> bytes:
    return hmac.digest(key, b"ezmsg segment" + head, "sha256")
