"""What the exchange needs of the endpoints that it joins, so that it need not know their classes."""

from typing import Protocol

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.channels.channel import Receiver
from ezmsg.core.profiling.endpoints import ProfiledPublisher, ProfiledSubscriber
from ezmsg.core.pubsub.options import PublisherOptions
from ezmsg.core.transports.sender import Sender
from ezmsg.core.transports.shared_memory import SharedMemorySender
from ezmsg.core.transports.tcp import TcpSender


class Feeding(ProfiledPublisher, Protocol):
    """A publisher, as the exchange sees it."""

    secret: bytes
    options: PublisherOptions
    window: Window

    def attach(self, sender: Sender) -> None: ...

    def detach(self, sender: Sender) -> None: ...

    def move(self, old: SharedMemorySender, new: TcpSender, first: int) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Hearing(Receiver, ProfiledSubscriber, Protocol):
    """A subscriber, as the exchange sees it."""
