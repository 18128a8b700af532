"""A door: relays live in `ezmsg.core.graph.relays`; this path is kept for programs of ezmsg 3.10."""

from ezmsg.core.graph.relays import InputRelay, OutputRelay, Relay

__all__ = ["InputRelay", "OutputRelay", "Relay"]
