"""A gate: messages pass while it is open."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

import ezmsg.core as ez

__all__ = ["GateMessage", "MessageGate", "MessageGateSettings", "MessageGateState"]


@dataclass
class GateMessage:
    """Opens or shuts a gate."""

    __module__ = "ezmsg.util.messagegate"  # logs call it so

    open: bool


class MessageGateSettings(ez.Settings):
    """How a gate begins, and what becomes of it by itself.

    :param start_open: it is open at the beginning.
    :param default_open: it opens by itself, else it shuts.
    :param default_after: after how many messages since it was last set it does so; never, if `None`.
    """

    start_open: bool = False
    default_open: bool = False
    default_after: int | None = None


class MessageGateState(ez.State):
    """Whether the gate is open, and how many messages came since it was set."""

    gate_open: bool | None = None
    msgs: int = 0


class MessageGate(ez.Unit):
    """Passes messages on while it is open, and leaves them out while it is shut."""

    SETTINGS = MessageGateSettings
    STATE = MessageGateState

    INPUT_GATE = ez.InputStream(GateMessage)
    INPUT = ez.InputStream(Any)
    OUTPUT = ez.OutputStream(Any)

    async def initialize(self) -> None:
        """Open or shut it, as the settings say."""
        self.set_gate(self.SETTINGS.start_open)

    def set_gate(self, set_open: bool) -> None:
        """Open or shut it."""
        if set_open != self.STATE.gate_open:
            ez.logger.debug("The gate %s is %s.", self.address, "open" if set_open else "shut")
        self.STATE.gate_open = set_open
        self.STATE.msgs = 0

    @ez.subscriber(INPUT_GATE)
    async def on_gate(self, msg: GateMessage) -> None:
        """Open or shut it, as a message says."""
        self.set_gate(msg.open)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def on_input(self, msg: Any) -> AsyncGenerator[Any, None]:
        """Pass a message on, or leave it out."""
        if self.STATE.gate_open:
            yield self.OUTPUT, msg
        self.STATE.msgs += 1
        default_after = self.SETTINGS.default_after
        if default_after is not None and self.STATE.msgs >= default_after:
            self.set_gate(self.SETTINGS.default_open)
