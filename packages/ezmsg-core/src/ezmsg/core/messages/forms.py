"""What stays the same from message to message of a stream: told once to each channel, and named from then on.

An encoding may part an object into what rarely changes, its *form*, and the rest. The publisher keeps its
forms, each with a number; before the first message of a form goes into a channel, the channel is told the form.
So whoever comes late, was cut off or begins anew is told what it needs, by the same order of things as all others.

A description is ``f`` and the number of the form, as u64. Behind it come a head and arrays, each aligned. What a
channel is told of a form is the name of its encoding, behind a byte with its length, and the form.
"""

import struct
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Protocol, TypeVar

from ezmsg.core.errors import UnknownEncoding
from ezmsg.core.messages.payload import Array, align, prefix
from ezmsg.core.messages.registry import Registry

MARK = b"f"
FORM_BYTES = 32 * 1024
"""The longest form; what would be longer is sent with each message."""

FORMS_KEPT = 64
"""For how many forms of a publisher, and of a channel, it is remembered what they are, at least."""

RARELY = 16
"""A form is to serve so many messages on average; a stream whose forms do not is sent without."""

_NUMBER = struct.Struct("<cQ")
HEAD = len(prefix(bytes(_NUMBER.size)))
"""Where the head of a message begins."""

K = TypeVar("K")
V = TypeVar("V")


Parted = tuple[bytes, bytes, Sequence[tuple[Array, Any]]]
"""An object in parts: its form, the same bytes while nothing in it changes; its head; arrays, with their orders."""

Part = Callable[[Any], Parted | None]
"""Parts objects of one stream; ``None`` is for one that has to go another way."""


class Joiner(Protocol):
    """What a receiver has made of a form."""

    def join(self, memory: memoryview, start: int, copy: bool) -> Any:
        """Return the object whose head begins at ``start``; with ``copy``, nothing in it is shared."""


class Form:
    """A form of a publisher: its number, what it was made ``of``, and what a channel is told of it."""

    __slots__ = ("content", "number", "of", "prefix")

    def __init__(self, number: int, of: bytes, content: bytes) -> None:
        self.number = number
        self.of = of
        self.content = content
        self.prefix = prefix(_NUMBER.pack(MARK, number))


class FormPayload:
    """A message that names its form."""

    __slots__ = ("_arrays", "_head", "form", "size")

    def __init__(self, form: Form, head: bytes, arrays: Sequence[tuple[Array, Any]]) -> None:
        self.form = form
        self._head = head
        self._arrays = arrays
        size = len(form.prefix) + len(head)
        for array, _ in arrays:
            size = align(size) + array.nbytes
        self.size = size

    def write(self, memory: memoryview, offset: int) -> None:
        """Lay the message into memory."""
        start = offset + len(self.form.prefix)
        position = start + len(self._head)
        memory[offset:start] = self.form.prefix
        memory[start:position] = self._head
        for array, order in self._arrays:
            position = align(position - offset) + offset
            placed: Array = type(array)(array.shape, array.dtype, memory, position, order=order)
            placed[...] = array
            position += array.nbytes


class Forms:
    """The forms of one publisher's messages."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._parts: dict[type, Part | None] = {}
        self._known: dict[tuple[type, bytes], Form] = {}
        self._last: Form | None = None
        self._count = 0
        self._messages = 0

    def payload(self, value: object) -> FormPayload | None:
        """Return an object as a payload that names its form, or ``None`` if it has none."""
        cls = type(value)
        try:
            part = self._parts[cls]
        except KeyError:
            part = self._part_of(cls)
        if part is None:
            return None
        parted = part(value)
        if parted is None:
            return None
        content, head, arrays = parted
        self._messages += 1
        form = self._last
        if form is None or form.of is not content:
            if len(content) > FORM_BYTES:
                return None
            form = self._last = self._known.get((cls, content)) or self._learn(cls, content)
        return FormPayload(form, head, arrays)

    def _part_of(self, cls: type) -> Part | None:
        encoding = self._registry.of_class(cls)
        part = None if encoding is None or encoding.parting is None else encoding.parting()
        self._parts = remembered(self._parts, cls, part)
        return part

    def _learn(self, cls: type, content: bytes) -> Form:
        encoding = self._registry.of_class(cls)
        assert encoding is not None
        if self._count >= FORMS_KEPT and self._count * RARELY > self._messages:
            self._parts[cls] = None  # its form changes all the time, and telling it costs more than it saves
        name = encoding.name.encode()
        form = Form(self._count, content, bytes([len(name)]) + name + content)
        self._count += 1
        self._known = remembered(self._known, (cls, content), form)
        return form


class HeardForm:
    """A form as its channel was told; its encoding is looked for with the first message."""

    __slots__ = ("_content", "_joiner", "_registry")

    def __init__(self, content: bytes, registry: Registry) -> None:
        self._content = content
        self._registry = registry
        self._joiner: Joiner | None = None

    def join(self, memory: memoryview, copy: bool) -> Any:
        """Return the object of a message.

        :raises UnknownEncoding: if no encoding is installed here that knows the form.
        """
        joiner = self._joiner
        if joiner is None:
            joiner = self._joiner = self._made()
        return joiner.join(memory, HEAD, copy)

    def _made(self) -> Joiner:
        end = 1 + self._content[0]
        name = self._content[1:end].decode()
        encoding = self._registry.of_name(name)
        if encoding is None or encoding.joining is None:
            raise UnknownEncoding(name=name)
        return encoding.joining(self._content[end:])


HeardForms = dict[bytes, HeardForm]
"""The forms that a channel was told, by the description of their messages."""


def heard(forms: HeardForms, number: int, content: bytes, registry: Registry) -> HeardForms:
    """Return what a channel knows after it was told one more form.

    It is another mapping when old ones are forgotten: messages that wait keep the one that they came with.
    """
    return remembered(forms, _NUMBER.pack(MARK, number), HeardForm(content, registry))


def remembered(known: dict[K, V], key: K, value: V) -> dict[K, V]:
    """Return a mapping with one more entry; both ends of a channel forget the same ones, the oldest, by this."""
    if len(known) >= 2 * FORMS_KEPT:
        known = dict(islice(known.items(), FORMS_KEPT, None))
    known.pop(key, None)  # what is told again was told last
    known[key] = value
    return known
