"""A door: subscribers live in `ezmsg.core.pubsub.subscriber`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.pubsub.subscriber import Subscriber

__all__ = ["Subscriber"]
