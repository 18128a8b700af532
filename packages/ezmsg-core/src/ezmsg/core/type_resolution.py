"""A door: types of generic streams live in `ezmsg.core.graph.generics`; kept for programs of ezmsg 3.10."""

from ezmsg.core.graph.generics import resolve_stream_type

__all__ = ["resolve_stream_type"]
