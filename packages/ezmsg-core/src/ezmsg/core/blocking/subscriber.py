"""A subscriber for code that waits in place of awaiting.

What its event loop receives, the caller's thread takes out of the queue by itself; only the release goes back.
"""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from ezmsg.core.blocking.calls import Calls
from ezmsg.core.blocking.loans import SyncLoan, SyncPrivateLoan, release
from ezmsg.core.blocking.shared_queue import SharedQueue, share
from ezmsg.core.blocking.waiting import Deadline, Doorbell
from ezmsg.core.blocking.watched_loans import SyncWatchedLoan
from ezmsg.core.channels.channel import Lease
from ezmsg.core.errors import EndpointClosed, NothingReceived
from ezmsg.core.pubsub.options import flag
from ezmsg.core.pubsub.peers import Peer, PeerEvent
from ezmsg.core.pubsub.subscriber import PeerLostPolicy, Subscriber, tells_losses


class SyncSubscriber:
    """Receives messages; made with :meth:`SyncContext.subscriber`.

    Any number of threads may use it: each message goes to one of them.

    :param sub: the subscriber that it stands for.
    :param loop: the event loop of ``sub``, which another thread runs.
    """

    def __init__(
        self,
        sub: Subscriber,
        loop: asyncio.AbstractEventLoop,
        *,
        _calls: Calls | None = None,
        _queue: SharedQueue | None = None,
    ) -> None:
        self._subscriber = sub
        self._calls = _calls or Calls(loop)
        watched = flag("EZMSG_DEBUG_VIEWS", False)
        self._loan = SyncPrivateLoan if sub.leaky else SyncWatchedLoan if watched else SyncLoan
        self._queue = _queue or _share_there(sub, self._calls)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._subscriber.summary}>"

    @property
    def id(self) -> UUID:
        """What names it at the graph server."""
        return self._subscriber.id

    @property
    def topic(self) -> str:
        """What it hears."""
        return self._subscriber.topic

    @property
    def dropped(self) -> int:
        """How many messages a leaky subscriber has let go of unread."""
        return self._queue.dropped

    @property
    def closed(self) -> bool:
        """Whether nothing can be received any more."""
        return self._queue.closed

    @property
    def has_message(self) -> bool:
        """Whether something waits to be received."""
        return bool(self._queue)

    def peers(self) -> list[Peer]:
        """Return the publishers that it hears, or is about to, and how each stands."""

        async def ask() -> list[Peer]:
            return self._subscriber.peers()

        return self._calls.run(ask, "peers()")

    def next_peer_event(self, timeout: float | None = None) -> PeerEvent:
        """Return what happens next to the publishers that it hears, from the first that joined on.

        :raises DeadlineExceeded: if nothing does within ``timeout`` seconds.
        :raises EndpointClosed: if the subscriber is closed, or is closed meanwhile.
        """
        return self._calls.run(self._subscriber.next_peer_event, f"next_peer_event() of {self.topic}", timeout)

    def recv(self, timeout: float | None = None, *, peer_lost: PeerLostPolicy = "silent") -> Any:
        """Return the next message as a private copy.

        :param peer_lost: see :meth:`Subscriber.recv`.
        :raises PeerLost: if ``peer_lost`` is ``"raise"`` and a publisher was lost of which nothing waits, once.
        :raises NothingReceived: if none comes within ``timeout`` seconds; the next one is not lost.
        :raises EndpointClosed: if the subscriber is closed, or is closed meanwhile.
        :raises ContextNotOpen: if the context is shut down, or is meanwhile.
        """
        lease = self.next_lease(timeout, tell_losses=tells_losses(peer_lost))
        taken_ns = self._subscriber.took(lease)
        try:
            return lease.private()
        finally:
            release(self._calls, lease)
            self._subscriber.let_go(taken_ns, lease)

    def recv_zero_copy(self, timeout: float | None = None, *, peer_lost: PeerLostPolicy = "silent") -> SyncLoan:
        """Lend the next message without copying it: ``with subscriber.recv_zero_copy(1.0) as message:``.

        Its publisher's buffer is free again on leaving. Arrays from another process are read-only views. Neither
        change nor keep the message. A leaky subscriber gets a private copy. Entering raises what :meth:`recv` does.
        """
        tell_losses = tells_losses(peer_lost)
        return self._lend(lambda: self.next_lease(timeout, tell_losses=tell_losses))

    def close(self) -> None:
        """Stop receiving. Messages not yet received are let go of; views that were kept stay readable."""
        self._calls.post(_close, self._subscriber)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Wait until the graph server knows that the subscriber left; bounded.

        :raises DeadlineExceeded: if that takes longer than ``timeout`` seconds.
        """
        self._calls.run(self._subscriber.wait_closed, f"wait_closed() of {self.topic}", timeout)

    def try_take(self) -> Lease | None:
        """Take the next message if one waits; :func:`release` must follow."""
        lease = self._queue.try_take()
        while lease is not None and lease.revocable:
            detached = lease.detached()
            release(self._calls, lease)
            if detached is not None:
                lease = detached
                break
            self._queue.count_dropped()  # its publisher could not wait
            lease = self._queue.try_take()
        if lease is not None:
            self._subscriber.count(lease)
        return lease

    def next_lease(self, timeout: float | None, *, tell_losses: bool = False) -> Lease:
        """Take the next message; :func:`release` must follow. See :meth:`recv` for what it raises."""
        self._calls.check("recv()")
        if tell_losses:
            self._tell_loss()
        lease = self.try_take()
        if lease is not None:
            return lease
        queue, news, deadline = self._queue, self._subscriber.news, Deadline(timeout)
        while queue.bell.wait(lambda: queue or queue.closed or (tell_losses and news.has_losses), deadline):
            if tell_losses:
                self._tell_loss()
            lease = self.try_take()
            if lease is not None:
                return lease
            if queue.closed:
                self._calls.check("recv()")
                raise EndpointClosed(topic=self.topic, role="subscriber")
        assert timeout is not None
        raise NothingReceived(topic=self.topic, seconds=timeout)

    def _tell_loss(self) -> None:
        news = self._subscriber.news
        if news.has_losses and (loss := news.take_loss(self._queue)) is not None:
            raise loss

    def handle_next(self, callback: Callable[[Any], None], zero_copy: bool) -> bool:
        """Hand the next message to a callback, if one waits; return whether one did."""
        lease = self.try_take()
        if lease is None:
            return False
        if zero_copy or self._subscriber.leaky:  # a leaky one holds nothing while its message is handled
            with self._lend(lambda: lease) as message:
                callback(message)
        else:
            taken_ns = self._subscriber.took(lease)
            try:
                callback(lease.private())
            finally:
                release(self._calls, lease)
                self._subscriber.let_go(taken_ns, lease)
        return True

    def _lend(self, take: Callable[[], Lease]) -> SyncLoan:
        return self._loan(take, self._subscriber, self._calls)


def _share_there(subscriber: Subscriber, calls: Calls) -> SharedQueue:
    """Share a subscriber's queue, on the subscriber's event loop."""
    shared: list[SharedQueue] = []

    def begin() -> None:
        shared.append(share(subscriber, Doorbell()))

    if asyncio._get_running_loop() is calls.loop or not calls.loop.is_running():
        begin()
    else:
        calls.run(begin, "SyncSubscriber()")
    return shared[0]


def _close(subscriber: Subscriber) -> None:
    subscriber.close()
