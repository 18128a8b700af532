"""Subscribers live in `ezmsg.core.pubsub.subscriber`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.pubsub.subscriber import Subscriber

__all__ = ["Subscriber"]
