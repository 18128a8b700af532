"""What profiling needs of endpoints, so that it need not know their classes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from ezmsg.core.profiling.tracers import PublisherTracer, SubscriberTracer


class ProfiledWindow(Protocol):
    """The buffers of a publisher."""

    size: int

    @property
    def busy(self) -> int: ...


class ProfiledSender(Protocol):
    """A publisher's end of a channel."""

    kind: str
    exchange_id: UUID | None
    messages_before: int
    bytes_before: int
    waited_ns: int

    @property
    def held(self) -> int: ...


class ProfiledPublisher(Protocol):
    """A publisher and what it has counted."""

    id: UUID
    topic: str
    next_message: int
    bytes_published: int
    waits: tuple[int, int, int]
    tracer: "PublisherTracer | None"

    @property
    def window(self) -> ProfiledWindow: ...

    @property
    def senders(self) -> Sequence[ProfiledSender]: ...


class ProfiledSubscriber(Protocol):
    """A subscriber and what it has counted."""

    id: UUID
    topic: str
    messages_received: int
    bytes_received: int
    kind_last: str
    tracer: "SubscriberTracer | None"

    @property
    def dropped(self) -> int: ...

    @property
    def queued(self) -> int: ...

    @property
    def exchange_id(self) -> UUID: ...

    @property
    def publisher_ids(self) -> list[UUID]: ...


def endpoint_id(endpoint: ProfiledPublisher | ProfiledSubscriber) -> str:
    """Return the name of an endpoint in profiles."""
    return f"{endpoint.topic}:{endpoint.id}"
