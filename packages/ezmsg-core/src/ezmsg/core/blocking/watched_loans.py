"""Loans to a thread under ``EZMSG_DEBUG_VIEWS=1``; see :mod:`ezmsg.core.channels.watched_loans`."""

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any

from ezmsg.core.blocking.calls import Calls
from ezmsg.core.blocking.loans import SyncLoan, release
from ezmsg.core.channels.channel import Lease
from ezmsg.core.channels.watched_loans import NOT_SHARED, Shared, look
from ezmsg.core.pubsub.subscriber import Subscriber


class SyncWatchedLoan(SyncLoan):
    """A loan that says who keeps what was lent, once for each topic and place in the program."""

    __slots__ = ("_held", "_shared")

    def __init__(self, take: Callable[[], Lease], subscriber: Subscriber, calls: Calls) -> None:
        super().__init__(take, subscriber, calls)
        self._held: list[Any] = []
        self._shared = NOT_SHARED

    def __enter__(self) -> Any:
        lease = self._take()
        self._taken_ns = self._subscriber.took(lease)
        try:
            message, guard = lease.guarded()
        except BaseException:
            release(self._calls, lease)
            self._subscriber.let_go(self._taken_ns, lease)
            raise
        self._lend(lease)
        if guard is not None:
            self._held = [message, guard]
        else:
            self._shared = Shared.unless_watched_elsewhere(message, sys._getframe(1))
        return message

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        held, self._held = self._held, []
        shared, self._shared = self._shared, NOT_SHARED
        shared.look(self._subscriber.topic, sys._getframe(1))
        # What was handed on stays lent, and an exception holds the functions that it came through.
        to_be_looked_at = held and exc is None and not getattr(self._lease, "handed_on", False)
        super().__exit__(exc_type, exc, traceback)
        if to_be_looked_at:
            look(self._subscriber.topic, held, sys._getframe(1))
