"""The half of a ring that a peer writes: an error of the rules, or bytes that were there, and never more."""

import struct

from ezmsg.core.transports.rings.ring import (
    ASLEEP,
    FULL,
    HALF_BYTES,
    READ,
    RING_BYTES,
    WRITTEN,
    Half,
    Ring,
    RingError,
)

_STEP = struct.Struct("<BQ")
_WORDS = (WRITTEN, READ, ASLEEP, FULL)


def target(data: bytes) -> None:
    """Set the words that the input names, and let the other side write, read, sleep and wake after each."""
    own, theirs = (Half(memoryview(bytearray(HALF_BYTES))) for _ in range(2))
    ring = Ring(own, theirs)
    memory = memoryview(bytearray(2 * RING_BYTES))
    for at in range(0, len(data) - _STEP.size + 1, _STEP.size):
        which, value = _STEP.unpack_from(data, at)
        theirs.words[_WORDS[which % len(_WORDS)]] = value
        try:
            assert 0 <= ring.write(data) <= min(len(data), RING_BYTES)
            assert 0 <= ring.read_into(memory[: 1 + which * 200]) <= RING_BYTES
        except RingError:
            continue
        for ask in (ring.must_wake, ring.must_tell_room, ring.sleep):
            assert ask() in (True, False)
