"""The graph as a program sees it that does not use asyncio."""

import atexit
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from ezmsg.core.blocking.calls import Begin
from ezmsg.core.blocking.loop_thread import LoopThread
from ezmsg.core.blocking.publisher import SyncPublisher
from ezmsg.core.blocking.shared_queue import SharedQueue, share
from ezmsg.core.blocking.subscriber import SyncSubscriber
from ezmsg.core.blocking.subscriptions import Subscriptions
from ezmsg.core.blocking.waiting import Deadline, Doorbell
from ezmsg.core.context.graph_context import GraphContext
from ezmsg.core.errors import ContextNotOpen
from ezmsg.core.pubsub.subscriber import Subscriber
from ezmsg.protocol.addresses import Address, AddressType

T = TypeVar("T")


class SyncContext:
    """A program's hold on the graph, for code that waits in place of awaiting: ``with init() as context:``.

    All asyncio happens on a thread of its own. What the context connects lasts as long as it is open; what it
    publishes and subscribes is closed on leaving. Any number of threads may use it, and it is entered once.

    :param graph_address: where the graph server is; where nobody names one, it is found as
        ``docs/explain/finding-the-graph.md`` says.
    :param auto_start: whether to start a server if none answers; ``None`` means only if no address was given.
    """

    def __init__(self, graph_address: AddressType | None = None, auto_start: bool | None = None) -> None:
        self._context = GraphContext(graph_address, auto_start)
        self._subscriptions = Subscriptions()
        self._thread: LoopThread | None = None
        self._entering = threading.Lock()
        self._was_shut_down = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._context.summary}>"

    @property
    def graph_address(self) -> Address:
        """Where the graph server is."""
        return self._context.graph_address

    def __enter__(self) -> Self:
        """Open the context; if it is open, nothing happens, and the first to leave ends it.

        :raises ContextNotOpen: if it was shut down.
        :raises ServerUnreachable: if no server answers and none may be started.
        """
        with self._entering:
            if self._was_shut_down:
                raise ContextNotOpen(operation="Entering it again", reason="was shut down")
            if self._thread is None:
                thread = LoopThread(self._context)
                thread.start()
                self._thread = thread
                atexit.register(self.shutdown)  # else what is under way would be lost if nobody leaves
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()

    # --- endpoints ----------------------------------------------------------------------------------------

    def publisher(self, topic: str, *, timeout: float | None = None, **kwargs: Any) -> SyncPublisher:
        """Make a publisher of ``topic``; see :meth:`Publisher.create` for the options."""
        calls = self._opened("publisher()").calls
        made = calls.run(lambda: self._context.publisher(topic, **kwargs), f"publisher({topic!r})", timeout)
        return SyncPublisher(made, calls.loop, _calls=calls)

    def create_publisher(self, topic: str, **kwargs: Any) -> SyncPublisher:
        """Do what :meth:`publisher` does."""
        return self.publisher(topic, **kwargs)

    def subscriber(self, topic: str, *, timeout: float | None = None, **kwargs: Any) -> SyncSubscriber:
        """Make a subscriber of ``topic``; see :meth:`Subscriber.create` for the options."""
        return self._subscribe(topic, Doorbell(), timeout, kwargs)

    def create_subscription(
        self,
        topic: str,
        callback: Callable[[Any], None] | None = None,
        *,
        zero_copy: bool = False,
        timeout: float | None = None,
        **kwargs: Any,
    ) -> SyncSubscriber:
        """Make a subscriber of ``topic`` whose messages :meth:`spin` and :meth:`spin_once` hand to ``callback``.

        The callback runs in the thread that spins. What it raises is logged, and the next message comes.

        :param callback: without one this does what :meth:`subscriber` does.
        :param zero_copy: hand over the message itself, good until the callback returns, and not a private copy.
        """
        if callback is None:
            return self.subscriber(topic, timeout=timeout, **kwargs)
        made = self._subscribe(topic, self._subscriptions.bell, timeout, kwargs)
        self._subscriptions.add(made, callback, zero_copy)
        return made

    # --- the session --------------------------------------------------------------------------------------

    def connect(self, from_topic: str, to_topic: str, timeout: float | None = None) -> None:
        """Let messages of one topic reach another; return when they do.

        :raises CyclicException: if they could then come back to where they started.
        :raises DeadlineExceeded: if it takes longer than ``timeout`` seconds.
        """
        operation = f"connect({from_topic!r}, {to_topic!r})"
        self._run(lambda: self._context.connect(from_topic, to_topic), operation, timeout)

    def disconnect(self, from_topic: str, to_topic: str, timeout: float | None = None) -> None:
        """Take back what :meth:`connect` did; the edge stays while others own it too.

        :raises DeadlineExceeded: if it takes longer than ``timeout`` seconds.
        """
        operation = f"disconnect({from_topic!r}, {to_topic!r})"
        self._run(lambda: self._context.disconnect(from_topic, to_topic), operation, timeout)

    # --- every publisher of the graph ---------------------------------------------------------------------

    def sync(self, timeout: float | None = None) -> None:
        """Pause every publisher, and wait until everything published so far is released; then :meth:`resume`.

        :raises DeadlineExceeded: if it takes longer than ``timeout`` seconds, 5 unless given.
        """
        self._run(lambda: self._context.sync(timeout), "sync()", timeout)

    def pause(self, timeout: float | None = None) -> None:
        """Let every publisher of the graph hold back its messages.

        :raises DeadlineExceeded: if it takes longer than ``timeout`` seconds.
        """
        self._run(self._context.pause, "pause()", timeout)

    def resume(self, timeout: float | None = None) -> None:
        """Let every publisher of the graph go on.

        :raises DeadlineExceeded: if it takes longer than ``timeout`` seconds.
        """
        self._run(self._context.resume, "resume()", timeout)

    # --- callbacks ----------------------------------------------------------------------------------------

    def spin(self, poll_interval: float = 0.1) -> None:
        """Hand messages to callbacks until :meth:`shutdown`, which Ctrl-C does too.

        :param poll_interval: how long to sleep at most when nothing comes, in seconds.
        """
        self._opened("spin()")
        try:
            while not self._was_shut_down:
                self._spin_once(poll_interval)
        except KeyboardInterrupt:
            self.shutdown()

    def spin_once(self, timeout: float | None = 0.0) -> bool:
        """Hand one message of each subscription that has one to its callback; return whether there was any.

        :param timeout: how long to wait for the first message, in seconds; ``None`` is without end.
        """
        self._opened("spin_once()")
        return self._spin_once(timeout)

    def _spin_once(self, timeout: float | None) -> bool:
        handled = self._subscriptions.handle(Deadline(timeout))
        if self._was_shut_down:
            self.shutdown()  # by a callback, which could not wait for it
        return handled

    # --- the end ------------------------------------------------------------------------------------------

    def shutdown(self) -> None:
        """Deliver what is under way and close everything, within ten seconds. It is fine to call this again.

        In other threads :meth:`spin` returns, and whatever else waits raises :class:`ContextNotOpen`. A callback
        that calls this goes on: the end comes when it returns.
        """
        self._was_shut_down = True
        self._subscriptions.end()
        thread = self._thread
        if thread is None:
            return
        thread.end()
        if not self._subscriptions.is_handling_here():
            thread.leave()
            atexit.unregister(self.shutdown)

    # --- inside -------------------------------------------------------------------------------------------

    def _subscribe(
        self, topic: str, bell: Doorbell, timeout: float | None, options: dict[str, Any]
    ) -> SyncSubscriber:
        async def subscribe() -> tuple[Subscriber, SharedQueue]:
            subscriber = await self._context.subscriber(topic, **options)
            return subscriber, share(subscriber, bell)

        calls = self._opened("subscriber()").calls
        made, queue = calls.run(subscribe, f"subscriber({topic!r})", timeout)
        return SyncSubscriber(made, calls.loop, _calls=calls, _queue=queue)

    def _run(self, begin: Begin[T], operation: str, timeout: float | None) -> T:
        return self._opened(operation).calls.run(begin, operation, timeout)

    def _opened(self, operation: str) -> LoopThread:
        if self._thread is None:
            reason = "was shut down" if self._was_shut_down else "was not entered"
            raise ContextNotOpen(operation=operation, reason=reason)
        self._thread.calls.check(operation)
        return self._thread
