"""Records of the data plane: only RecordError, and the same records however the bytes are cut."""

from typing import Any

from ezmsg.core.transports.records import RecordError, RecordReader

DATA_LIMIT = 64 * 1024


def target(data: bytes) -> None:
    """Read a stream as a stranger's and as that of a peer that has proved itself, in large and in small pieces."""
    size = 1 + (data[0] if data else 0)
    for strange in (True, False):
        whole = _records(data, 1 << 30, strange)
        assert _records(data, size, strange) == whole


def _records(data: bytes, size: int, strange: bool) -> tuple[list[Any], bool]:
    records: list[Any] = []
    reader = RecordReader(
        lambda *record: records.append((*record[:-1], bytes(record[-1]))), DATA_LIMIT, strange=strange
    )
    at = 0
    try:
        while at < len(data):
            memory = reader.get_buffer()
            piece = data[at : at + min(size, len(memory))]
            memory[: len(piece)] = piece
            reader.buffer_updated(len(piece))
            at += len(piece)
    except RecordError:
        return records, True
    return records, False
