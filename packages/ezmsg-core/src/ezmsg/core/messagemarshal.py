"""Marshalling lives in `ezmsg.core.messages.marshal`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.errors import UndersizedMemory, UninitializedMemory
from ezmsg.core.messages.marshal import Marshal

MessageMarshal = Marshal

__all__ = ["Marshal", "MessageMarshal", "UndersizedMemory", "UninitializedMemory"]
