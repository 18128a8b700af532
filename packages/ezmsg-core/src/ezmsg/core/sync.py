"""A door: ezmsg without asyncio lives in `ezmsg.core.blocking`; programs import it from here, as ``ez.sync``.

Publish, receive and be called back in plain code that waits::

    import ezmsg.core as ez

    with ez.sync.init() as context:
        publisher = context.create_publisher("COMMANDS")
        publisher.publish("go")
"""

from ezmsg.core.blocking.context import SyncContext
from ezmsg.core.blocking.publisher import SyncPublisher
from ezmsg.core.blocking.starting import init, spin, spin_once
from ezmsg.core.blocking.subscriber import SyncSubscriber

__all__ = ["SyncContext", "SyncPublisher", "SyncSubscriber", "init", "spin", "spin_once"]
