"""NumPy's objects inside a pickle, under names of our own.

NumPy's own pickles name private functions of the version that wrote them, and another version may not have these.
So what is in a message is taken apart here, and put together by the functions of this module: their names and
arguments travel, and never change. Elements of arrays lie beside the pickle and are not copied into it.
"""

import io
import pickle
from collections.abc import Callable, Iterable
from typing import Any, cast

import numpy as np

from ezmsg.core.messages.owning import owning
from ezmsg.core.messages.payload import Array
from ezmsg.core.support.arrays import PLAIN_KINDS

_DIRECT_KINDS = "biufcSU"
"""Those of them whose arrays lend their memory as they are."""

CLASSES_LIMIT = 1024
"""For how many classes that derive from NumPy's it is remembered how they are taken apart."""

Reduced = tuple[Any, ...]
Reduce = Callable[[Any], Reduced]


# --- putting together: these travel by name ---------------------------------------------------------------------


def array(buffer: Any, dtype: Any, shape: tuple[int, ...], order: Any) -> Array:
    """Return an array over a buffer, which its reader may write to if it is the reader's own."""
    made: Array = np.ndarray(shape, dtype, buffer, 0, order=order)
    return made.copy(order="K") if owning.now and not made.flags.writeable else made


def array_of_objects(dtype: Any, shape: tuple[int, ...]) -> Array:
    """Return an array whose elements :func:`fill` sets."""
    return np.empty(shape, dtype)


def fill(made: Array, elements: list[Any]) -> None:
    """Set the elements of an array of objects, in C order."""
    flat = made.reshape(-1)
    for place, element in enumerate(elements):
        flat[place] = element


def derived_array(cls: type[Any], shape: tuple[int, ...], kind: Any) -> Any:
    """Return an array of a class that derives from NumPy's; its state follows."""
    return np.ndarray.__new__(cls, shape, kind)


def scalar(dtype: Any, element: bytes) -> Any:
    """Return one element of an array."""
    return np.ndarray((), dtype, bytearray(element))[()]


def bit_generator(name: str, state: dict[str, Any], seed: tuple[Any, ...] | None) -> Any:
    """Return a source of random bits in a certain state."""
    sequence = None
    if seed is not None:
        entropy, spawn_key, pool_size, spawned = seed
        sequence = np.random.SeedSequence(
            entropy, spawn_key=spawn_key, pool_size=pool_size, n_children_spawned=spawned
        )
    made = getattr(np.random, name)(sequence)
    made.state = state
    return made


def generator(bits: Any) -> np.random.Generator:
    """Return a generator of random numbers."""
    return np.random.Generator(bits)


def random_state(bits: Any, state: dict[str, Any]) -> np.random.RandomState:
    """Return a generator of random numbers of the older kind."""
    made = np.random.RandomState(bits)
    made.set_state(state)
    return made


# --- taking apart -----------------------------------------------------------------------------------------------


def _reduce_array(value: Array) -> Reduced:
    dtype = value.dtype
    if dtype.hasobject:
        return array_of_objects, (dtype, value.shape), value.reshape(-1).tolist(), None, None, fill
    flags = value.flags
    order: Any = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
    if order == "C" and not flags.c_contiguous:
        value = value.copy(order)
        dtype = value.dtype
    if dtype.kind in "mM" and not dtype.isnative:
        dtype = dtype.newbyteorder("=")  # as in NumPy's own pickle, where these are copied, too
        value = value.astype(dtype, order=order)
    if dtype.kind in _DIRECT_KINDS and dtype.metadata is None and value.nbytes:
        return array, (_lent(value), dtype.str, value.shape, order)
    if dtype.kind not in PLAIN_KINDS and dtype.kind != "V":
        return _translated(value)  # elements of somebody else's, which only their own pickle knows
    return array, (_bytes_of(value, order), _described(dtype), value.shape, order)


def _lent(value: Any) -> pickle.PickleBuffer:
    return pickle.PickleBuffer(value)


def _described(dtype: np.dtype[Any]) -> Any:
    """Return what makes a dtype for any NumPy: a text, or the dtype, in whose pickle all names are public."""
    return dtype.str if dtype.kind in PLAIN_KINDS and dtype.metadata is None else dtype


def _bytes_of(value: Array, order: str) -> Any:
    """Return the elements of an array whose dtype buffers do not know."""
    if not value.nbytes:
        return b""
    flat = (value.T if order == "F" else value).reshape(-1)
    return _lent(flat.view(np.uint8))


def _reduce_scalar(value: Any) -> Reduced:
    dtype = value.dtype
    if dtype.hasobject:
        return _translated(value)
    return scalar, (_described(dtype), value.tobytes())


def _reduce_bits(value: Any) -> Reduced:
    seed = getattr(value, "seed_seq", None)
    told = None
    if type(seed) is np.random.SeedSequence:
        told = (seed.entropy, seed.spawn_key, seed.pool_size, seed.n_children_spawned)
    return bit_generator, (type(value).__name__, value.state, told)


def _reduce_generator(value: np.random.Generator) -> Reduced:
    return generator, (value.bit_generator,)


def _reduce_random_state(value: np.random.RandomState) -> Reduced:
    state = value.get_state(legacy=False)
    assert isinstance(state, dict)
    return random_state, (value._bit_generator, state)


def _translated(value: Any) -> Reduced:
    """Take an object apart as its class does, with our names for NumPy's functions."""
    reduced: Any = value.__reduce_ex__(5)
    if not isinstance(reduced, tuple):
        return cast(Reduced, reduced)  # a name, as pickle allows
    return (_OURS.get(reduced[0], reduced[0]), *reduced[1:])


_OURS: dict[Any, Any] = {np.zeros(1).view(np.matrix).__reduce__()[0]: derived_array}
"""Our counterparts of functions that have no public name."""

_BITS = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
_SCALARS = {cls for cls in np.sctypeDict.values() if cls is not np.object_}

TABLE: dict[type[Any], Reduce] = {
    np.ndarray: _reduce_array,
    **dict.fromkeys(_SCALARS, _reduce_scalar),
    **dict.fromkeys((np.matrix, np.recarray, np.memmap), _translated),
    **{getattr(np.random, name): _reduce_bits for name in _BITS},
    np.random.Generator: _reduce_generator,
    np.random.RandomState: _reduce_random_state,
}
"""How NumPy's classes are taken apart, and those that derive from them and were met."""


class _Careful(pickle.Pickler):
    """Looks at every object, so that what derives from NumPy's classes is found and remembered."""

    def reducer_override(self, value: Any) -> Any:
        cls = type(value)
        known: Any = self.dispatch_table
        if not isinstance(value, np.ndarray | np.generic) or cls in known:
            return NotImplemented
        if len(TABLE) < CLASSES_LIMIT:
            TABLE[cls] = known[cls] = _translated
        return _translated(value)


def careful() -> type[pickle.Pickler]:
    """Return the pickler for what the table does not hold."""
    return _Careful


def loads_of_another_version(pickled: Any, buffers: Iterable[memoryview]) -> Any:
    """Return an object in whose pickle another version of NumPy has named what it has."""
    return _AnyNumPy(io.BytesIO(pickled), buffers=buffers).load()


_ALSO = {"_core": "core"} if not hasattr(np, "_core") else {"core": "_core"}
"""Where this version of NumPy has what another one has elsewhere."""


class _AnyNumPy(pickle.Unpickler):
    """Finds what another version of NumPy has named, under the name that this one has for it."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except ImportError:
            first, _, rest = module.partition(".")
            if first != "numpy":
                raise
        place: Any = np
        for part in rest.split("."):
            part = _ALSO.get(part, part)
            place = getattr(place, part, None)
            if place is None:
                raise ImportError(f"this version of NumPy has no {module}", name=module)
        return getattr(place, name)
