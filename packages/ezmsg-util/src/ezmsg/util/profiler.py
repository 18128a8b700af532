"""A door: the profiler of methods lives in `ezmsg.util.profiling`; this is where programs import it from."""

from ezmsg.util.profiling.profile_log import get_logger_path
from ezmsg.util.profiling.profiler import profile_method, profile_subpub

__all__ = ["get_logger_path", "profile_method", "profile_subpub"]
