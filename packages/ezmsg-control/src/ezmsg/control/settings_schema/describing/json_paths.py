"""Where a path leads in a JSON Schema, as `json_schema` and pydantic write them; for who has no settings type."""

from collections.abc import Mapping
from typing import Any

from ezmsg.control.errors import UnknownSettingsField
from ezmsg.control.settings_schema.fields.paths import Step, parse_path

_OPEN: dict[str, Any] = {}


def subschema(schema: Mapping[str, Any] | None, path: str) -> Mapping[str, Any]:
    """Return the schema of what is at a path; where that cannot be told, the empty one, which allows anything."""
    try:
        steps = parse_path(path)
    except UnknownSettingsField:
        return _OPEN
    here: Mapping[str, Any] = schema or _OPEN
    for step in steps:
        here = _child(_resolved(here, schema), step, schema)
    return _resolved(here, schema)


def _resolved(here: Mapping[str, Any], root: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Follow one reference; what stands beside it counts more."""
    reference = here.get("$ref")
    if root is None or not isinstance(reference, str) or not reference.startswith("#"):
        return here
    target: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        target = target.get(name, _OPEN) if name and isinstance(target, Mapping) else target
    return {**target, **{key: value for key, value in here.items() if key != "$ref"}}


def _child(here: Mapping[str, Any], step: Step, root: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if isinstance(step, int):
        rows = here.get("prefixItems", ())
        found = rows[step] if step < len(rows) else here.get("items")
    else:
        found = here.get("properties", _OPEN).get(step, here.get("additionalProperties"))
    if isinstance(found, Mapping):
        return found
    for each in here.get("anyOf", ()):
        inside = _child(_resolved(each, root), step, root)
        if inside:
            return inside
    return _OPEN
