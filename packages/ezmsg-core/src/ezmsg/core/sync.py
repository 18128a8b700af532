"""ezmsg without asyncio: publish, receive and be called back in plain code that waits.

::

    import ezmsg.core as ez

    with ez.sync.init() as context:
        publisher = context.create_publisher("COMMANDS")
        publisher.publish("go")
"""

from ezmsg.core.blocking.context import SyncContext
from ezmsg.core.blocking.publisher import SyncPublisher
from ezmsg.core.blocking.subscriber import SyncSubscriber
from ezmsg.protocol.addresses import AddressType

__all__ = ["SyncContext", "SyncPublisher", "SyncSubscriber", "init", "spin", "spin_once"]


def init(graph_address: AddressType | None = None, auto_start: bool | None = None) -> SyncContext:
    """Return a context, to be entered: ``with init() as context:``.

    :param graph_address: where the graph server is, else as ``EZMSG_GRAPHSERVER_ADDR`` says, else
        127.0.0.1:25978.
    :param auto_start: whether to start a server if none answers; ``None`` means only if no address was given.
    """
    return SyncContext(graph_address, auto_start)


def spin(context: SyncContext, poll_interval: float = 0.1) -> None:
    """Hand messages to the callbacks of ``context`` until it is shut down, see :meth:`SyncContext.spin`."""
    context.spin(poll_interval)


def spin_once(context: SyncContext, timeout: float | None = 0.0) -> bool:
    """Hand over what waits, once, see :meth:`SyncContext.spin_once`."""
    return context.spin_once(timeout)
