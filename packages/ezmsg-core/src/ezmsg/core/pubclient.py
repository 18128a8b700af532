"""Publishers live in `ezmsg.core.pubsub.publisher`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.pubsub.publisher import Publisher

__all__ = ["Publisher"]
