"""Classes that older programs still use: messages of a kind of their own, and another name for a collection."""

import warnings
from abc import ABC
from dataclasses import dataclass, field
from typing import Any, dataclass_transform

from ezmsg.core.graph.collection import Collection


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


class System(Collection):
    """A collection, by the name that the outermost one once had. Deprecated: subclass :class:`Collection`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        warnings.warn(
            f"ez.System is deprecated, it is a Collection: write class {cls.__name__}(ez.Collection).",
            DeprecationWarning,
            stacklevel=3,  # this function, ABCMeta.__new__, and then the class statement
        )
