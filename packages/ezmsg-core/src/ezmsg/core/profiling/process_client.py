"""The process client of `ezmsg.control`, in a process whose publishers and subscribers count."""

import asyncio

from ezmsg.control.process.process_client import ProcessControlClient as _ProcessControlClient
from ezmsg.control.process.progress import TellProgress
from ezmsg.core.profiling.offer import ProfileOffer
from ezmsg.protocol.addresses import AddressType

__all__ = ["ProcessControlClient"]


class ProcessControlClient(_ProcessControlClient):
    """The same, in a process that has publishers and subscribers: it answers for their profile, too."""

    def __init__(
        self,
        graph_address: AddressType | None = None,
        *,
        units_loop: asyncio.AbstractEventLoop | None = None,
        progress: TellProgress | None = None,
    ) -> None:
        super().__init__(graph_address, units_loop=units_loop, progress=progress)
        self.set_profiling(ProfileOffer())
