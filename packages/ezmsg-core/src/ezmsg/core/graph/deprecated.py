"""Two message classes that older programs still use. New programs send dataclasses or arrays."""

from abc import ABC
from dataclasses import dataclass, field
from typing import Any, dataclass_transform


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
@dataclass(unsafe_hash=True, frozen=True)
class Message(ABC):  # noqa: B024  an ABC for its metaclass: users mix it with theirs
    """A message: every subclass is a frozen dataclass with a hash.

    Deprecated: write ``@dataclass(frozen=True)`` instead.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(unsafe_hash=True, frozen=True)(cls)


@dataclass
class Flag:
    """A message that says nothing but that it came. Deprecated: send ``None``, or a class of your own."""
