"""What the operating system offers, and the one switch that pretends that it offers less."""

import os
import socket
import sys


def _linux() -> bool:
    return sys.platform == "linux" and os.environ.get("EZMSG_PORTABLE", "") in ("", "0")


PASSES_DESCRIPTORS = _linux() and hasattr(os, "memfd_create") and hasattr(socket, "recv_fds")
"""Whether memory can be shared without a name, by passing a file descriptor over an abstract Unix socket.

``EZMSG_PORTABLE=1`` turns it off, so that the paths of other systems can be tested on Linux: segments with names,
TCP on loopback in place of Unix sockets.
"""
