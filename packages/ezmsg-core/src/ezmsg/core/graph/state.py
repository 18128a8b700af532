"""State: what a unit remembers between messages, in named fields that must all have a value before it runs.

Subclassing is declaring, as with settings, but a state is mutable and is made without arguments: defaults are
filled in first, the unit's ``initialize`` assigns the rest, and then every field is looked at.
"""

from abc import ABC
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any


@dataclass(unsafe_hash=True, init=False)
class State(ABC):  # noqa: B024  an ABC for its metaclass: users mix it with theirs
    """The state of a unit: every subclass is a mutable dataclass whose constructor takes no arguments."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(unsafe_hash=True, init=False)(cls)


def fill_defaults(state: object) -> None:
    """Call the default factories of fields that are not assigned; plain defaults are there as class attributes."""
    if is_dataclass(state):
        for each in fields(state):
            if each.default_factory is not MISSING and each.name not in vars(state):
                setattr(state, each.name, each.default_factory())


def unset_fields(state: object) -> list[str]:
    """Return the names of the fields that have no value."""
    if not is_dataclass(state):
        return []
    return [each.name for each in fields(state) if not hasattr(state, each.name)]
