"""Messages lent to a thread other than their event loop's; what it publishes again in the process stays lent."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

from ezmsg.core.blocking.calls import Calls
from ezmsg.core.pubsub.channel import Lease


class SyncLoan:
    """The context of :meth:`SyncSubscriber.recv_zero_copy`.

    :param take: returns the lease of the message that is lent.
    :param loans: what is on loan on the event loop that the lease belongs to.
    :param calls: the way to that event loop.
    """

    __slots__ = ("_calls", "_lease", "_loans", "_take")

    def __init__(self, take: Callable[[], Lease], loans: list[Lease], calls: Calls, _topic: str) -> None:
        self._take = take
        self._loans = loans
        self._calls = calls
        self._lease: Lease | None = None

    def __enter__(self) -> Any:
        lease = self._take()
        try:
            message = lease.view()
        except BaseException:
            release(self._calls, lease)
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
            self._loans.append(lease)

    def _end(self, lease: Lease) -> None:
        if lease.lent:
            self._loans.remove(lease)
        lease.release()


class SyncPrivateLoan(SyncLoan):
    """The same of a leaky subscriber: a private copy, because no publisher waits until its receiver is done."""

    __slots__ = ()

    def __enter__(self) -> Any:
        lease = self._take()
        try:
            return lease.private()
        finally:
            release(self._calls, lease)


def release(calls: Calls, lease: Lease) -> None:
    """Let go of a message that was not lent, on the event loop that it belongs to."""
    calls.post(_release, lease)


def _release(lease: Lease) -> None:
    lease.release()
