"""From an annotation to a shape, and from a class to its annotations. What is not understood allows anything."""

import sys
import types
import typing
from collections import abc
from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ezmsg.control.settings_schema.fields.kinds import is_record_type
from ezmsg.control.settings_schema.fields.limits import Limits, as_bound
from ezmsg.control.settings_schema.fields.shapes import (
    Anything,
    Array,
    Binary,
    Choice,
    Flag,
    Instance,
    Items,
    Made,
    Member,
    Null,
    Real,
    Record,
    Row,
    Shape,
    Table,
    Text,
    Whole,
    either,
    sized,
    within,
)
from ezmsg.control.settings_schema.sources.plain_forms import made_of_plain

_SIMPLE: dict[object, Shape] = {
    Any: Anything(),
    object: Anything(),
    None: Null(),
    type(None): Null(),
    bool: Flag(),
    int: Whole(),
    float: Real(),
    str: Text(),
    bytes: Binary(),
}
_MAKERS: dict[object, Callable[[list[Any]], Any]] = {
    **dict.fromkeys((list, abc.Sequence, abc.MutableSequence, abc.Iterable, abc.Collection), list),
    **dict.fromkeys((set, abc.Set, abc.MutableSet), set),
    tuple: tuple,
    frozenset: frozenset,
}
_TABLES = (dict, abc.Mapping, abc.MutableMapping)
_WRAPPERS = (typing.Final, typing.ClassVar, typing.Required, typing.NotRequired)
_BASES: tuple[tuple[type, Shape], ...] = ((int, Whole()), (float, Real()), (str, Text()))


def annotations_of(cls: type, declared: dict[str, Any]) -> dict[str, Any]:
    """Return the fields' annotations with names looked up; one that cannot be stays the text it is.

    :param declared: the annotations by field as the class holds them, resolved or as text.
    """
    try:
        hints = get_type_hints(cls, include_extras=True)
    except Exception:  # noqa: BLE001  an annotation may name what is only there for a type checker, or run anything
        hints = {}
    return {name: hints[name] if name in hints else _resolved(cls, name, each) for name, each in declared.items()}


def shape_of(annotation: Any) -> Shape:
    """Return the shape of what an annotation allows. Never fails: the strangest ones allow anything."""
    try:
        return _shape_of(annotation)
    except Exception:  # noqa: BLE001  protects a registration from annotations that run code of their own
        return Anything()


def type_name(annotation: object) -> str:
    """Return ``module.qualname`` of a class, a text as it is, and the repr of any other annotation."""
    if isinstance(annotation, type) and not get_args(annotation):
        return f"{annotation.__module__}.{annotation.__qualname__}"
    return annotation if isinstance(annotation, str) else repr(annotation)


def limits_from(described: object) -> Limits:
    """Return the bounds that an object's ``ge``, ``gt``, ``le`` and ``lt`` name, as those of annotated_types do."""
    ge, gt, le, lt = (as_bound(getattr(described, each, None)) for each in ("ge", "gt", "le", "lt"))
    return Limits(ge, le).narrowed(Limits(gt, lt, above=True, below=True))


def length_from(described: object) -> Limits:
    """Return the lengths that an object's ``min_length`` and ``max_length`` allow."""
    shortest, longest = (as_bound(getattr(described, f"{each}_length", None)) for each in ("min", "max"))
    return Limits(shortest, longest)


def _resolved(cls: type, name: str, annotation: Any) -> Any:
    """Look one annotation up on its own, in the modules where it may have been written."""
    if not isinstance(annotation, str):
        return annotation
    owners = [each for each in cls.__mro__ if name in vars(each).get("__annotations__", {})]
    for owner in owners or [cls]:
        holder: Any = SimpleNamespace(__annotations__={name: annotation})
        names = dict(vars(sys.modules.get(owner.__module__, typing)))
        try:
            return get_type_hints(holder, names, dict(vars(owner)), include_extras=True)[name]
        except Exception:  # noqa: BLE001 see `annotations_of`
            continue
    return annotation


def _shape_of(annotation: Any) -> Shape:
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is None and annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if origin is Annotated:
        return _narrowed(_shape_of(args[0]), annotation.__metadata__)
    if origin is Literal:
        return Choice(Anything(), args)
    if origin in (Union, types.UnionType):
        return either([_shape_of(each) for each in args])
    if origin in _WRAPPERS and args:
        return _shape_of(args[0])
    # A NewType, or a `type X = ...` of Python 3.12
    behind = getattr(annotation, "__supertype__", None) or getattr(annotation, "__value__", None)
    if not isinstance(annotation, type) and behind is not None:
        return _shape_of(behind)
    cls = origin or annotation
    if not isinstance(cls, type) or isinstance(annotation, TypeVar):
        return Anything()
    return _container(cls, args) or _class(cls)


def _container(cls: type, args: tuple[Any, ...]) -> Shape | None:
    if cls is tuple and args and args[-1] is not Ellipsis:
        return Row(() if args == ((),) else tuple(_shape_of(each) for each in args))
    if cls in _MAKERS:
        return Items(_shape_of(args[0]) if args else Anything(), _MAKERS[cls])
    if cls in _TABLES:
        key, value = args or (Any, Any)
        return Table(_shape_of(key), _shape_of(value))
    return None


def _class(cls: type) -> Shape:
    if issubclass(cls, Enum):
        return Member(cls, tuple(cls))
    if is_record_type(cls):
        return Record(cls)
    if typing.is_typeddict(cls):
        return Table(Text(), Anything())
    if (made := made_of_plain(cls)) is not None:
        return made
    ancestors = {f"{each.__module__}.{each.__name__}" for each in cls.__mro__}
    if "numpy.ndarray" in ancestors:
        return Array(cls)
    if "numpy.integer" in ancestors:
        return Made(cls, Whole())
    if "numpy.floating" in ancestors:
        return Made(cls, Real())
    for base, shape in _BASES:
        if issubclass(cls, base):
            return Made(cls, shape)
    return Instance(cls)


def _narrowed(shape: Shape, extras: tuple[Any, ...]) -> Shape:
    for extra in extras:
        for each in (extra, *(getattr(extra, "metadata", None) or ())):  # pydantic's Field holds them inside
            shape = sized(within(shape, limits_from(each)), length_from(each))
    return shape
