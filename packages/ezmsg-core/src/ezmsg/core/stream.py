"""A door: streams live in `ezmsg.core.graph.streams` and `relays`; this path is kept for ezmsg 3's programs."""

from ezmsg.core.graph.relays import InputRelay, OutputRelay, Relay
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic, Stream, Topic

__all__ = [
    "InputRelay",
    "InputStream",
    "InputTopic",
    "OutputRelay",
    "OutputStream",
    "OutputTopic",
    "Relay",
    "Stream",
    "Topic",
]
