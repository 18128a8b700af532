"""A door: metadata and snapshots live in `ezmsg.protocol.model`; this path is kept for ezmsg 3's programs."""

from ezmsg.protocol import model
from ezmsg.protocol.model import *  # noqa: F403  all of it, whatever comes to it

__all__ = model.__all__
