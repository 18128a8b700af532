"""Addresses live in `ezmsg.core.graph.addressable`; this path is kept for programs written for ezmsg 3."""

from ezmsg.core.graph.addressable import SEPARATOR, Addressable

__all__ = ["SEPARATOR", "Addressable"]
