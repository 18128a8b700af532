"""State: what a unit remembers between messages, in named fields that must all have a value before it runs.

Subclassing is declaring, as with settings, but a state is mutable and is made without arguments: defaults are
filled in first, the unit's ``initialize`` assigns the rest, and then every field is looked at.
"""

from abc import ABC
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any

from ezmsg.core.graph.checked_types import AssignedType


@dataclass(unsafe_hash=True, init=False)
class State(ABC, metaclass=AssignedType):
    """The state of a unit: every subclass is a mutable dataclass whose constructor takes no arguments.

    ::

        class CounterState(ez.State):
            count: int = 0
            seen: list[str] = field(default_factory=list)
            device: Device  # has no default, so initialize() must assign it

        class Counter(ez.Unit):
            STATE = CounterState  # assigned, not annotated

            async def initialize(self) -> None:
                self.STATE.device = Device()

    It is made in the process where the unit runs, just before the unit's ``initialize``, so it may hold what cannot
    be pickled: devices, files, locks. A field without a value after ``initialize`` is an error that names it.
    """

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
