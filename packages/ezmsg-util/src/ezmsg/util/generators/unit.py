"""A unit whose work is done by a generator, which is sent each message."""

from collections.abc import AsyncGenerator, Generator
from typing import Any

import ezmsg.core as ez

__all__ = ["Gen", "GenState", "send"]


class GenState(ez.State):
    """The generator at work."""

    gen: Generator[Any, Any, None]


def send(unit: ez.Unit, generator: Generator[Any, Any, None], message: Any) -> Any:
    """Return what a unit's generator makes of a message, or `None` if it ended or failed; the log tells which.

    A generator that failed has ended, so only the first message after that is worth a line.
    """
    try:
        return generator.send(message)
    except StopIteration:
        ez.logger.debug("The generator of %s has ended; this message was left out.", unit.address)
    except Exception:  # noqa: BLE001 - the user's own code: the unit goes on, as it does when a function fails
        ez.logger.exception(
            "The generator of %s failed. From now on it makes nothing of messages; mend it, and start anew.",
            unit.address,
        )
    return None


class Gen(ez.Unit):
    """Sends each message to a generator and publishes what it yields, unless that is `None`.

    A subclass says which: its :meth:`construct_generator` sets ``STATE.gen``.
    """

    STATE = GenState

    INPUT = ez.InputStream(Any)
    OUTPUT = ez.OutputStream(Any)

    async def initialize(self) -> None:
        """Make the generator."""
        self.construct_generator()

    def construct_generator(self) -> None:
        """Set ``STATE.gen`` to a generator that is ready to be sent a message, see :func:`consumer`."""
        raise NotImplementedError(f"{type(self).__name__} must define construct_generator(), which sets STATE.gen")

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def on_message(self, message: Any) -> AsyncGenerator[Any, None]:
        """Publish what the generator makes of a message."""
        made = send(self, self.STATE.gen, message)
        if made is not None:
            yield self.OUTPUT, made
