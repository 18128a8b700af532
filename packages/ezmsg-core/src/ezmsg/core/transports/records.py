"""What travels on a link or a TCP connection of the data plane: records of 32 bytes, some with a body behind.

============  =======================================================================================
``CONTROL``   a message of :mod:`ezmsg.protocol.messages.channels` in the body
``NOTICE``    a message lies in a slot of shared memory
``DATA``      a message, as a payload in the body
``RELEASE``   every subscriber of a process has let go of a message
``NOTICES``   messages of one size, numbered one after the other, lie in the slots that the body lists
``RELEASES``  the same as many RELEASE records, for the slots that the body lists
============  =======================================================================================

Bytes in, records out; no meaning here. The reader offers the memory to read into, so that a large body is received
straight to where it stays.
"""

import struct
from collections.abc import Callable, Sequence

from ezmsg.core.messages.payload import unset_memory

CONTROL, NOTICE, DATA, RELEASE, NOTICES, RELEASES = 1, 2, 3, 4, 5, 6

RECORD = struct.Struct("<BxHIQIIQ")
"""kind, reserved, channel number, message number, segment, slot, bytes of the payload or body.

NOTICES have the bytes of each message in the place of the slot, and those of the body at the end.
"""

CONTROL_LIMIT = 64 * 1024
"""The largest body, in bytes, of a CONTROL record, which a peer may send before it has proved anything."""

MOST_SLOTS = 2**16
"""How many slots there can be at most, so that two bytes name one."""

LIST_SLOTS = CONTROL_LIMIT // 2
"""How many slots one record lists at most."""

LISTED_BYTES = 2**32
"""Messages of fewer bytes may be listed."""

RECORD_BYTES = RECORD.size

_LIMITS = {CONTROL: CONTROL_LIMIT, NOTICES: 2 * LIST_SLOTS, RELEASES: 2 * LIST_SLOTS}

_BUFFER_BYTES = 64 * 1024

STRANGER_BYTES = 4 * 1024
"""The largest body of any record, and the memory to read into, of a peer that has proved nothing."""


Receive = Callable[[int, int, int, int, int, int, bytes | memoryview], bool | None]
"""What takes a record: kind, channel, message, segment, slot, size, and the body, empty where there is none. It
returns true if what was read together with a record that has a body is none."""


class RecordError(ValueError):
    """The peer sent something that is no record."""


def pack(kind: int, channel: int, message: int = 0, segment: int = 0, slot: int = 0, size: int = 0) -> bytes:
    """Return the 32 bytes of a record."""
    return RECORD.pack(kind, 0, channel, message, segment, slot, size)


def pack_slots(slots: Sequence[int]) -> bytes:
    """Return the body that lists slots."""
    return struct.pack(f"<{len(slots)}H", *slots)


def slots_in(body: bytes | memoryview) -> tuple[int, ...]:
    """Return the slots that a body lists.

    :raises RecordError: if it lists none, or half of one.
    """
    count, rest = divmod(len(body), 2)
    if rest or not count:
        raise RecordError(f"a body of {len(body)} bytes lists no slots")
    return struct.unpack(f"<{count}H", body)


class RecordReader:
    """Turns a stream of bytes into records and hands each to ``receive``.

    ``data_limit`` bytes is the largest body of a DATA record. For a strange peer it reads into little memory and
    takes no large body, until :meth:`trust` is called.
    """

    def __init__(self, receive: Receive, data_limit: int = 0, *, strange: bool = False) -> None:
        self.data_limit = data_limit
        self._receive = receive
        self._strange = strange
        self._buffer = bytearray(STRANGER_BYTES if strange else _BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._body: memoryview | None = None  # a large body, received in place
        self._body_record: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
        self._body_filled = 0

    def trust(self) -> None:
        """The peer has proved itself."""
        self._strange = False

    def close(self) -> None:
        """Give back the memory, and whom records are handed to; nothing is read any more."""
        self._receive = _ignore
        self._body = None
        self._filled = 0
        self._buffer = bytearray(1)  # event loops do not take an empty one
        self._view = memoryview(self._buffer)

    def get_buffer(self, _size_hint: int = -1) -> memoryview:
        """Return the memory that the next bytes are to be read into."""
        if self._body is not None:
            return self._body[self._body_filled :]
        return self._view[self._filled :] if self._filled else self._view

    def buffer_updated(self, size: int) -> None:
        """Receive the records that ``size`` more bytes have completed.

        :raises RecordError: if they are no records.
        """
        if self._body is None:
            self._filled += size
            self._read_records()
            return
        self._body_filled += size
        if self._body_filled == len(self._body):
            body, self._body = self._body, None
            self._receive(*self._body_record, body)

    def _read_records(self) -> None:
        buffer, filled, start = self._buffer, self._filled, 0
        while filled - start >= RECORD_BYTES:
            kind, _, channel, message, segment, slot, size = RECORD.unpack_from(buffer, start)
            start += RECORD_BYTES
            if kind in (NOTICE, RELEASE):
                self._receive(kind, channel, message, segment, slot, size, b"")
                continue
            self._check(kind, size)
            if size > filled - start:
                self._body_record = (kind, channel, message, segment, slot, size)
                self._begin_body(size, start)
                return
            body = bytes(self._view[start : start + size])
            start += size
            if self._receive(kind, channel, message, segment, slot, size, body):
                start = filled
        if start < filled:
            buffer[: filled - start] = buffer[start:filled]
        self._filled = filled - start
        if len(buffer) == STRANGER_BYTES and not self._strange:
            self._grow()

    def _grow(self) -> None:
        """Read much at a time from here on."""
        larger = bytearray(_BUFFER_BYTES)
        larger[: self._filled] = self._view[: self._filled]
        self._buffer, self._view = larger, memoryview(larger)

    def _check(self, kind: int, size: int) -> None:
        limit = self.data_limit if kind == DATA else _LIMITS.get(kind)
        if limit is None:
            raise RecordError(f"a record of kind {kind} is not known")
        if self._strange:
            limit = min(limit, STRANGER_BYTES)
        if size > limit:
            raise RecordError(f"a body of {size} bytes is larger than the {limit} bytes allowed here")

    def _begin_body(self, size: int, start: int) -> None:
        self._body = unset_memory(size)
        self._body_filled = self._filled - start
        self._body[: self._body_filled] = self._view[start : self._filled]
        self._filled = 0


def _ignore(
    _kind: int, _channel: int, _message: int, _segment: int, _slot: int, _size: int, _body: bytes | memoryview
) -> None:
    """Take a record that comes too late."""
