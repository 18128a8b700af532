"""What travels on a link or a TCP connection of the data plane: records of 32 bytes, some with a body behind.

============  =======================================================================================
``CONTROL``   a message of :mod:`ezmsg.protocol.messages.channels` in the body
``NOTICE``    a message lies in a slot of shared memory
``DATA``      a message, as a payload in the body
``RELEASE``   every subscriber of a process has let go of a message
============  =======================================================================================

Bytes in, records out; no meaning here. The reader offers the memory to read into, so that a large body is received
straight to where it stays.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

CONTROL, NOTICE, DATA, RELEASE = 1, 2, 3, 4

RECORD = struct.Struct("<BxHIQIIQ")
"""kind, reserved, channel number, message number, segment, slot, bytes of the payload or body."""

CONTROL_LIMIT = 64 * 1024
"""The largest body, in bytes, of a CONTROL record, which a peer may send before it has proved anything."""

_BUFFER_BYTES = 64 * 1024


class Record(NamedTuple):
    """One record; ``body`` is empty except in CONTROL and DATA."""

    kind: int
    channel: int
    message: int
    segment: int
    slot: int
    size: int
    body: bytes | bytearray = b""


class RecordError(ValueError):
    """The peer sent something that is no record."""


def pack(kind: int, channel: int, message: int = 0, segment: int = 0, slot: int = 0, size: int = 0) -> bytes:
    """Return the 32 bytes of a record."""
    return RECORD.pack(kind, 0, channel, message, segment, slot, size)


class RecordReader:
    """Turns a stream of bytes into records. ``data_limit`` bytes is the largest body of a DATA record."""

    def __init__(self, data_limit: int = 0) -> None:
        self.data_limit = data_limit
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self._body: bytearray | None = None  # a large body, received in place
        self._body_record: Record | None = None
        self._body_filled = 0

    def get_buffer(self) -> memoryview:
        """Return the memory that the next bytes are to be read into."""
        if self._body is not None:
            return memoryview(self._body)[self._body_filled :]
        return self._view[self._filled :]

    def buffer_updated(self, size: int) -> Iterator[Record]:
        """Yield the records that ``size`` more bytes have completed.

        :raises RecordError: if they are no records.
        """
        if self._body is not None:
            self._body_filled += size
            if self._body_filled == len(self._body):
                yield self._finish_body()
            return
        self._filled += size
        yield from self._records()

    def _records(self) -> Iterator[Record]:
        start, filled = 0, self._filled
        while filled - start >= RECORD.size:
            kind, _, channel, message, segment, slot, length = RECORD.unpack_from(self._buffer, start)
            start += RECORD.size
            if kind in (NOTICE, RELEASE):
                yield Record(kind, channel, message, segment, slot, length)
                continue
            self._check(kind, length)
            if length <= filled - start:
                body = bytes(self._view[start : start + length])
                start += length
                yield Record(kind, channel, message, segment, slot, length, body)
                continue
            self._begin_body(Record(kind, channel, message, segment, slot, length), start)
            return
        self._buffer[: filled - start] = self._buffer[start:filled]
        self._filled = filled - start

    def _check(self, kind: int, length: int) -> None:
        limit = {CONTROL: CONTROL_LIMIT, DATA: self.data_limit}.get(kind)
        if limit is None:
            raise RecordError(f"a record of kind {kind} is not known")
        if length > limit:
            raise RecordError(f"a body of {length} bytes is larger than the {limit} bytes allowed here")

    def _begin_body(self, record: Record, start: int) -> None:
        self._body = bytearray(record.size)
        self._body_filled = self._filled - start
        self._body[: self._body_filled] = self._view[start : self._filled]
        self._body_record = record
        self._filled = 0

    def _finish_body(self) -> Record:
        assert self._body is not None
        assert self._body_record is not None
        record = self._body_record._replace(body=self._body)
        self._body = self._body_record = None
        return record
