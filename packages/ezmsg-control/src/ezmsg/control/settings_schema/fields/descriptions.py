"""What a reader finds out about a settings type: its fields, and how to make and change values of it."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeAlias

from ezmsg.control.settings_schema.fields.shapes import Shape
from ezmsg.protocol.declared import declared

Validator: TypeAlias = Callable[[Any], object]
"""Raises for what the owning process cannot take, such as a bound that is known only while it runs."""


@declared
class Hints:
    """What a declaration says of a field beside its type."""

    description: str | None = None
    unit: str | None = None
    step: float | None = None
    widget: str | None = None
    validator: Validator | None = None


NO_HINTS = Hints()


@declared(eq=False)
class Field:
    """One field; ``default`` makes the default, and may fail; ``settable`` is false for what nobody can set."""

    name: str
    type_name: str
    shape: Shape
    required: bool
    default: Callable[[], object] | None = None
    hints: Hints = NO_HINTS
    settable: bool = True


@declared(eq=False)
class Description:
    """The fields of one type, with what its library does to make a value and to change fields of a copy.

    :param make: takes the type and the values by field.
    :param replace: takes a value, and what fields shall be by name; never touches the value itself.
    """

    provider: str
    cls: type
    fields: tuple[Field, ...]
    make: Callable[[Any, Mapping[str, Any]], Any]
    replace: Callable[[Any, Mapping[str, Any]], Any]

    @cached_property
    def by_name(self) -> dict[str, Field]:
        """The fields by their names."""
        return {each.name: each for each in self.fields}
