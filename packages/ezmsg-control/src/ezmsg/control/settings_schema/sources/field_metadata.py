"""The metadata that a declaration gives a field: ``min``, ``max``, ``ge``, ``le``, ``gt``, ``lt``, ``choices``,
``description``, ``unit``, ``step``, ``widget`` and ``validator``.

What has not the type it should have is not there: a declaration with a mistake must not stop a program.
"""

from collections.abc import Mapping
from typing import Any

from ezmsg.control.settings_schema.fields.descriptions import Hints
from ezmsg.control.settings_schema.fields.limits import Limits, as_bound
from ezmsg.control.settings_schema.fields.shapes import Shape, among, within


def hints_from(metadata: Mapping[Any, Any], description: object = None) -> Hints:
    """Return the hints in a field's metadata; ``description`` stands where it has none."""
    validator = metadata.get("validator")
    return Hints(
        description=_text(metadata.get("description")) or _text(description),
        unit=_text(metadata.get("unit")),
        step=as_bound(metadata.get("step")),
        widget=_text(metadata.get("widget")) or _text(metadata.get("widget_hint")),
        validator=validator if callable(validator) else None,
    )


def shape_with(shape: Shape, metadata: Mapping[Any, Any]) -> Shape:
    """Return the shape held to the bounds and choices in a field's metadata."""
    bounds = {each: as_bound(metadata.get(each)) for each in ("min", "max", "ge", "le", "gt", "lt")}
    shape = within(shape, Limits(bounds["min"], bounds["max"]))
    shape = within(shape, Limits(bounds["ge"], bounds["le"]))
    shape = within(shape, Limits(bounds["gt"], bounds["lt"], above=True, below=True))
    choices = metadata.get("choices")
    if isinstance(choices, Mapping):  # label -> value, as param has it
        choices = tuple(choices.values())
    return among(shape, tuple(choices)) if isinstance(choices, list | tuple | set | frozenset) else shape


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
