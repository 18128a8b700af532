"""Frames of the control plane: what comes out does not depend on how the bytes were cut."""

from ezmsg.protocol.errors import FrameTooLarge, MalformedFrame
from ezmsg.protocol.wire.frames import FrameParser


def target(data: bytes) -> None:
    """Parse a stream whole, and cut into pieces whose length the first byte says."""
    size = 1 + (data[0] if data else 0)
    whole = _bodies([data])
    assert _bodies([data[at : at + size] for at in range(0, len(data), size)]) == whole


def _bodies(chunks: list[bytes]) -> tuple[list[bytes], str]:
    parser, bodies = FrameParser(1024), []
    try:
        for chunk in chunks:
            parser.feed(chunk)
            while (body := parser.next_body()) is not None:
                bodies.append(body)
    except FrameTooLarge:
        return bodies, "refused"
    except MalformedFrame:  # an answer of HTTP is known by more bytes than a length has
        return bodies, "refused"
    return bodies, "" if parser.pending == 0 else "unfinished"
