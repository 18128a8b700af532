"""A door: what runs a graph lives in `ezmsg.core.runtime`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.errors import GraphRunnerStartError
from ezmsg.core.graph.crawl import crawl_components
from ezmsg.core.runtime.deprecated import ExecutionContext, run_system
from ezmsg.core.runtime.run import run
from ezmsg.core.runtime.runner import GraphRunner

__all__ = [
    "ExecutionContext",
    "GraphRunner",
    "GraphRunnerStartError",
    "crawl_components",
    "run",
    "run_system",
]
