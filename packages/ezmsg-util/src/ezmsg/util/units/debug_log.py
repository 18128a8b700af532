"""A unit that shows in the log what passes it."""

from collections.abc import AsyncGenerator
from typing import Any

import ezmsg.core as ez

__all__ = ["DebugLog", "DebugLogSettings"]


class DebugLogSettings(ez.Settings):
    """How a message is shown.

    :param name: what stands before it.
    :param max_length: how many characters are shown of both together; all, if `None`.
    """

    name: str = "DEBUG"
    max_length: int | None = 400


class DebugLog(ez.Unit):
    """Writes each message to the log, and passes it on."""

    SETTINGS = DebugLogSettings

    INPUT = ez.InputStream(Any)
    OUTPUT = ez.OutputStream(Any)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def log(self, msg: Any) -> AsyncGenerator[Any, None]:
        """Write a message to the log, and pass it on."""
        line, limit = f"{self.SETTINGS.name} - {msg=}", self.SETTINGS.max_length
        if limit is not None and len(line) > limit:
            line = f"{line[:limit]} ... [truncated]"
        ez.logger.info("%s", line)
        yield self.OUTPUT, msg
