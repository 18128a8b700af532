"""``ezmsg components``: what installed distributions register, as lines and as plain forms."""

from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint
from typing import Any

from ezmsg.control.rendering.columns import aligned
from ezmsg.core.commands.programs.describing import described_component, summary
from ezmsg.core.commands.programs.loading import load_registered


def component_lines(points: dict[str, EntryPoint]) -> Iterator[str]:
    """Yield a line for each component: its name, where it is, whose it is."""
    rows = [(name, point.value, _distribution(point)) for name, point in points.items()]
    return aligned([("NAME", "CLASS", "DISTRIBUTION"), *rows]) if rows else iter(())


def component_forms(points: dict[str, EntryPoint]) -> Iterator[dict[str, Any]]:
    """Yield the same for JSON."""
    for name, point in points.items():
        dist = point.dist
        yield {
            "name": name,
            "class": point.value,
            "distribution": None if dist is None else dist.name,
            "version": None if dist is None else dist.version,
        }


def info_lines(name: str, point: EntryPoint) -> Iterator[str]:
    """Yield what a component is: its streams and settings, and how it is run. It is imported for that.

    :raises ProgramNotLoaded: if it cannot be imported.
    """
    cls = load_registered(point)
    form = described_component(cls)
    kind = "collection" if form["collection"] else "unit"
    yield f"{name}   {kind}   {form['component_type']}   {_distribution(point)}"
    if said := summary(cls):
        yield said
    yield from _table("streams", [(each["name"], each["kind"], each["msg_type"]) for each in form["streams"]])
    fields = (form["settings_schema"] or {}).get("fields", ())
    yield from _table("settings", [_field_row(field) for field in fields])
    inside = [(each["name"], each["component_type"]) for each in form.get("components", ())]
    yield from _table("components", inside)
    required = " ".join(f"{field['name']}=..." for field in fields if field["required"])
    yield f"run it: ezmsg run {name} {required}".rstrip()


def info_form(name: str, point: EntryPoint) -> dict[str, Any]:
    """Return the same for JSON.

    :raises ProgramNotLoaded: if it cannot be imported.
    """
    cls = load_registered(point)
    return {"registered_as": name, "summary": summary(cls), **described_component(cls)}


def _table(title: str, rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if rows:
        yield f"{title}:"
        yield from aligned(rows, indent="  ")


def _field_row(field: dict[str, Any]) -> tuple[str, ...]:
    default = "required" if field["required"] else f"default {field['default']}"
    return field["name"], field["field_type"].removeprefix("builtins."), default, field["description"] or ""


def _distribution(point: EntryPoint) -> str:
    return "" if point.dist is None else f"{point.dist.name} {point.dist.version}"
