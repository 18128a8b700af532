"""A door: the queue lives in `ezmsg.util.units.queue`; this is where programs import it from."""

from ezmsg.util.units.queue import MessageQueue, MessageQueueSettings, MessageQueueState

__all__ = ["MessageQueue", "MessageQueueSettings", "MessageQueueState"]
