"""Whether the host at the other end of a TCP connection still acknowledges what it is sent.

The graph server has the same in its own distribution: neither may import the other.
"""

import contextlib
import socket
import struct
import sys

_TCP_INFO = struct.Struct("8B14I")
"""The beginning of what Linux tells about a TCP connection."""

_RETRANSMITS, _UNACKED, _LAST_ACK_MS = 2, 12, 20
"""Where in it the retransmissions, the unacknowledged packets and the last acknowledgement's age are."""


def unacknowledged_s(connection: socket.socket) -> float | None:
    """Return for how long the other host has acknowledged nothing, although it was sent something again and again.

    0 if it acknowledges, or has nothing to; ``None`` where the operating system does not tell. A process that is
    stopped is no matter: its host acknowledges for it.
    """
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, struct.error):
        info = _TCP_INFO.unpack(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
        waits = info[_UNACKED] and info[_RETRANSMITS]
        return info[_LAST_ACK_MS] / 1000 if waits else 0.0
    return None
