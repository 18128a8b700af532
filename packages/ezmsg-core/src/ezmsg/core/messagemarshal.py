"""A door: marshalling lives in `ezmsg.core.messages.marshal`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.errors import UndersizedMemory, UninitializedMemory
from ezmsg.core.messages.marshal import Marshal, MessageMarshal

__all__ = ["Marshal", "MessageMarshal", "UndersizedMemory", "UninitializedMemory"]
