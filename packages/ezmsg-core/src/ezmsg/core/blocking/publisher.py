"""A publisher for code that waits in place of awaiting."""

import asyncio
from typing import Any
from uuid import UUID

from ezmsg.control.connection.client import DEFAULT_TIMEOUT
from ezmsg.core.blocking.calls import Calls
from ezmsg.core.errors import NotSent
from ezmsg.core.pubsub.publisher import Publisher


class SyncPublisher:
    """Sends messages; made with :meth:`SyncContext.publisher`. Any number of threads may use it.

    :param pub: the publisher that it stands for.
    :param loop: the event loop of ``pub``, which another thread runs.
    """

    def __init__(self, pub: Publisher, loop: asyncio.AbstractEventLoop, *, _calls: Calls | None = None) -> None:
        self._publisher = pub
        self._calls = _calls or Calls(loop)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._publisher.summary}>"

    @property
    def id(self) -> UUID:
        """What names it at the graph server."""
        return self._publisher.id

    @property
    def topic(self) -> str:
        """What it publishes."""
        return self._publisher.topic

    @property
    def running(self) -> bool:
        """Whether messages are sent at once, and not held back by :meth:`pause`."""
        return self._publisher.running

    def publish(self, obj: Any, timeout: float | None = None) -> None:
        """Send a message to everyone who hears the topic, waiting while ``num_buffers`` are not yet released.

        An object handed on inside the process must not be changed later; an array that goes to another process may.

        :raises NotSent: if that takes longer than ``timeout`` seconds; then nobody gets the message, unless the
            error says that it ``may_follow``. With 0 it is sent if a buffer is free.
        :raises EndpointClosed: if the publisher is closed.
        :raises UnencodableMessage: if the object cannot become bytes; then nobody gets it.
        :raises ContextNotOpen: if the context was shut down.
        """
        publisher = self._publisher
        self._calls.run(lambda: publisher.broadcast(obj), "publish()", timeout, self._not_sent)

    def broadcast(self, obj: Any, timeout: float | None = None) -> None:
        """Do what :meth:`publish` does."""
        self.publish(obj, timeout)

    def sync(self, timeout: float | None = None) -> None:
        """Pause, and wait until every message published so far has been released; :meth:`resume` goes on.

        :raises DeadlineExceeded: if that takes longer than ``timeout`` seconds, 5 unless given.
        """
        limit_s = DEFAULT_TIMEOUT if timeout is None else timeout
        self._calls.run(lambda: self._publisher.sync(limit_s), f"sync() of {self.topic}", limit_s)

    def pause(self) -> None:
        """Let the next :meth:`publish` wait for :meth:`resume`."""
        self._calls.post(_pause, self._publisher)

    def resume(self) -> None:
        """Go on."""
        self._calls.post(_resume, self._publisher)

    def close(self) -> None:
        """Publish no more, and begin to deliver what is under way; :meth:`wait_closed` waits for that."""
        self._calls.post(_close, self._publisher)

    def wait_closed(self, timeout: float | None = None) -> None:
        """Wait until everything is delivered, for at most five seconds; the log says how many messages were not.

        :raises DeadlineExceeded: if that takes longer than ``timeout`` seconds.
        """
        self._calls.run(self._publisher.wait_closed, f"wait_closed() of {self.topic}", timeout)

    def _not_sent(self, seconds: float, settled: bool) -> NotSent:
        if not settled:
            reason = "the event loop is busy, perhaps with making bytes of it"
        elif self.running:
            reason = f"all {self._publisher.options.num_buffers} of its buffers are still held by subscribers"
        else:
            reason = "the publisher is paused"
        return NotSent(topic=self.topic, seconds=seconds, reason=reason, may_follow=not settled)


def _pause(publisher: Publisher) -> None:
    publisher.pause()


def _resume(publisher: Publisher) -> None:
    publisher.resume()


def _close(publisher: Publisher) -> None:
    publisher.close()
