"""A subscriber: the messages of every publisher whose topic leads to its own."""

import asyncio
import logging
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Self
from uuid import UUID, uuid4

from ezmsg.core.channels.channel import Channel, Lease
from ezmsg.core.channels.loans import Loan, PrivateLoan, open_loans
from ezmsg.core.channels.queues import LeakyQueue, Queue
from ezmsg.core.channels.watched_loans import WatchedLoan
from ezmsg.core.errors import EndpointClosed, InvalidOption
from ezmsg.core.profiling.spans import add_profile
from ezmsg.core.pubsub.exchange import Exchange
from ezmsg.core.pubsub.options import check_whole, flag
from ezmsg.core.pubsub.peers import Peer, PeerEvent, PeerNews
from ezmsg.core.support.wording import counted
from ezmsg.protocol.addresses import AddressType

if TYPE_CHECKING:
    from ezmsg.core.profiling.tracers import SubscriberTracer

logger = logging.getLogger("ezmsg")

_GUARD = object()

PeerLostPolicy = Literal["silent", "raise"]
"""What receiving does when a publisher is lost."""


class Subscriber:
    """Receives messages; made with :meth:`create` or :meth:`GraphContext.subscriber`.

    ``messages_missed`` counts those that were published while it was cut off, or its channel was broken.

    Messages of one publisher come in the order they were published, those of several as they arrive. Iterating
    over ``recv`` from several tasks hands each message to one of them.
    """

    def __init__(
        self,
        id: UUID,  # noqa: A002  the public name
        topic: str,
        exchange: Exchange,
        *,
        leaky: bool = False,
        max_queue: int | None = None,
        _guard: object = None,
    ) -> None:
        if _guard is not _GUARD:
            raise TypeError("Use Subscriber.create(...) or GraphContext.subscriber(...) instead")
        self.id = id
        self.topic = topic
        self.leaky = leaky
        self.messages_received = 0
        self.bytes_received = 0
        self.messages_missed = 0
        self.kind_last = "UNKNOWN"
        self.tracer: SubscriberTracer | None = None
        self.loans = open_loans()
        self._exchange = exchange
        self._queue = LeakyQueue(max_queue or 1) if leaky else Queue()
        self._waiting: list[asyncio.Future[None]] = []
        self._news = PeerNews()
        self._curious: list[asyncio.Future[None]] = []  # those who wait for news
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._withdrawal: asyncio.Task[None] | None = None
        self._loan = PrivateLoan if leaky else WatchedLoan if flag("EZMSG_DEBUG_VIEWS", False) else Loan
        self._told: set[tuple[str, int]] = set()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.summary}>"

    @classmethod
    async def create(
        cls,
        topic: str,
        graph_address: AddressType | None = None,
        *,
        leaky: bool = False,
        max_queue: int | None = None,
        **kwargs: Any,
    ) -> Self:
        """Join the graph as a subscriber of ``topic``; return when every publisher there is can be heard.

        :param leaky: drop the oldest message when more than ``max_queue`` (default 1) wait.
        :raises InvalidOption: if ``max_queue`` is not positive, or an option is not known.
        :raises ServerUnreachable: if no graph server answers.
        """
        if max_queue is not None:
            check_whole("max_queue", max_queue, 1, sys.maxsize)
        if kwargs:
            raise InvalidOption(option=next(iter(kwargs)), value="...", reason="a subscriber has no such option")
        exchange = await Exchange.acquire(graph_address)
        subscriber = cls(uuid4(), topic, exchange, leaky=leaky, max_queue=max_queue, _guard=_GUARD)
        try:
            await exchange.join_subscriber(subscriber)
        except BaseException:
            await exchange.release()
            raise
        return subscriber

    @property
    def summary(self) -> str:
        """Its topic, the graph server, what it hears, what waits, and its state, as its repr tells them."""
        heard, kind = counted(len(self.publisher_ids), "publisher"), "leaky, " if self.leaky else ""
        state = "closed" if self._closed else "open"
        return f"{self.topic} at {self._exchange.server}, {heard}, {kind}{self.queued} queued, {state}"

    @property
    def watched(self) -> bool:
        """Whether it is looked for what becomes of views, as ``EZMSG_DEBUG_VIEWS`` asks."""
        return self._loan is WatchedLoan

    @property
    def dropped(self) -> int:
        """How many messages a leaky subscriber has let go of unread."""
        return self._queue.dropped

    @property
    def queued(self) -> int:
        """How many messages wait to be received."""
        return len(self._queue)

    @property
    def exchange_id(self) -> UUID:
        """What names the event loop that it lives on."""
        return self._exchange.id

    @property
    def publisher_ids(self) -> list[UUID]:
        """The publishers that it hears."""
        return self._exchange.heard_by(self)

    def put(self, lease: Lease) -> None:
        """Take a message from a channel."""
        if self._closed:
            lease.release()
            return
        self._queue.put(lease)
        if self._waiting:
            self._wake()

    def put_all(self, leases: Sequence[Lease]) -> None:
        """Take several."""
        if self._closed:
            for lease in leases:
                lease.release()
            return
        self._queue.put_all(leases)
        if self._waiting:
            self._wake()

    def joined(self, channel: Channel) -> None:
        """Note who is heard; say, once for each topic, that it has fewer slots than messages may wait here."""
        self._news.joined(channel.publisher_id, channel.topic)
        self._wake_curious()
        queue, about = self._queue, (channel.topic, channel.num_buffers)
        if not isinstance(queue, LeakyQueue) or queue.limit < channel.num_buffers or about in self._told:
            return
        self._told.add(about)
        logger.warning(
            "Leaky subscriber %s lets max_queue=%d messages wait, but publisher %s has only num_buffers=%d. Older "
            "messages are copied, so that it need not wait. Let num_buffers be larger than max_queue to save that.",
            self.topic,
            queue.limit,
            *about,
        )

    def skipped(self, count: int) -> None:
        """Count messages that were dropped for it before they were sent."""
        self._queue.dropped += count

    def missed(self, topic: str, count: int) -> None:
        """Count and say that messages of a publisher are lost to this subscriber."""
        self.messages_missed += count
        logger.warning(
            "%s missed %d message(s) of %s: the channel was cut off or broke, and another one goes on after them.",
            self.topic,
            count,
            topic,
        )

    def left(self, publisher_id: UUID) -> None:
        """Note that a publisher is heard no more, in good order."""
        self._news.left(publisher_id)
        self._wake_curious()

    def lost(self, publisher_id: UUID, last_seq: int) -> None:
        """Note that a publisher's channel broke off, and let those look who are to be told."""
        self._news.lost(publisher_id, last_seq)
        self._wake_curious()
        self._wake()
        self._queue.stir()

    def peers(self) -> list[Peer]:
        """Return the publishers that it hears, or is about to, and how each stands."""
        return self._exchange.peers_of(self)

    async def next_peer_event(self) -> PeerEvent:
        """Return what happens next to the publishers that it hears, from the first that joined on.

        An event goes to one of those who wait. ``peer_events_dropped`` counts those that went unasked for, oldest
        first, when more than 1000 waited.

        :raises EndpointClosed: if the subscriber is closed, or is closed meanwhile.
        """
        while not self._news.events:
            if self._closed:
                raise EndpointClosed(topic=self.topic, role="subscriber")
            waiter = self._loop.create_future()
            self._curious.append(waiter)
            try:
                await waiter
            finally:
                self._curious.remove(waiter)
        return self._news.events.popleft()

    @property
    def peer_events_dropped(self) -> int:
        """How many events of :meth:`next_peer_event` nobody has asked for in time."""
        return self._news.events_dropped

    @property
    def news(self) -> PeerNews:
        """What became of its publishers."""
        return self._news

    async def recv(self, *, peer_lost: PeerLostPolicy = "silent") -> Any:
        """Return the next message as a private copy.

        :param peer_lost: ``"raise"`` tells of each publisher whose process or line is gone, once, when all that
            came of it was received; one that closes in good order is not lost. With ``"silent"`` only the log
            and :meth:`next_peer_event` tell.
        :raises PeerLost: if that is wanted; receiving goes on after it.
        :raises EndpointClosed: if the subscriber is closed, or is closed meanwhile.
        """
        return await self.private(tell_losses=tells_losses(peer_lost))

    async def private(self, *, tell_losses: bool = False) -> Any:
        """Do what :meth:`recv` does."""
        lease = await self.next_lease(tell_losses=tell_losses)
        taken_ns = self.took(lease)
        try:
            return lease.private()
        except Exception as error:  # whatever a user's class raises when it is copied, or put together again
            error.add_note(f"It is a message of {self.topic}, of which recv() returns private copies.")
            raise
        finally:
            lease.release()
            self.let_go(taken_ns, lease)

    def recv_zero_copy(self, *, peer_lost: PeerLostPolicy = "silent") -> Loan:
        """Lend the next message without copying it: ``async with subscriber.recv_zero_copy() as message:``.

        Its publisher's buffer is free again on leaving, unless the message was published again inside this process.
        Arrays from another process are read-only views. Neither change nor keep the message. A leaky subscriber
        gets a private copy, as from :meth:`recv`.

        :param peer_lost: see :meth:`recv`; the context raises when it is entered.
        :raises PeerLost: if that is wanted; receiving goes on after it.
        :raises EndpointClosed: if the subscriber is closed, or is closed meanwhile.
        """
        if peer_lost == "silent":  # once for each message
            return self._loan(self)
        return self._loan(self, tell_losses=tells_losses(peer_lost))

    def close(self) -> None:
        """Stop receiving. Messages not yet received are let go of; views that were kept stay readable."""
        if self._closed:
            return
        self._closed = True
        self._queue.let_go()
        self._wake()
        self._wake_curious()
        self._withdrawal = asyncio.get_running_loop().create_task(self._exchange.leave_subscriber(self))

    async def wait_closed(self) -> None:
        """Wait until the graph server knows that the subscriber left; bounded."""
        if self._withdrawal is not None:
            await asyncio.shield(self._withdrawal)  # who gives up waiting does not stop it

    def ready_lease(self) -> Lease | None:
        """Take the next message if it is there, as :meth:`next_lease` does, at less cost."""
        if not self._queue or self._queue[0].revocable:
            return None
        lease = self._queue.take()
        self.messages_received += 1
        self.bytes_received += lease.size
        self.kind_last = lease.source.kind
        return lease

    async def next_lease(self, *, tell_losses: bool = False) -> Lease:
        """Take the next message; :meth:`Lease.release` must follow.

        :raises PeerLost: if ``tell_losses`` and a publisher was lost of which nothing waits.
        :raises EndpointClosed: if the subscriber is closed, or is closed meanwhile.
        """
        queue = self._queue
        while True:
            if tell_losses:
                self._tell_loss()
            while not queue:
                if self._closed:
                    raise EndpointClosed(topic=self.topic, role="subscriber")
                waiter = self._loop.create_future()
                self._waiting.append(waiter)
                try:
                    await waiter
                finally:
                    self._waiting.remove(waiter)
                if tell_losses:
                    self._tell_loss()
            lease = queue.take()
            if not lease.revocable:
                break
            detached = lease.detached()
            lease.release()
            if detached is not None:
                lease = detached
                break
            queue.dropped += 1  # its publisher could not wait
        self.count(lease)
        return lease

    def count(self, lease: Lease) -> None:
        """Count a message that another way than :meth:`next_lease` was taken."""
        self.messages_received += 1
        self.bytes_received += lease.size
        self.kind_last = lease.source.kind

    # --- measurements -------------------------------------------------------------------------------------

    def took(self, lease: Lease) -> int:
        """Note that a message was taken; return when, for :meth:`let_go`, or 0 if nobody wants to know."""
        if (tracer := self.tracer) is None:  # looked at once, as another thread may set it
            return 0
        return tracer.took(lease)

    def let_go(self, taken_ns: int, lease: Lease) -> None:
        """Note that a message was released."""
        if (tracer := self.tracer) is not None:
            tracer.let_go(taken_ns, lease)

    def begin_profile(self) -> int:
        """Begin to measure what is done with the message taken last; :meth:`end_profile` takes what is returned."""
        return time.perf_counter_ns()

    def end_profile(self, start_ns: int, label: str | None = None) -> None:
        """End a measurement: while the subscriber is traced it becomes a sample of ``user_span_ns``.

        :param label: what names it, as the name of a function does in a unit.
        """
        if (tracer := self.tracer) is not None:
            add_profile(tracer, start_ns, label or "")

    def _tell_loss(self) -> None:
        if self._news.has_losses and (loss := self._news.take_loss(self._queue)) is not None:
            raise loss

    def _wake(self) -> None:
        _wake(self._waiting)

    def _wake_curious(self) -> None:
        _wake(self._curious)


def tells_losses(policy: str) -> bool:
    """Return whether ``peer_lost`` asks for errors.

    :raises InvalidOption: if it is no such policy.
    """
    if policy not in ("silent", "raise"):
        raise InvalidOption(option="peer_lost", value=repr(policy), reason="it is one of 'silent' and 'raise'")
    return policy == "raise"


def _wake(waiting: Sequence[asyncio.Future[None]]) -> None:
    for waiter in waiting:
        if not waiter.done():
            waiter.set_result(None)
