"""A door: addresses live in `ezmsg.core.graph.addressable`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.addressable import SEPARATOR, Addressable

__all__ = ["SEPARATOR", "Addressable"]
