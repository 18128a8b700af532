"""Components as their classes declare them, without an instance, a graph or a server: plain data, for JSON.

A child's attribute name is its part of the address, so ``path`` is what its address will be, below the name that
the whole is run under. What a collection makes in ``configure()`` is not told: nobody has called that.
"""

from dataclasses import asdict
from inspect import cleandoc
from typing import Any

from ezmsg.control.settingsmeta import settings_schema_from_type
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.generics import resolve_stream_type
from ezmsg.core.graph.stream_metadata import type_name
from ezmsg.core.graph.streams import SETTINGS_STREAM, InputStream, Stream
from ezmsg.protocol.snapshots.json_form import to_json_form

SCHEMA_VERSION = 1
"""That of the form, which is ezmsg 3.10's."""


def described_component(cls: type[Component], name: str = "", path: str = "") -> dict[str, Any]:
    """Return what a class declares: its settings with their schema, its streams, and what lies in it."""
    name = name or cls.__name__
    path = path or name
    schema = settings_schema_from_type(cls.__settings_type__)
    form: dict[str, Any] = {
        "name": name,
        "path": path,
        "component_type": type_name(cls),
        "collection": issubclass(cls, Collection),
        "settings_type": type_name(cls.__settings_type__),
        "settings_schema": None if schema is None else to_json_form(asdict(schema)),
        "dynamic_settings": isinstance(cls.__streams__.get(SETTINGS_STREAM), InputStream),
        "streams": [_described_stream(cls, name, stream) for name, stream in cls.__streams__.items()],
    }
    if issubclass(cls, Collection):
        form["components"] = [
            described_component(type(child), name, f"{path}/{name}") for name, child in cls.__components__.items()
        ]
    return form


def summary(cls: type[Component]) -> str:
    """Return the first sentence of a class's docstring on one line, empty if it has none of its own."""
    return " ".join(cleandoc(vars(cls).get("__doc__") or "").partition("\n\n")[0].split())


def _described_stream(cls: type[Component], name: str, stream: Stream) -> dict[str, Any]:
    msg_type = resolve_stream_type(cls, stream.msg_type)
    return {"name": name, "kind": type(stream).__name__, "msg_type": type_name(msg_type)}
