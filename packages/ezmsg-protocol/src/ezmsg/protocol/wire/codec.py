"""The one converter between messages and bytes: cattrs for classes, msgpack for bytes.

Unions carry a tag under ``"type"``; unknown fields are ignored, missing ones take their defaults; an unknown
subclass decodes as its base and an unknown enum member as ``UNKNOWN``. Where a type says ``Any``, plain values
travel (see :mod:`ezmsg.protocol.wire.plain`). Nothing is ever coerced: a text where a number belongs is an error.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import is_dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ezmsg.protocol import messages
from ezmsg.protocol.declared import written
from ezmsg.protocol.errors import InvalidMessage, MalformedFrame, UnknownMessage
from ezmsg.protocol.wire.plain import PlainArray, pack, to_plain, unpack
from ezmsg.protocol.wire.union_tags import TAG_KEY, UNION_TAGS

if TYPE_CHECKING:
    import cattrs

T = TypeVar("T")

REASON_LENGTH = 1000
"""What is said of a peer's invalid message is cut off here: the reply to a message must not outgrow it."""

TAG_LENGTH = 80
"""The same for a tag that is not known."""

_CLASSES = 1024
"""For how many classes the way out or in is remembered; there are far fewer messages."""

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
        structured: T = _converter().get_structure_hook(cls)(value, cls)
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


def prepare(classes: Iterable[type[Any]]) -> None:
    """Find the ways out and in of messages now, and not with the first of them: before a process forks, say."""
    for cls in classes:
        _way_out(cls)  # type: ignore[arg-type]
        _way_in(cls)  # type: ignore[arg-type]


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
    tag = getattr(cls, "TAG", None) or UNION_TAGS.get(cls)
    if cls is PlainArray or not (tag or is_dataclass(cls) or attrs.has(written(cls))):
        return to_plain
    unstructure = _converter().get_unstructure_hook(cls)
    if tag is None:
        return unstructure
    return lambda value: {TAG_KEY: tag, **unstructure(value)}


@lru_cache(maxsize=_CLASSES)
def _way_in(cls: type[T]) -> Callable[[dict[Any, Any], type[T]], T]:
    """Return what makes a message of a map: the hook of its class without the guard, as a map is sure already."""
    return _converter().gen_structure_attrs_fromdict(written(cls))


@cache
def _converter() -> "cattrs.Converter":
    """Return the converter, made with the first message: it takes longer than an import may."""
    from ezmsg.protocol.wire.converter import make_converter

    return make_converter()


def _invalid(cls: type, error: Exception) -> InvalidMessage:
    import cattrs

    reasons = cattrs.transform_error(error, format_exception=_reason)
    tag = getattr(cls, "TAG", getattr(cls, "__name__", str(cls)))  # a union has neither
    return InvalidMessage(tag=tag, reason="; ".join(reasons[:5])[:REASON_LENGTH])


def _reason(error: BaseException, _type: Any) -> str:
    if isinstance(error, KeyError):
        return f"required field {error} is missing"
    return str(error) or type(error).__name__
