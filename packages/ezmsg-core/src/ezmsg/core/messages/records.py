"""Dataclasses whose fields are arrays and plain values: told by their class and fields, with nothing registered.

The form has the names of the fields and what is in each; the head has the plain values, and the shapes of arrays,
which follow. The name of the encoding says where the class is. As with a pickle, no code of the class runs
when an object is put together, and it has the fields that it was sent with. What would not come out as it went in
is left to pickle: classes that say themselves how they are pickled, attributes that are no fields, other classes
within, and parts that two fields share.

::

    name: dataclass:MODULE:CLASS
    form: msgpack of [[field, kind, dtype or nil, memory order or nil], ...]
    head: u32 length | msgpack of [value, or the shape of an array, or the bytes of a scalar, ...]
"""

import functools
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgpack

from ezmsg.core.messages.payload import LENGTH, LENGTH_BYTES, Array, Buffer, align
from ezmsg.core.messages.plain import CONTAINERS, PLAIN, NotPlain, plain
from ezmsg.core.messages.record_classes import names_of, slots_of
from ezmsg.core.support import arrays
from ezmsg.core.support.arrays import PLAIN_KINDS

if TYPE_CHECKING:
    from ezmsg.core.messages.forms import Parted

VALUE, ARRAY, SCALAR = 0, 1, 2

PLANS = 4
"""So many kinds of messages may take turns in one stream without the plan for each being made anew."""

PATIENCE = 32
"""After so many objects in a row with something that is not plain, only each of so many is looked at."""

JOININGS = 256
"""For how many forms it is remembered how objects are put together that came without their stream."""

_AMISS = (NotPlain, AttributeError, TypeError, ValueError, OverflowError, RecursionError)
"""What is raised where an object is not plain: by us, by a slot that is not set, by msgpack."""

_Described = tuple[int, Any, Any]


class Parting:
    """Parts the objects of one dataclass.

    :param patient: look at every object, however many had something that is not plain.
    """

    def __init__(self, cls: type[Any], *, patient: bool = False) -> None:
        self._patient = patient
        self._refused = 0
        self._names = names_of(cls)
        self._slots = bool(slots_of(cls))
        # To make a packer for each message would take longer than to use it.
        self._pack = msgpack.Packer(strict_types=True).pack
        self._plans: tuple[_Plan, ...] = ()

    def __call__(self, value: Any) -> "Parted | None":
        """Return an object in parts, or ``None`` if it has something that is not plain."""
        if self._refused >= PATIENCE and self._refused % PATIENCE and not self._patient:
            self._refused += 1
            return None
        try:
            parted = self._parted(value)
        except _AMISS:
            parted = None
        self._refused = 0 if parted is not None else self._refused + 1
        return parted

    def _parted(self, value: Any) -> "Parted | None":
        if self._slots:
            values = [getattr(value, name) for name in self._names]
        else:
            state = value.__dict__
            if [*state] != self._names:
                return None
            values = [*state.values()]
        for place, plan in enumerate(self._plans):
            parted = plan.part(values)
            if parted is not None:
                if place:
                    self._plans = (plan, *self._plans[:place], *self._plans[place + 1 :])
                return parted
        plan = _Plan(self._names, values, self._pack)
        self._plans = (plan, *self._plans[: PLANS - 1])
        return plan.part(values)

    def dump(self, value: Any) -> Sequence[Buffer] | None:
        """Return an object as buffers, for a message that stands by itself."""
        parted = self(value)
        if parted is None:
            return None
        form, head, following = parted
        return [form, head, *(_flat(array, order) for array, order in following)]


def _flat(array: Array, order: str) -> Buffer:
    if not array.nbytes:
        return b""
    np = sys.modules["numpy"]
    memory: memoryview = np.ravel(array, order=order).view(np.uint8).data
    return memory


class _Plan:
    """One form, and how objects of it are parted."""

    def __init__(self, names: list[str], values: list[Any], pack: Callable[[Any], bytes]) -> None:
        self._pack = pack
        self._fields = [_described(value) for value in values]
        self._array = arrays.ndarray_class()
        described = [
            [name, kind, None if dtype is None else dtype.str, order]
            for name, (kind, dtype, order) in zip(names, self._fields, strict=True)
        ]
        self.form: bytes = msgpack.packb(described)

    def part(self, values: list[Any]) -> "Parted | None":
        """Return an object in parts if it has this form."""
        told: list[Any] = []
        following: list[tuple[Array, Any]] = []
        seen: set[int] = set()
        for value, (kind, dtype, order) in zip(values, self._fields, strict=True):
            if kind == VALUE:
                cls = type(value)
                if cls not in PLAIN:
                    if cls not in CONTAINERS:
                        return None
                    plain(value, seen)
                told.append(value)
                continue
            if kind == SCALAR:
                if not isinstance(value, _generic()) or not _same(value.dtype, dtype):
                    return None
                told.append(value.tobytes())
                continue
            if type(value) is not self._array or not _same(value.dtype, dtype) or _order_of(value) != order:
                return None
            told.append([*value.shape])
            following.append((value, order))
        if len(following) > 1 and len({id(array) for array, _ in following}) < len(following):
            return None
        packed = self._pack(told)
        return self.form, LENGTH.pack(len(packed)) + packed, following


def _described(value: Any) -> _Described:
    if type(value) is arrays.ndarray_class():
        return ARRAY, _plain_dtype(value.dtype), _order_of(value)
    if isinstance(value, _generic()):
        return SCALAR, _plain_dtype(value.dtype), None
    plain(value)
    return VALUE, None, None


def _generic() -> type[Any]:
    """Return NumPy's class of scalars."""
    generic: type[Any] = getattr(arrays.loaded_numpy(), "generic", arrays.NoArray)
    return generic


def _same(dtype: Any, expected: Any) -> bool:
    return dtype is expected or (dtype == expected and dtype.metadata is None)


def _plain_dtype(dtype: Any) -> Any:
    if dtype.kind not in PLAIN_KINDS or dtype.metadata is not None:
        raise NotPlain
    return dtype


def _order_of(array: Any) -> str:
    flags = array.flags
    return "C" if flags.c_contiguous or not flags.f_contiguous else "F"


class Joining:
    """Puts objects of one form together again."""

    def __init__(self, cls: type[Any], form: bytes) -> None:
        described = msgpack.unpackb(form)
        self._made = _by_slots(cls) if slots_of(cls) else _by_dict(cls)
        self._names = [sys.intern(name) for name, *_ in described]
        self._following: list[tuple[int, Any, Any]] = []
        self._scalars: list[tuple[int, Any]] = []
        self._ndarray: Any = None
        for place, (_, kind, dtype, order) in enumerate(described):
            if kind == VALUE:
                continue
            import numpy as np  # where arrays come, if none is sent

            self._ndarray = np.ndarray
            found = np.dtype(dtype)
            if found.kind not in PLAIN_KINDS:  # NumPy would take the bytes of objects for their addresses
                raise ValueError(f"an array of {found} is nothing that is sent in this way")
            if kind == ARRAY:
                self._following.append((place, found, order))
            else:
                self._scalars.append((place, found))

    def join(self, memory: memoryview, start: int, copy: bool) -> Any:
        """Return the object whose head begins at ``start``."""
        (length,) = LENGTH.unpack_from(memory, start)
        begin = start + LENGTH_BYTES
        end = begin + length
        values = self._values(memory[begin:end])
        for place, dtype, order in self._following:
            end = align(end)
            array = values[place] = self._ndarray(values[place], dtype, memory, end, order=order)
            end += array.nbytes
        return self._made(self._names, values)

    def load(self, head: memoryview, following: Sequence[memoryview]) -> Any:
        """Return the object of a message that stands by itself."""
        values = self._values(head[LENGTH_BYTES:])
        for (place, dtype, order), memory in zip(self._following, following, strict=True):
            values[place] = self._ndarray(values[place], dtype, memory if memory.nbytes else None, order=order)
        return self._made(self._names, values)

    def _values(self, packed: memoryview) -> list[Any]:
        values: list[Any] = msgpack.unpackb(packed, strict_map_key=False)
        for place, dtype in self._scalars:
            values[place] = self._ndarray((), dtype, values[place])[()]
        return values


def _by_dict(cls: type[Any]) -> Callable[[list[str], list[Any]], Any]:
    def made(names: list[str], values: list[Any]) -> Any:
        value = object.__new__(cls)
        value.__dict__.update(zip(names, values, strict=True))  # a frozen one can be given no other dictionary
        return value

    return made


def _by_slots(cls: type[Any]) -> Callable[[list[str], list[Any]], Any]:
    def made(names: list[str], values: list[Any]) -> Any:
        value = object.__new__(cls)
        for name, each in zip(names, values, strict=True):
            object.__setattr__(value, name, each)
        return value

    return made


def loader(cls: type[Any]) -> Callable[[Sequence[memoryview]], Any]:
    """Return what puts objects of a class together that were sent without their stream."""
    joining = functools.lru_cache(JOININGS)(functools.partial(Joining, cls))

    def load(buffers: Sequence[memoryview]) -> Any:
        form, head, *following = buffers
        return joining(bytes(form)).load(head, following)

    return load
