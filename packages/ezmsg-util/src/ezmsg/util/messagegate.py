"""A door: the gate lives in `ezmsg.util.units.gate`; this is where programs import it from."""

from ezmsg.util.units.gate import GateMessage, MessageGate, MessageGateSettings, MessageGateState

__all__ = ["GateMessage", "MessageGate", "MessageGateSettings", "MessageGateState"]
