"""The codec that this process uses for every message."""

import os

from ezmsg.core.messages.codec import Codec

CODEC = Codec(allow_pickle=os.environ.get("EZMSG_FORBID_PICKLE", "") in ("", "0"))
"""``EZMSG_FORBID_PICKLE=1`` lets only arrays, bytes and registered encodings pass."""
