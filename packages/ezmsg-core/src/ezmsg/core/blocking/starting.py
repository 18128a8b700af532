"""The three functions by which a program without asyncio begins; it finds them at :mod:`ezmsg.core.sync`."""

from ezmsg.core.blocking.context import SyncContext
from ezmsg.protocol.addresses import AddressType

__all__ = ["init", "spin", "spin_once"]


def init(graph_address: AddressType | None = None, auto_start: bool | None = None) -> SyncContext:
    """Return a context, to be entered: ``with init() as context:``.

    :param graph_address: where the graph server is; where nobody names one, it is found as
        ``docs/explain/finding-the-graph.md`` says.
    :param auto_start: whether to start a server if none answers; ``None`` means only if no address was given.
    """
    return SyncContext(graph_address, auto_start)


def spin(context: SyncContext, poll_interval: float = 0.1) -> None:
    """Hand messages to the callbacks of ``context`` until it is shut down, see :meth:`SyncContext.spin`."""
    context.spin(poll_interval)


def spin_once(context: SyncContext, timeout: float | None = 0.0) -> bool:
    """Hand over what waits, once, see :meth:`SyncContext.spin_once`."""
    return context.spin_once(timeout)
