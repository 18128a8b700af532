"""The one converter between messages and bytes: cattrs for classes, msgpack for bytes.

Unions carry a tag under ``"type"``; unknown fields are ignored, missing ones take their defaults; an unknown
subclass decodes as its base and an unknown enum member as ``UNKNOWN``. Where a type says ``Any``, plain values
travel (see :mod:`ezmsg.protocol.wire.plain`). Nothing is ever coerced: a text where a number belongs is an error.
"""

import enum
import operator
from collections.abc import Callable, Collection
from dataclasses import is_dataclass
from functools import lru_cache, partial
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin
from uuid import UUID

import attrs
import cattrs
from cattrs.cols import (
    is_namedtuple,
    list_structure_factory,
    mapping_structure_factory,
    namedtuple_structure_factory,
)
from cattrs.strategies import configure_tagged_union

from ezmsg.protocol import messages
from ezmsg.protocol.errors import InvalidMessage, MalformedFrame, UnknownMessage
from ezmsg.protocol.messages.envelopes import Body, Fields
from ezmsg.protocol.model import metadata as md
from ezmsg.protocol.model.process_control import ProcessControlOperation
from ezmsg.protocol.model.snapshot import Edge
from ezmsg.protocol.wire.plain import PlainArray, pack, to_plain, unpack

T = TypeVar("T")
TAG_KEY = "type"

REASON_LENGTH = 1000
"""What is said of a peer's invalid message is cut off here: the reply to a message must not outgrow it."""

TAG_LENGTH = 80
"""The same for a tag that is not known."""

_CLASSES = 1024
"""For how many classes the way out or in is remembered; there are far fewer messages."""

_UUIDS = 4096
"""How many identities are remembered: a peer names the same ones again and again, and making one takes long."""

_STREAMS = (md.StreamMetadata, md.InputStreamMetadata, md.OutputStreamMetadata)
_TOPICS = (md.TopicMetadata, md.InputTopicMetadata, md.OutputTopicMetadata)
_RELAYS = (md.RelayMetadata, md.InputRelayMetadata, md.OutputRelayMetadata)
_COMPONENTS = (md.ComponentMetadata, md.CollectionMetadata, md.UnitMetadata)

_UNION_TAGS: dict[type, str] = {
    md.StreamMetadata: "stream",
    md.InputStreamMetadata: "input",
    md.OutputStreamMetadata: "output",
    md.TopicMetadata: "topic",
    md.InputTopicMetadata: "input",
    md.OutputTopicMetadata: "output",
    md.RelayMetadata: "relay",
    md.InputRelayMetadata: "input",
    md.OutputRelayMetadata: "output",
    md.ComponentMetadata: "component",
    md.CollectionMetadata: "collection",
    md.UnitMetadata: "unit",
}
_BY_TAG: dict[str, type[Any]] = {
    cls.TAG: cls for cls in (*messages.HANDSHAKE, *messages.ENVELOPES, *messages.BODIES, *messages.CHANNELS)
}
_BODIES = frozenset(messages.BODIES)


def encode(value: object) -> bytes:
    """Return the bytes of a message, a model dataclass or a plain value.

    A message or dataclass of a tagged union carries its tag, so that :func:`decode` finds the class again.
    """
    return pack(to_wire(value))


def decode(data: bytes, cls: type[T]) -> T:
    """Return the value of type ``cls`` that ``data`` holds.

    :raises MalformedFrame: if the bytes are not msgpack.
    :raises InvalidMessage: if the content does not fit ``cls``; the reason names the path.
    """
    return from_wire(_unpacked(data), cls)


def to_wire(value: object) -> Any:
    """Return a value as maps, lists and plain values, with its tag if its class has one."""
    return _way_out(type(value))(value)  # type: ignore[arg-type]  # mypy looks at the hash of its instances


def from_wire(value: Any, cls: type[T]) -> T:
    """Give plain maps and lists their class.

    :raises InvalidMessage: if they do not fit; the reason names the path.
    """
    try:
        structured: T = _converter.get_structure_hook(cls)(value, cls)
    # Protects this side from whatever the peer's bytes make the converter or a class's validators raise.
    except Exception as error:
        raise _invalid(cls, error) from error
    return structured


def body_from_wire(value: Any, among: Collection[type[Any]] = _BODIES) -> Any:
    """Give a map its class by its tag, which must be that of one of the classes in ``among``.

    :raises UnknownMessage: if it is not.
    :raises InvalidMessage: if the fields do not fit.
    """
    tag = value.get(TAG_KEY) if type(value) is dict else None
    cls = _BY_TAG.get(tag) if type(tag) is str else None
    if cls is None or cls not in among:
        raise UnknownMessage(tag=str(tag)[:TAG_LENGTH])
    try:
        return _way_in(cls)(value, cls)  # type: ignore[arg-type]
    except Exception as error:  # see from_wire
        raise _invalid(cls, error) from error


def unpack_map(data: bytes, max_items: int | None = None) -> dict[Any, Any]:
    """Unpack a frame's body, which must be a map.

    :param max_items: the longest list or map allowed inside, or ``None`` for no limit but the bytes there are.
    :raises MalformedFrame: if it is not a map, or holds a longer one.
    """
    value = _unpacked(data, max_items)
    if type(value) is not dict:
        raise MalformedFrame(reason=f"its body is a {type(value).__name__} and not a map")
    return value


def _unpacked(data: bytes, max_items: int | None = None) -> Any:
    try:
        return unpack(data, max_items)
    except ValueError as error:
        raise MalformedFrame(reason=str(error) or type(error).__name__) from error


@lru_cache(maxsize=_CLASSES)
def _way_out(cls: type) -> Callable[[Any], Any]:
    """Return what makes the values of a class plain, found once and not for each of them."""
    tag = getattr(cls, "TAG", None) or _UNION_TAGS.get(cls)
    if cls is PlainArray or not (tag or is_dataclass(cls) or attrs.has(cls)):
        return to_plain
    unstructure = _converter.get_unstructure_hook(cls)
    if tag is None:
        return unstructure
    return lambda value: {TAG_KEY: tag, **unstructure(value)}


@lru_cache(maxsize=_CLASSES)
def _way_in(cls: type[T]) -> Callable[[dict[Any, Any], type[T]], T]:
    """Return what makes a message of a map: the hook of its class without the guard, as a map is sure already."""
    return _converter.gen_structure_attrs_fromdict(cls)


def _invalid(cls: type, error: Exception) -> InvalidMessage:
    reasons = cattrs.transform_error(error, format_exception=_reason)
    tag = getattr(cls, "TAG", getattr(cls, "__name__", str(cls)))  # a union has neither
    return InvalidMessage(tag=tag, reason="; ".join(reasons[:5])[:REASON_LENGTH])


def _reason(error: BaseException, _type: Any) -> str:
    if isinstance(error, KeyError):
        return f"required field {error} is missing"
    return str(error) or type(error).__name__


# --- the converter -----------------------------------------------------------------------------------------


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


def _guard_containers(converter: cattrs.Converter) -> None:
    guards: list[tuple[Callable[[Any], bool], type, Callable[[Any], Any]]] = [
        (lambda cls: get_origin(cls) is list, list, partial(list_structure_factory, converter=converter)),
        (lambda cls: get_origin(cls) is dict, dict, partial(mapping_structure_factory, converter=converter)),
        (is_namedtuple, list, partial(namedtuple_structure_factory, converter=converter)),
        (lambda cls: attrs.has(cls) or is_dataclass(cls), dict, converter.gen_structure_attrs_fromdict),
    ]
    for fits, container, make in guards:
        converter.register_structure_hook_factory(fits, _guarded(container, make))


def _make_converter() -> cattrs.Converter:
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
    _guard_containers(converter)
    _register_special_shapes(converter)
    for members in (_STREAMS, _TOPICS, _RELAYS, _COMPONENTS):
        configure_tagged_union(
            Union[members],  # noqa: UP007  a union made from a table
            converter,
            tag_generator=_UNION_TAGS.__getitem__,
            tag_name=TAG_KEY,
            default=members[0],
        )
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


_converter = _make_converter()
