"""Process control lives in `ezmsg.control.process`; this path is kept for programs written for ezmsg 3."""

from ezmsg.control.process import ProcessControlClient

__all__ = ["ProcessControlClient"]
