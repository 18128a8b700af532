"""Classes that are declared when their module is imported, and written by attrs when the first of them is made.

attrs writes the methods of a class by compiling text, which takes longer than everything else that an import does;
most programs make only a few of all messages, and errors hardly ever. So :func:`declared` and
:func:`declared_error` keep the options, and leave behind an ``__init__`` that has the class written before it makes
the first instance; from then on nothing is left of this. Whoever looks at a class itself, and not at an instance,
asks :func:`written` for it.

Several threads may write one class at once: each writes the same methods, and nothing is taken away meanwhile.
"""

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, ClassVar, TypeVar, dataclass_transform, overload

import attrs

C = TypeVar("C", bound=type[Any])
T = TypeVar("T")

_FIELD = type(attrs.field())
_unwritten: dict[type[Any], dict[str, Any]] = {}
"""The options of each class that is not written yet."""


@overload
@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def declared(cls: C) -> C: ...
@overload
@dataclass_transform(frozen_default=True, field_specifiers=(attrs.field,))
def declared(*, frozen: bool = True, eq: bool = True) -> Callable[[C], C]: ...
def declared(cls: C | None = None, *, frozen: bool = True, eq: bool = True) -> C | Callable[[C], C]:
    """Declare a class of fields, such as a message, frozen unless it is said otherwise."""

    def declare(cls: C) -> C:
        cls.__reduce__ = _taken_apart  # type: ignore[assignment]
        return _declare(cls, {"frozen": frozen, "eq": eq})

    return declare if cls is None else declare(cls)


@dataclass_transform(kw_only_default=True, eq_default=False, field_specifiers=(attrs.field,))
def declared_error(cls: C) -> C:
    """Declare an error with fields, which are given by name; an error equals only itself."""
    return _declare(cls, {"kw_only": True, "eq": False})


def written(cls: C) -> C:
    """Have attrs write a class and its bases, if that is still to be done; any other class is left alone.

    :return: the class itself.
    """
    for each in reversed(cls.__mro__):
        options = _unwritten.get(each)
        if options is not None:
            attrs.define(each, these=_fields(each), slots=False, auto_detect=False, **options)
            _unwritten.pop(each, None)
    return cls


def write_modules(modules: Iterable[ModuleType]) -> None:
    """Have the classes of some modules written now: before a process forks others, say, which would each do it."""
    names = {module.__name__ for module in modules}
    for cls in [each for each in _unwritten if each.__module__ in names]:
        written(cls)


def changed(instance: T, **changes: Any) -> T:
    """Return a copy of an instance of such a class with other values in some fields."""
    return attrs.evolve(instance, **changes)  # type: ignore[misc]  # mypy knows such a class by its decorator only


def fields_of(cls: type[Any]) -> tuple[str, ...]:
    """Return the names of the fields of such a class."""
    return tuple(each.name for each in attrs.fields(written(cls)))


def _declare(cls: C, options: dict[str, Any]) -> C:
    def make_first(self: Any, *args: Any, **kwargs: Any) -> None:
        """Stand in for the ``__init__`` of a class that is not written yet."""
        written(cls).__init__(self, *args, **kwargs)

    _unwritten[cls] = options
    cls.__init__ = make_first
    return cls


def _taken_apart(self: Any) -> tuple[Any, ...]:
    """Let an instance be pickled and copied so that its class is written where it arrives."""
    return _put_together, (type(self), vars(self))


def _put_together(cls: type[T], values: dict[str, Any]) -> T:
    instance = object.__new__(written(cls))
    vars(instance).update(values)
    return instance


def _fields(cls: type[Any]) -> dict[str, Any]:
    """Return what attrs takes for the fields of a class, without changing the class."""
    fields = {}
    for name, hint in vars(cls).get("__annotations__", {}).items():
        if getattr(hint, "__origin__", hint) is not ClassVar:
            value = vars(cls).get(name, attrs.NOTHING)
            fields[name] = value if type(value) is _FIELD else attrs.field(default=value)
    return fields
