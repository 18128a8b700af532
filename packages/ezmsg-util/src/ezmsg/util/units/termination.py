"""Units that end a program: after so many messages, or when none comes any more."""

import asyncio
import time
from typing import Any

import ezmsg.core as ez

__all__ = [
    "TerminateOnTimeout",
    "TerminateOnTimeoutSettings",
    "TerminateOnTimeoutState",
    "TerminateOnTotal",
    "TerminateOnTotalSettings",
    "TerminateOnTotalState",
]


class TerminateOnTimeoutSettings(ez.Settings):
    """When it has been quiet for too long.

    :param time: seconds without a message; they count from the first message on.
    :param poll_rate: how many times a second that is looked at.
    """

    time: float = 2.0
    poll_rate: float = 4.0


class TerminateOnTimeoutState(ez.State):
    """When the last message came, in seconds of ``time.monotonic()``."""

    last_msg_timestamp: float | None = None


class TerminateOnTimeout(ez.Unit):
    """Ends the program when no message has come for a while; before the first one it waits forever."""

    SETTINGS = TerminateOnTimeoutSettings
    STATE = TerminateOnTimeoutState

    INPUT = ez.InputStream(Any)

    @ez.subscriber(INPUT)
    async def keepalive(self, _: Any) -> None:
        """Begin to wait anew."""
        self.STATE.last_msg_timestamp = time.monotonic()

    @ez.task
    async def poll_terminate(self) -> None:
        """End the program when the time is over."""
        while True:
            await asyncio.sleep(1.0 / self.SETTINGS.poll_rate)
            last = self.STATE.last_msg_timestamp
            if last is not None and time.monotonic() - last > self.SETTINGS.time:
                ez.logger.info("%s had no message for %g s and ends the program.", self.address, self.SETTINGS.time)
                raise ez.NormalTermination


class TerminateOnTotalSettings(ez.Settings):
    """After how many messages the program ends; nobody knows yet, if `None`."""

    total: int | None = None


class TerminateOnTotalState(ez.State):
    """After how many it ends, and how many came."""

    total: int | None
    n_messages: int = 0


class TerminateOnTotal(ez.Unit):
    """Ends the program after so many messages, as the settings or a later message on ``INPUT_TOTAL`` say."""

    SETTINGS = TerminateOnTotalSettings
    STATE = TerminateOnTotalState

    INPUT_MESSAGE = ez.InputStream(Any)
    INPUT_TOTAL = ez.InputStream(int)

    async def initialize(self) -> None:
        """Take the number from the settings."""
        self.STATE.total = self.SETTINGS.total

    @ez.subscriber(INPUT_TOTAL)
    async def on_total(self, msg: int) -> None:
        """Take another number; the messages that came already count."""
        self.STATE.total = msg
        self.maybe_terminate()

    @ez.subscriber(INPUT_MESSAGE)
    async def on_message(self, _: Any) -> None:
        """Count a message."""
        self.STATE.n_messages += 1
        self.maybe_terminate()

    def maybe_terminate(self) -> None:
        """End the program if that was the last message."""
        if self.STATE.total is not None and self.STATE.n_messages >= self.STATE.total:
            raise ez.NormalTermination
