"""A queue: messages wait their turn, so that who sends them need not."""

import asyncio
import copy
from collections.abc import AsyncGenerator
from typing import Any

import ezmsg.core as ez
from ezmsg.util.units.rate import Rate

__all__ = ["MessageQueue", "MessageQueueSettings", "MessageQueueState"]

MONITOR_PERIOD_S = 1.0


class MessageQueueSettings(ez.Settings):
    """How many messages may wait, and how fast they leave.

    :param maxsize: how many may wait; any number, if it is not above zero.
    :param leaky: a full queue drops its oldest message, else the sender waits.
    :param log_above_n: tell once a second if more than so many are waiting.
    :param output_hz: how many leave in a second; as fast as they can, if `None`.
    """

    maxsize: int = 0
    leaky: bool = False
    log_above_n: int | None = None
    output_hz: float | None = None


class MessageQueueState(ez.State):
    """The messages that wait."""

    msg_queue: "asyncio.Queue[Any]"
    leaky: bool


class MessageQueue(ez.Unit):
    """Keeps messages until they can be sent on, in their order.

    It keeps copies of them, as what a unit is sent is only lent to it.
    """

    SETTINGS = MessageQueueSettings
    STATE = MessageQueueState

    INPUT = ez.InputStream(Any)
    OUTPUT = ez.OutputStream(Any)

    async def initialize(self) -> None:
        """Make the queue."""
        self.STATE.msg_queue = asyncio.Queue(self.SETTINGS.maxsize)
        self.STATE.leaky = self.SETTINGS.leaky
        if self.SETTINGS.leaky and self.SETTINGS.maxsize <= 0:
            ez.logger.warning("%s is leaky, but its maxsize is not above 0, so it never drops any.", self.address)
            self.STATE.leaky = False

    @ez.task
    async def monitor_queue_size(self) -> None:
        """Tell if many messages are waiting."""
        limit = self.SETTINGS.log_above_n
        while limit is not None:
            await asyncio.sleep(MONITOR_PERIOD_S)
            waiting = self.STATE.msg_queue.qsize()
            if waiting > limit:
                ez.logger.info("%s has %d messages queued.", self.address, waiting)

    @ez.subscriber(INPUT)
    async def on_message(self, message: Any) -> None:
        """Put a message at the end of the queue."""
        queue = self.STATE.msg_queue
        if self.STATE.leaky and queue.full():
            queue.get_nowait()
            ez.logger.debug("%s is full and dropped its oldest message.", self.address)
        await queue.put(copy.deepcopy(message))

    @ez.publisher(OUTPUT)
    async def send_message(self) -> AsyncGenerator[Any, None]:
        """Send messages on, one after the other."""
        hz = self.SETTINGS.output_hz
        rate = None if hz is None else Rate(hz)
        while True:
            message = await self.STATE.msg_queue.get()
            yield self.OUTPUT, message
            if rate is not None:
                await rate.sleep()
