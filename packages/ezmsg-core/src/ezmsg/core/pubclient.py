"""A door: publishers live in `ezmsg.core.pubsub.publisher`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.pubsub.publisher import Publisher

__all__ = ["Publisher"]
