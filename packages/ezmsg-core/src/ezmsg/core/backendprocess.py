"""A door: what a process ran lives in `ezmsg.core.runtime`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.termination import Complete, NormalTermination
from ezmsg.core.runtime.backend import BackendProcess, DefaultBackendProcess
from ezmsg.core.runtime.threaded_loop import new_threaded_event_loop

__all__ = [
    "BackendProcess",
    "Complete",
    "DefaultBackendProcess",
    "NormalTermination",
    "new_threaded_event_loop",
]
