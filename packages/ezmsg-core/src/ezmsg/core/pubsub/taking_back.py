"""Buffers that only leaky subscribers hold, taken back from them when a publisher waits for one.

Such a subscriber drops what it has no time for, but on its own event loop; while user code blocks that loop nothing
is dropped there. It has a moment to let go of its oldest message, and of none more while it is late already.
"""

import asyncio
from collections.abc import Callable, Sequence

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.transports.link_sender import LinkSender
from ezmsg.core.transports.shared_memory import Slots

STEP_S = 0.01
STEPS = 5
"""How long it may take to let go of a message: so many times so many seconds, with a look at the sockets each time,
so that a publisher whose own loop was late does not take back what was let go of long ago."""

LATE_S = 0.001
"""The same, in one step, of one that has let go of nothing since a message was taken back from it."""


class TakingBack:
    """Looks, while a publisher waits, for the oldest message that only leaky subscribers hold."""

    def __init__(self, window: Window, slots: Slots, senders: Callable[[], Sequence[LinkSender]]) -> None:
        self._window = window
        self._slots = slots
        self._senders = senders
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """The publisher begins to wait for a buffer."""
        if self._timer is not None:
            return
        leaky = self._leaky()
        if leaky and not self._free_oldest([sender for sender in leaky if sender.late], leaky):
            self._begin_to_wait(leaky)

    def stop(self) -> None:
        """The publisher is closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _leaky(self) -> list[LinkSender]:
        return [sender for sender in self._senders() if sender.leaky]

    def _begin_to_wait(self, leaky: Sequence[LinkSender]) -> None:
        step_s, steps = (LATE_S, 1) if any(sender.late for sender in leaky) else (STEP_S, STEPS)
        oldest = {sender: sender.oldest for sender in leaky if sender.oldest is not None}
        self._wait(step_s, steps, oldest)

    def _wait(self, step_s: float, steps: int, oldest: dict[LinkSender, int]) -> None:
        self._timer = asyncio.get_running_loop().call_later(step_s, self._step, steps - 1, oldest)

    def _step(self, steps: int, oldest: dict[LinkSender, int]) -> None:
        self._timer = None
        if not self._window.waiting:
            return
        if steps:
            self._wait(STEP_S, steps, oldest)
            return
        leaky = self._leaky()
        idle = [sender for sender in leaky if sender.late or oldest.get(sender) == sender.oldest]
        while self._window.waiting and self._free_oldest(idle, leaky):
            """One for each message that waits."""
        if leaky and self._window.waiting:  # others hold these messages, too, and may let go at any moment
            self._begin_to_wait(leaky)

    def _free_oldest(self, idle: Sequence[LinkSender], leaky: Sequence[LinkSender]) -> bool:
        for sender in idle:
            for _, token in sender.held_messages:
                holding = [other for other in leaky if other.may_take_back(token)]
                if len(holding) == self._window.holders_of(token) and self._slots.take_back(token):
                    for other in holding:
                        other.take_back(token)
                    return True
        return False
