"""The graph of topics lives in `ezmsg.protocol.dag`; this path is kept for programs written for ezmsg 3."""

from ezmsg.protocol.dag import DAG, CyclicException

__all__ = ["DAG", "CyclicException"]
