"""A door: the graph of topics lives in `ezmsg.protocol.graph.dag`; this path is kept for ezmsg 3's programs."""

from ezmsg.protocol.graph.dag import DAG, CyclicException

__all__ = ["DAG", "CyclicException"]
