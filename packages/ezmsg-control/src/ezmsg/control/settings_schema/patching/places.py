"""One step into a settings value: what is there, what may be there, and how a copy is made with something else."""

import copy
import inspect
from collections.abc import Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, TypeVar

from ezmsg.control.errors import InvalidSettingsValue, UnknownSettingsField
from ezmsg.control.settings_schema.fields.descriptions import Description, Validator
from ezmsg.control.settings_schema.fields.paths import Step
from ezmsg.control.settings_schema.fields.shapes import ANYTHING, Anything, Either, Items, Row, Shape, Table
from ezmsg.control.settings_schema.fields.wording import allowed, shown
from ezmsg.control.settings_schema.patching.coercion import is_settable, key_of, unknown_field
from ezmsg.control.settings_schema.sources.annotations import annotations_of, shape_of
from ezmsg.control.settings_schema.sources.reading import describe_value
from ezmsg.protocol.declared import declared

_ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray, set, frozenset, type)
_S = TypeVar("_S", bound=Shape)


@declared
class Place:
    """Where a step leads.

    :param current: returns what is there; raises `UnknownSettingsField` if nothing is.
    :param put: takes what shall be there and returns a copy of the whole with it.
    """

    current: Callable[[], Any]
    put: Callable[[Any], Any]
    shape: Shape = ANYTHING
    validator: Validator | None = None


def place_of(holder: Any, declared: Shape, step: Step, path: str) -> Place:
    """Return where a step leads in a value that is declared to have a shape; ``path`` is the step's own.

    :raises UnknownSettingsField: if it leads nowhere, or to what cannot be set.
    """
    description = describe_value(holder)
    if description is not None:
        return _field(holder, description, step, path)
    if isinstance(holder, Mapping):
        return _key(holder, _part(declared, Table), step, path)
    if isinstance(holder, tuple) and isinstance(step, str) and step in getattr(holder, "_fields", ()):
        return _named(holder, step)
    if isinstance(holder, list | tuple):
        return _item(holder, _part(declared, Items) or _part(declared, Row), step, path)
    if isinstance(holder, _ATOMS) or hasattr(holder, "dtype"):
        raise UnknownSettingsField(path=path, reason=f"{shown(holder)} can only be set as a whole")
    return _attribute(holder, step, path)


def _part(declared: Shape, kind: type[_S]) -> _S | None:
    """Return the alternative of a declaration that is about this kind of value."""
    shapes = declared.shapes if isinstance(declared, Either) else (declared,)
    return next((each for each in shapes if isinstance(each, kind)), None)


def _field(holder: Any, description: Description, step: Step, path: str) -> Place:
    if not isinstance(step, str) or not is_settable(description, step):
        raise unknown_field(description, step, path)
    field = description.by_name[step]
    return Place(
        partial(getattr, holder, step),
        lambda new: description.replace(holder, {step: new}),
        field.shape,
        field.hints.validator,
    )


def _key(holder: Mapping[Any, Any], table: Table | None, step: Step, path: str) -> Place:
    key = _untyped_key(holder, step) if table is None else key_of(table, step, path)

    def current() -> Any:
        if key not in holder:
            keys = ", ".join(str(each) for each in holder) or "none"
            raise UnknownSettingsField(path=path, reason=f"there is no such key; the keys are: {shown(keys)}")
        return holder[key]

    def put(new: Any) -> Any:
        changed = copy.copy(holder) if isinstance(holder, MutableMapping) else None
        if changed is None:
            kind: Any = type(holder)  # read-only mappings are made of a dict
            changed = kind({**holder, key: new})
        else:
            changed[key] = new
        if table is not None and not table.length.hold(len(changed)):
            raise InvalidSettingsValue(path=path, value="a new key", allowed=allowed(table))
        return changed

    return Place(current, put, Anything() if table is None else table.value)


def _untyped_key(holder: Mapping[Any, Any], step: Step) -> Any:
    """A path has text and numbers only, and a number may be meant as either."""
    other = str(step) if isinstance(step, int) else int(step) if step.isascii() and step.isdigit() else step
    return other if step not in holder and other in holder else step


def _named(holder: Any, name: str) -> Place:
    types = annotations_of(type(holder), dict(getattr(type(holder), "__annotations__", {})))
    return Place(
        partial(getattr, holder, name), lambda new: holder._replace(**{name: new}), shape_of(types.get(name, Any))
    )


def _item(holder: list[Any] | tuple[Any, ...], declared: Items | Row | None, step: Step, path: str) -> Place:
    if not isinstance(step, int):
        raise UnknownSettingsField(path=path, reason=f"{shown(holder)} has items, which are named as in [0]")
    if step >= len(holder):
        raise UnknownSettingsField(path=path, reason=f"there are {len(holder)} items, counted from 0 on")

    def put(new: Any) -> Any:
        items = [*holder[:step], new, *holder[step + 1 :]]
        return getattr(holder, "_make", type(holder))(items)

    shape: Shape = Anything()
    if isinstance(declared, Items):
        shape = declared.item
    elif declared is not None and step < len(declared.items):
        shape = declared.items[step]
    return Place(lambda: holder[step], put, shape)


def _attribute(holder: Any, step: Step, path: str) -> Place:
    cls = type(holder)
    # What starts with an underscore is not for others, and would lead a path to the class and beyond.
    if not isinstance(step, str) or step.startswith("_") or not hasattr(holder, step):
        raise UnknownSettingsField(path=path, reason=f"{cls.__qualname__} has no such attribute")
    if callable(getattr(cls, step, None)):
        raise UnknownSettingsField(path=path, reason=f"it is a method of {cls.__qualname__}")
    shape = shape_of(annotations_of(cls, {step: Any})[step])
    return Place(partial(getattr, holder, step), partial(_put_attribute, holder, step), shape)


def _put_attribute(holder: Any, name: str, new: Any) -> Any:
    if _copies_with_update(holder):
        return holder.copy(update={name: new})
    changed = copy.deepcopy(holder)
    setattr(changed, name, new)
    return changed


def _copies_with_update(holder: Any) -> bool:
    try:
        return "update" in inspect.signature(holder.copy).parameters
    except (AttributeError, TypeError, ValueError):  # there is no such method, or it does not say what it takes
        return False
