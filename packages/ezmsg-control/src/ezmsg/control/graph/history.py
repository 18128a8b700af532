"""What became of a component's settings, change by change, and what would take a change back. Pure.

A difference is told at the outermost place at which its parts have come or gone, so that it can be set there.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import frozen

from ezmsg.control.errors import NothingToUndo
from ezmsg.control.settings_schema.fields.omissions import is_omission
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.wire.codec import encode


class _Nothing:
    """Stands where there is no value, as ``None`` is one."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()
"""What was at a place where nothing was."""


@frozen
class FieldChange:
    """What one field was, and what it is; either may be :data:`NOTHING`."""

    path: str
    before: Any
    after: Any


@frozen
class Change:
    """One event of a component's settings; ``fields`` is empty where nothing is known of what was before.

    ``by`` names who asked for it, ``None`` if its program changed it, or the server is of an older release. ``at``
    is wall time in seconds.
    """

    address: str
    seq: int
    revision: int
    kind: SettingsEventType
    at: float
    by: str | None
    value: SettingsSnapshotValue
    fields: tuple[FieldChange, ...] = ()


def changed(event: SettingsChangedEvent, before: SettingsSnapshotValue | None) -> Change:
    """Return an event as a change of what its component had before, as far as that is known."""
    fields: tuple[FieldChange, ...] = ()
    if before is not None and event.event_type is not SettingsEventType.SETTINGS_REMOVED:
        fields = tuple(differences(before.structured_value or {}, event.value.structured_value or {}))
    return Change(
        event.component_address,
        event.seq,
        event.value.revision,
        event.event_type,
        event.timestamp,
        event.changed_by,
        event.value,
        fields,
    )


def histories(events: Iterable[SettingsChangedEvent]) -> dict[str, list[Change]]:
    """Return the changes of each component, the first first, from events in their order."""
    found: dict[str, list[Change]] = {}
    for event in events:
        known = found.setdefault(event.component_address, [])
        known.append(changed(event, standing(known)))
    return found


def standing(changes: Sequence[Change]) -> SettingsSnapshotValue | None:
    """Return what a component has after its changes, ``None`` if nothing is known of it, or it is gone."""
    if not changes or changes[-1].kind is SettingsEventType.SETTINGS_REMOVED:
        return None
    return changes[-1].value


def undoing(changes: Sequence[Change], revision: int | None = None) -> tuple[Change, dict[str, Any]]:
    """Return the change that would be taken back, and what its fields must be set to for that.

    :param changes: a component's, the first first.
    :param revision: the change that made this revision; else the last one that has changed a field.
    :raises NothingToUndo: if there is none, or it cannot be told what was before.
    """
    address = changes[0].address if changes else "?"
    wanted = [each for each in changes if each.fields and revision in (None, each.revision)]
    if not wanted:
        raise NothingToUndo(component=address, revision=revision)
    change = wanted[-1]
    values = {field.path: field.before for field in change.fields if settable(field.before)}
    if len(values) < len(change.fields):
        raise NothingToUndo(component=address, revision=change.revision, lost=True)
    return change, values


def settable(value: object) -> bool:
    """Return whether a value can be set as it was told: it is all there."""
    if value is NOTHING:
        return False
    if isinstance(value, Mapping):
        return not is_omission(value) and all(map(settable, value.values()))
    return all(map(settable, value)) if isinstance(value, list) else True


def differences(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    """Yield where two plain values differ, each at the place where it can be set."""
    if _may_go_inside(before, after, is_root=not path):
        for name in [*before, *(each for each in after if each not in before)]:
            place = f"{path}.{name}" if path else str(name)
            yield from differences(before.get(name, NOTHING), after.get(name, NOTHING), place)
    elif not _is_same(before, after):
        yield FieldChange(path, before, after)


def _may_go_inside(before: Any, after: Any, *, is_root: bool) -> bool:
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return False
    names = {*before, *after}
    if any(not isinstance(name, str) or name.startswith("$") or "." in name or "[" in name for name in names):
        return False
    return is_root or before.keys() == after.keys()


def _is_same(one: Any, other: Any) -> bool:
    if one is NOTHING or other is NOTHING:
        return one is other
    # Also as bytes, because a NaN is not equal to itself; 1 and 1.0 are the same setting, and True and 1 are not.
    return (one == other and isinstance(one, bool) == isinstance(other, bool)) or encode(one) == encode(other)
