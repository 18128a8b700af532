"""A unit that keeps what passes it."""

import copy
from collections.abc import AsyncGenerator
from dataclasses import field
from typing import Any

import ezmsg.core as ez

__all__ = ["MessageCollector", "MessageCollectorState"]


class MessageCollectorState(ez.State):
    """The messages that came."""

    messages: list[Any] = field(default_factory=list)


class MessageCollector(ez.Unit):
    """Keeps a copy of each message, and passes it on; for programs that look at them in the same process."""

    STATE = MessageCollectorState

    INPUT_MESSAGE = ez.InputStream(Any)
    OUTPUT_MESSAGE = ez.OutputStream(Any)

    @property
    def messages(self) -> list[Any]:
        """The messages that came, in their order."""
        return self.STATE.messages

    @ez.subscriber(INPUT_MESSAGE)
    @ez.publisher(OUTPUT_MESSAGE)
    async def on_message(self, msg: Any) -> AsyncGenerator[Any, None]:
        """Keep a message, and pass it on."""
        self.STATE.messages.append(copy.deepcopy(msg))
        yield self.OUTPUT_MESSAGE, msg
