"""Messages of the control plane: bytes are refused by a typed error, or a message that survives a round trip."""

from ezmsg.protocol import messages
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.wire.codec import body_from_wire, encode, unpack_map

ALL = (*messages.HANDSHAKE, *messages.ENVELOPES, *messages.BODIES, *messages.CHANNELS)


def target(data: bytes) -> None:
    """Read one message, and what was made of it once more."""
    try:
        message = body_from_wire(unpack_map(data), ALL)
    except EzmsgError:
        return
    written = encode(message)
    assert encode(body_from_wire(unpack_map(written), ALL)) == written
