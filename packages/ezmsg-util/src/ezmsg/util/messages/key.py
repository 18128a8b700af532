"""Keys of messages: to set them, and to let through only those of one source."""

from collections.abc import AsyncGenerator, Generator
from typing import Any, cast

import ezmsg.core as ez
from ezmsg.util.generators.consuming import consumer
from ezmsg.util.generators.unit import GenState, send
from ezmsg.util.messages.axisarray.axis_array import AxisArray
from ezmsg.util.messages.util import replace

__all__ = ["FilterOnKey", "KeySettings", "SetKey", "set_key"]


@consumer
def set_key(key: str = "") -> Generator[AxisArray, AxisArray, None]:
    """Return a generator that is sent arrays and yields them with another key; the data is shared."""
    # The first value is what a consumer throws away.
    message = yield cast(AxisArray, None)
    while True:
        message = yield replace(message, key=key)


class KeySettings(ez.Settings):
    """The key."""

    key: str = ""


class SetKey(ez.Unit):
    """Gives each message another key."""

    SETTINGS = KeySettings
    STATE = GenState

    INPUT_SIGNAL = ez.InputStream(AxisArray)
    OUTPUT_SIGNAL = ez.OutputStream(AxisArray)
    INPUT_SETTINGS = ez.InputStream(ez.Settings)

    async def initialize(self) -> None:
        """Take the key of the settings."""
        self.construct_generator()

    def construct_generator(self) -> None:
        """Take the key of the settings."""
        self.STATE.gen = set_key(self.SETTINGS.key)

    @ez.subscriber(INPUT_SETTINGS)
    async def on_settings(self, msg: ez.Settings) -> None:
        """Take another key."""
        self.apply_settings(msg)
        self.construct_generator()

    @ez.subscriber(INPUT_SIGNAL)
    @ez.publisher(OUTPUT_SIGNAL)
    async def on_message(self, message: AxisArray) -> AsyncGenerator[Any, None]:
        """Publish a message with the key."""
        made = send(self, self.STATE.gen, message)
        if made is not None:
            yield self.OUTPUT_SIGNAL, made


class FilterOnKey(ez.Unit):
    """Passes on the messages that have the key, and leaves out all others."""

    SETTINGS = KeySettings

    INPUT_SIGNAL = ez.InputStream(AxisArray)
    OUTPUT_SIGNAL = ez.OutputStream(AxisArray)

    @ez.subscriber(INPUT_SIGNAL)
    @ez.publisher(OUTPUT_SIGNAL)
    async def on_message(self, message: AxisArray) -> AsyncGenerator[Any, None]:
        """Pass on a message that has the key."""
        if message.key == self.SETTINGS.key:
            yield self.OUTPUT_SIGNAL, message
