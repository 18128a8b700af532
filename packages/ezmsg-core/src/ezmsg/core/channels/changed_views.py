"""Whether a message was changed while it was lent: for debugging, exact before fast.

What is handed on inside a process is shared by all who hear it, and by its publisher. Who writes into it changes it
for all of them, so it is compared with what it was before.
"""

import hashlib
import logging

from ezmsg.core.messages.active import CODEC
from ezmsg.core.messages.payload import unset_memory

logger = logging.getLogger("ezmsg")

PLACES = 1000
"""Of how many functions it is told that they change what they were lent."""

_told: set[tuple[str, str]] = set()


def fingerprint(message: object) -> bytes | None:
    """Return what tells a message from any other; ``None`` for one that cannot be encoded."""
    try:
        payload = CODEC.encode(message)
        body = unset_memory(payload.size)
        body[:] = bytes(payload.size)  # what lies between its parts is set by nobody
        payload.write(body, 0)
    except Exception:  # noqa: BLE001  protects the unit from what a user's class raises when it is encoded
        return None
    return hashlib.blake2b(body, digest_size=16).digest()


def tell_if_changed(topic: str, whom: str, message: object, before: bytes, instead: str) -> None:
    """Warn, once for each place and topic, if a message is not what it was before it was lent.

    :param whom: where it was lent to, as ``to A:function``.
    :param instead: how private copies are had there.
    """
    if (topic, whom) in _told or len(_told) >= PLACES or fingerprint(message) in (before, None):
        return
    _told.add((topic, whom))
    logger.warning(
        "A message of %s was changed while it was lent %s. In one process all subscribers and the publisher "
        "share it, and see that. Write into a copy, or take private ones with %s.",
        topic,
        whom,
        instead,
    )
