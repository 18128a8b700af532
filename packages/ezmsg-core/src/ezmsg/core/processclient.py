"""A door: process control lives in `ezmsg.core.profiling.process_client`; kept for ezmsg 3's programs."""

from ezmsg.core.profiling.process_client import ProcessControlClient

__all__ = ["ProcessControlClient"]
