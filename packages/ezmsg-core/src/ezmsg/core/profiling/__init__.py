"""Where the time goes: what endpoints count, always, and what is traced of single messages while somebody wants it.

Endpoints and `runtime` enter; it uses `support` and the client of the control plane, and asks no channel. In the
order of a measurement: the endpoints note integers (:mod:`tracers`), which are settled in bulk into the
rings (:mod:`ring`) of those who want them (:mod:`recording`, :mod:`controls`), and read from there as columns
(:mod:`batches`). The :mod:`registry` knows the endpoints of the process; :mod:`offer` answers the clients of the
graph server, through the process's control link.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ezmsg.core.profiling.profile_registry import ProfileRegistry

__all__ = ["ProfileRegistry"]


def __getattr__(name: str) -> Any:
    # Lazily, because the data plane imports modules of this package, and the class needs the control plane.
    if name == "ProfileRegistry":
        return import_module("ezmsg.core.profiling.profile_registry").ProfileRegistry
    if name != name.lower():  # no module of ours, for which Python asks here, too
        import_module("ezmsg.core.support.installation").refuse_mixed()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
