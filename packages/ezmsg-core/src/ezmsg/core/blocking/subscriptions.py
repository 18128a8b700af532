"""Callbacks, and the messages that are handed to them in the thread that spins."""

import logging
import threading
from collections.abc import Callable
from typing import Any

from ezmsg.core.blocking.subscriber import SyncSubscriber
from ezmsg.core.blocking.waiting import Deadline, Doorbell
from ezmsg.protocol.declared import declared

logger = logging.getLogger("ezmsg")


@declared
class Subscription:
    """A subscriber and what its messages are for."""

    subscriber: SyncSubscriber
    callback: Callable[[Any], None]
    zero_copy: bool

    def handle_next(self) -> bool:
        """Hand the next message over if there is one; return whether there was."""
        try:
            return self.subscriber.handle_next(self.callback, self.zero_copy)
        except Exception:  # protects the program from its callback, and from a message that cannot be decoded
            logger.exception("A message on %s was not handled: %r failed", self.subscriber.topic, self.callback)
            return True


class Subscriptions:
    """All subscriptions of a context; each gets its turn. ``bell`` rings when one of them has a message."""

    def __init__(self) -> None:
        self.bell = Doorbell()
        self._all: tuple[Subscription, ...] = ()
        self._changing = threading.Lock()
        self._handling: list[int] = []  # the threads in callbacks, once for each callback
        self._ended = False

    def add(self, subscriber: SyncSubscriber, callback: Callable[[Any], None], zero_copy: bool) -> None:
        """Begin to hand a subscriber's messages to a callback."""
        with self._changing:
            there = (one for one in self._all if not one.subscriber.closed)
            self._all = (*there, Subscription(subscriber, callback, zero_copy))
        self.bell.ring()

    def handle(self, deadline: Deadline) -> bool:
        """Wait for a message and hand it over, with one more of each other subscription that has any.

        Return False if none came before the deadline, or before the end.
        """
        while not self._ended:
            if self._take_turns():
                return True
            if not self.bell.wait(self._ready, deadline):
                return False
        return False

    def is_handling_here(self) -> bool:
        """Whether this is called from within a callback."""
        return threading.get_ident() in self._handling

    def end(self) -> None:
        """Hand over no more, and let those go on who wait."""
        self._ended = True
        self.bell.ring()

    def _take_turns(self) -> bool:
        handled = False
        here = threading.get_ident()
        self._handling.append(here)
        try:
            for subscription in self._all:
                if not self._ended:
                    handled |= subscription.handle_next()
        finally:
            self._handling.remove(here)
        return handled

    def _ready(self) -> bool:
        return self._ended or any(one.subscriber.has_message for one in self._all)
