"""Messages lent to a thread other than their event loop's; what it publishes again in the process stays lent."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from ezmsg.core.blocking.calls import Calls
from ezmsg.core.channels.channel import Lease
from ezmsg.core.pubsub.subscriber import Subscriber


class SyncLoan:
    """The context of :meth:`SyncSubscriber.recv_zero_copy`.

    :param take: returns the lease of the message that is lent.
    :param subscriber: whose message it is; its ``loans`` are those of the event loop that the lease belongs to.
    :param calls: the way to that event loop.
    """

    __slots__ = ("_calls", "_lease", "_subscriber", "_take", "_taken_ns")

    def __init__(self, take: Callable[[], Lease], subscriber: Subscriber, calls: Calls) -> None:
        self._take = take
        self._subscriber = subscriber
        self._calls = calls
        self._lease: Lease | None = None
        self._taken_ns = 0

    def __enter__(self) -> Any:
        lease = self._take()
        self._taken_ns = self._subscriber.took(lease)
        try:
            message = lease.view()
        except BaseException:
            release(self._calls, lease)
            self._subscriber.let_go(self._taken_ns, lease)
            raise
        self._lend(lease)
        return message

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            self._calls.post(self._end, lease)

    def _lend(self, lease: Lease) -> None:
        self._lease = lease
        if lease.lent:  # the event loop may be looking at the list; it is there that it is removed, too
            self._subscriber.loans.append(lease)

    def _end(self, lease: Lease) -> None:
        if lease.lent:
            self._subscriber.loans.remove(lease)
        lease.release()
        self._subscriber.let_go(self._taken_ns, lease)


class SyncPrivateLoan(SyncLoan):
    """The same of a leaky subscriber: a private copy, because no publisher waits until its receiver is done."""

    __slots__ = ()

    def __enter__(self) -> Any:
        lease = self._take()
        taken_ns = self._subscriber.took(lease)
        try:
            return lease.private()
        finally:
            release(self._calls, lease)
            self._subscriber.let_go(taken_ns, lease)


def release(calls: Calls, lease: Lease) -> None:
    """Let go of a message that was not lent, on the event loop that it belongs to."""
    calls.post(_release, lease)


def _release(lease: Lease) -> None:
    lease.release()
