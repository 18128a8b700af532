"""The converter that the codec is built on: which hooks of cattrs give each type its plain form, and back.

Importing cattrs and making hooks takes longer than all messages of a short program; the codec enters here with its
first message, and nobody else does.
"""

import enum
import operator
from collections.abc import Callable
from dataclasses import is_dataclass
from functools import cache, lru_cache, partial
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin
from uuid import UUID

import attrs
import cattrs
from cattrs.cols import (
    is_namedtuple,
    list_structure_factory,
    mapping_structure_factory,
    namedtuple_structure_factory,
)

from ezmsg.protocol.declared import written
from ezmsg.protocol.messages.envelopes import Body, Fields
from ezmsg.protocol.model.process_control import ProcessControlOperation
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.wire.plain import to_plain
from ezmsg.protocol.wire.union_tags import TAG_KEY, UNION_TAGS, UNIONS

_UUIDS = 4096
"""How many identities are remembered: a peer names the same ones again and again, and making one takes long."""

_AS_THEY_ARE = (str, bytes, bool)


def _strict(accepted: type) -> Callable[[Any, Any], Any]:
    """Make a hook that takes values of exactly this type: nothing is ever coerced."""
    name = accepted.__name__

    def structure(value: Any, _: Any) -> Any:
        if type(value) is accepted:
            return value
        raise TypeError(f"expected {name}, got {type(value).__name__}")

    return structure


def _int(value: Any, _: Any) -> int:
    # Integers of any size are for plain values; a typed field is for counting, and its text is never huge.
    if type(value) is int and -(2**63) <= value < 2**64:
        return value
    raise TypeError(f"expected int of 64 bits, got {type(value).__name__}")


def _float(value: Any, _: Any) -> float:
    if type(value) is float or type(value) is int:
        return float(value)
    raise TypeError(f"expected float, got {type(value).__name__}")


def _uuid(value: Any, _: Any) -> UUID:
    if type(value) is bytes and len(value) == 16:
        return _uuid_of(value)
    raise TypeError("expected a UUID of 16 bytes")


@lru_cache(maxsize=_UUIDS)
def _uuid_of(value: bytes) -> UUID:
    return UUID(bytes=value)


def _enum(value: Any, cls: type[enum.Enum]) -> enum.Enum:
    if type(value) is not str:
        raise TypeError(f"expected str, got {type(value).__name__}")
    try:
        return cls(value)
    except ValueError:
        unknown: enum.Enum | None = cls.__members__.get("UNKNOWN")
        if unknown is None:
            raise
        return unknown


def _readable(value: Any, _: Any) -> dict[str, Any] | str:
    if isinstance(value, dict | str):
        return value
    raise TypeError(f"expected a map or str, got {type(value).__name__}")


_OPERATIONS: dict[str, ProcessControlOperation | str] = {**ProcessControlOperation.__members__}


def _operation(value: Any, _: Any) -> ProcessControlOperation | str:
    if not isinstance(value, str):
        raise TypeError(f"expected str, got {type(value).__name__}")
    return _OPERATIONS.get(value, value)


def _as_it_is(value: Any) -> Any:
    return value


def _owners_to_wire(owners: dict[Edge, list[str]]) -> list[list[Any]]:
    return [[edge[0], edge[1], list(names)] for edge, names in owners.items()]


def _owners_from_wire(value: Any, _: Any) -> dict[Edge, list[str]]:
    if not isinstance(value, list):
        raise TypeError(f"expected list, got {type(value).__name__}")
    owners = {}
    for item in value:
        match item:
            case [str(start), str(end), list(names)] if all(isinstance(name, str) for name in names):
                owners[Edge(start, end)] = cast("list[str]", names)
            case _:
                raise TypeError("expected [from, to, [owners]]")
    return owners


def _is_optional(cls: Any) -> bool:
    return get_origin(cls) in (Union, UnionType) and len(get_args(cls)) == 2 and NoneType in get_args(cls)


def _optional(converter: cattrs.Converter, cls: Any) -> Callable[[Any, Any], Any]:
    """Make a hook that finds the one for what is not ``None`` now, where cattrs would find it for every value."""
    (inner,) = (member for member in get_args(cls) if member is not NoneType)
    if inner in _AS_THEY_ARE:
        accepted = (inner, NoneType)

        def structure_atom(value: Any, _: Any) -> Any:
            if type(value) in accepted:
                return value
            raise TypeError(f"expected {inner.__name__}, got {type(value).__name__}")

        return structure_atom
    hook = converter.get_structure_hook(inner)

    def structure(value: Any, _: Any) -> Any:
        return None if value is None else hook(value, inner)

    return structure


def _guarded(container: type, make: Callable[[Any], Any]) -> Callable[[Any], Callable[[Any, Any], Any]]:
    """Wrap a factory of hooks, so that they take values of exactly this type.

    cattrs would take any iterable for a list, so that a text becomes a list of letters, and anything at all for
    a class whose fields all have defaults.
    """
    name = container.__name__

    def factory(cls: Any) -> Callable[[Any, Any], Any]:
        inner = make(cls)

        def structure(value: Any, _: Any) -> Any:
            if type(value) is container:
                return inner(value, cls)
            raise TypeError(f"expected {name}, got {type(value).__name__}")

        return structure

    return factory


def _has_fields(cls: Any) -> bool:
    return attrs.has(written(cls) if isinstance(cls, type) else cls) or is_dataclass(cls)


def _guard_containers(converter: cattrs.Converter) -> None:
    guards: list[tuple[Callable[[Any], bool], type, Callable[[Any], Any]]] = [
        (lambda cls: get_origin(cls) is list, list, partial(list_structure_factory, converter=converter)),
        (lambda cls: get_origin(cls) is dict, dict, partial(mapping_structure_factory, converter=converter)),
        (is_namedtuple, list, partial(namedtuple_structure_factory, converter=converter)),
        (_has_fields, dict, converter.gen_structure_attrs_fromdict),
    ]
    for fits, container, make in guards:
        converter.register_structure_hook_factory(fits, _guarded(container, make))


def make_converter() -> cattrs.Converter:
    """Return a converter that knows all shapes; it writes the hooks of a class when the class is first met."""
    converter = cattrs.Converter(unstruct_collection_overrides={tuple: list, set: list, frozenset: list})
    for cls in _AS_THEY_ARE:
        converter.register_structure_hook(cls, _strict(cls))
    converter.register_structure_hook(int, _int)
    converter.register_structure_hook(float, _float)
    converter.register_structure_hook(UUID, _uuid)
    converter.register_unstructure_hook(UUID, lambda value: value.bytes)
    converter.register_structure_hook(enum.Enum, _enum)
    converter.register_structure_hook_factory(_is_optional, partial(_optional, converter))
    converter.register_unstructure_hook_func(is_namedtuple, list)  # those of the model hold scalars only
    converter.register_unstructure_hook_factory(_has_fields, converter.gen_unstructure_attrs_fromdict)
    _guard_containers(converter)
    _register_special_shapes(converter)
    for members in UNIONS:
        _register_union(converter, members)
    return converter


def _register_special_shapes(converter: cattrs.Converter) -> None:
    """The few types of the model that no rule covers: each with its way out and its way in."""
    shapes: list[tuple[Any, Callable[[Any], Any], Callable[[Any, Any], Any]]] = [
        (Any, to_plain, lambda value, _: value),
        (object, to_plain, lambda value, _: value),
        (dict[str, Any], to_plain, _strict(dict)),
        (Body, _as_it_is, _strict(dict)),
        (Fields, _as_it_is, _strict(dict)),
        (dict[str, Any] | str, to_plain, _readable),
        (ProcessControlOperation | str, lambda value: getattr(value, "value", value), _operation),
        (dict[Edge, list[str]], _owners_to_wire, _owners_from_wire),
    ]
    for shape, unstructure, structure in shapes:
        fits = partial(operator.eq, shape)
        converter.register_unstructure_hook_func(fits, unstructure)
        converter.register_structure_hook_func(fits, structure)


def _register_union(converter: cattrs.Converter, members: tuple[type[Any], ...]) -> None:
    """Let the tag decide between the members, as which the first is taken that is not known here."""
    by_tag = {UNION_TAGS[cls]: cls for cls in members}
    way_in: Callable[[Any], Callable[[Any, Any], Any]] = cache(converter.get_structure_hook)
    way_out: Callable[[Any], Callable[[Any], Any]] = cache(converter.get_unstructure_hook)

    def structure(value: Any, _: Any) -> Any:
        tag = value.get(TAG_KEY) if type(value) is dict else None
        cls = by_tag.get(tag, members[0]) if type(tag) is str else members[0]
        return way_in(cls)(value, cls)

    def unstructure(value: Any) -> Any:
        cls = type(value)
        return {**way_out(cls)(value), TAG_KEY: UNION_TAGS[cls]}

    union: Any = Union.__getitem__(members)  # made from a table, so that no type checker can read it
    converter.register_structure_hook(union, structure)
    converter.register_unstructure_hook(union, unstructure)
