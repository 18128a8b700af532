"""Hypothesis strategies for everything that the protocol carries; they need the extra ``ezmsg-protocol[testing]``.

The strategies are directed by the types of the fields, so that a new message or a new field has one at once;
the tables below say only what types cannot say. Whatever they draw, except plain values drawn with
``allow_nan=True``, is equal to itself after a round trip.
"""

import dataclasses
from collections.abc import Callable, Hashable
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ezmsg.protocol import errors as tree
from ezmsg.protocol import messages as tables
from ezmsg.protocol import model
from ezmsg.protocol.declared import written
from ezmsg.protocol.graph.dag import DAG
from ezmsg.protocol.messages.envelopes import Body, Fields
from ezmsg.protocol.model.process_control import ProcessControlOperation
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot
from ezmsg.protocol.wire.codec import to_wire
from ezmsg.protocol.wire.failures import to_failure
from ezmsg.protocol.wire.plain import PlainArray

__all__ = [
    "ERRORS",
    "MODEL",
    "DagOperation",
    "bodies",
    "channel_messages",
    "dag_operations",
    "edges",
    "envelopes",
    "errors",
    "handshake_messages",
    "instances",
    "messages",
    "model_values",
    "plain_arrays",
    "plain_values",
    "requests",
    "snapshots",
    "topics",
]

MODEL: tuple[type[Any], ...] = tuple(
    cls for cls in (getattr(model, name) for name in model.__all__) if hasattr(cls, "__dataclass_fields__")
)
"""Every dataclass of the model."""

ERRORS: tuple[type[tree.EzmsgError], ...] = tuple(
    cls for cls in tree.error_classes().values() if cls.__module__.startswith(f"{tree.__name__}.")
)
"""Every error of the protocol that has a code of its own."""

_MANY = 2
"""The longest list or map in a drawn value; nested, they are large enough."""

_INTS = st.integers(-(2**63), 2**64 - 1)
_TEXT = st.text(max_size=10)
_PATH_PARTS = ("SYSTEM", "A", "B", "FILTER", "INPUT", "OUTPUT")


# --- values ------------------------------------------------------------------------------------------------


def topics() -> SearchStrategy[str]:
    """Names of topics: mostly paths from a small vocabulary, so that they meet, sometimes any text."""
    paths = st.lists(st.sampled_from(_PATH_PARTS), min_size=1, max_size=3).map("/".join)
    return paths | st.text(min_size=1, max_size=10)


def edges() -> SearchStrategy[Edge]:
    """Edges between any two topics, which may be the same."""
    return st.builds(Edge, topics(), topics())


class DagOperation(NamedTuple):
    """One call of a :class:`~ezmsg.protocol.graph.dag.DAG`, not yet made; it may be one that the graph refuses."""

    method: str
    arguments: tuple[Hashable | None, ...]

    def apply(self, dag: DAG) -> object:
        """Make the call.

        :raises CyclicException: if it would close a cycle.
        """
        return getattr(dag, self.method)(*self.arguments)


def dag_operations(nodes: SearchStrategy[str] | None = None) -> SearchStrategy[DagOperation]:
    """Operations by a few owners on the given nodes, or on the topics from ``A`` to ``F``."""
    node = st.sampled_from("ABCDEF") if nodes is None else nodes
    owner: SearchStrategy[Hashable | None] = st.sampled_from((None, "session 1", "session 2"))
    on_edge = st.builds(DagOperation, st.sampled_from(("add_edge", "remove_edge")), st.tuples(node, node, owner))
    return on_edge | st.builds(DagOperation, st.just("remove_owner"), st.tuples(owner))


def plain_arrays() -> SearchStrategy[PlainArray]:
    """Arrays of bytes and of 16-bit integers, of no, one or two dimensions."""

    def of_shape(shape: tuple[int, ...], dtype: str, size: int) -> SearchStrategy[PlainArray]:
        for length in shape:
            size *= length
        return st.binary(min_size=size, max_size=size).map(lambda data: PlainArray(dtype, shape, data))

    shapes = st.lists(st.integers(0, 3), max_size=2).map(tuple)
    return st.tuples(shapes, st.sampled_from((("|u1", 1), ("<i2", 2)))).flatmap(
        lambda drawn: of_shape(drawn[0], *drawn[1])
    )


def plain_values(allow_nan: bool = False, max_leaves: int = 6) -> SearchStrategy[Any]:
    """Values that travel as themselves where a type says ``Any``, nested and of every kind."""
    keys = st.none() | st.booleans() | st.integers() | _TEXT | st.binary(max_size=10)
    atoms = keys | st.floats(allow_nan=allow_nan) | plain_arrays()

    def nest(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
        lists = st.lists(inner, max_size=3)
        key_tuples = st.lists(keys, max_size=3).map(tuple)
        sets = st.sets(keys | key_tuples, max_size=3)
        return (
            lists
            | lists.map(tuple)
            | sets
            | sets.map(frozenset)
            | st.dictionaries(keys | key_tuples, inner, max_size=3)
        )

    return st.recursive(atoms, nest, max_leaves=max_leaves)


# --- classes -----------------------------------------------------------------------------------------------


@cache
def instances(cls: type[Any]) -> SearchStrategy[Any]:
    """Instances of a message, a class of the model, or an error, with every field drawn.

    :raises TypeError: if a field has a type for which there is no rule.
    """
    if cls in _WHOLE:
        return _WHOLE[cls]()
    hints = get_type_hints(cls)
    return st.builds(cls, **{name: _field(name, hints[name]) for name in _field_names(cls)})


def model_values() -> SearchStrategy[Any]:
    """Instances of any dataclass of the model."""
    return st.sampled_from(MODEL).flatmap(instances)


def snapshots() -> SearchStrategy[GraphSnapshot]:
    """Snapshots of a graph; topology, sessions and processes are drawn apart and need not fit together."""
    return instances(GraphSnapshot)


def errors(among: tuple[type[Any], ...] = ERRORS) -> SearchStrategy[Any]:
    """Instances of any error of the protocol, or of those in ``among``."""
    return st.sampled_from(among).flatmap(instances)


def bodies() -> SearchStrategy[Any]:
    """Whatever a request, reply, notice or item may carry."""
    return st.sampled_from(tables.BODIES).flatmap(instances)


def requests() -> SearchStrategy[Any]:
    """The bodies that want an answer."""
    return st.sampled_from(tables.REQUESTS).flatmap(instances)


def envelopes() -> SearchStrategy[Any]:
    """What travels after the handshake; the body inside is in wire form, as ``Connection`` makes it."""
    return st.sampled_from(tables.ENVELOPES).flatmap(instances)


def handshake_messages() -> SearchStrategy[Any]:
    """What travels before a connection is open."""
    return st.sampled_from(tables.HANDSHAKE).flatmap(instances)


def channel_messages() -> SearchStrategy[Any]:
    """What opens and ends channels between two processes."""
    return st.sampled_from(tables.CHANNELS).flatmap(instances)


def messages() -> SearchStrategy[Any]:
    """Every message there is."""
    return bodies() | envelopes() | handshake_messages() | channel_messages()


# --- from types to strategies ------------------------------------------------------------------------------


def _operation_names() -> SearchStrategy[Any]:
    # The name of an operation decodes as the operation, so that as a text it would not be equal to itself.
    others = _TEXT.filter(lambda name: name not in ProcessControlOperation.__members__)
    return st.sampled_from(ProcessControlOperation) | others


def _failed(cls: type[Any], **fields: SearchStrategy[Any]) -> Callable[[], SearchStrategy[Any]]:
    """Code, text and fields belong together: they are those of one error."""

    def strategy() -> SearchStrategy[Any]:
        return st.builds(lambda parts, **drawn: cls(**drawn, **parts._asdict()), errors().map(to_failure), **fields)

    return strategy


def _remote_error() -> SearchStrategy[Any]:
    # What a peer said of an error that is not known here has come over the wire, and is in wire form.
    fields = errors(tuple(cls for cls in ERRORS if cls is not tree.RemoteError)).map(to_wire)
    return st.builds(tree.RemoteError, remote_code=_TEXT, text=_TEXT, remote_fields=fields)


_WHOLE: dict[type[Any], Callable[[], SearchStrategy[Any]]] = {
    tree.RemoteError: _remote_error,
    tables.handshake.Refusal: _failed(tables.handshake.Refusal),
    tables.envelopes.Failure: _failed(tables.envelopes.Failure, id=_INTS),
    tables.envelopes.Goodbye: _failed(tables.envelopes.Goodbye),
}
_BY_NAME: dict[str, Callable[[], SearchStrategy[Any]]] = {
    "topic": topics,
    "from_topic": topics,
    "to_topic": topics,
}
_BY_HINT: dict[Any, Callable[[], SearchStrategy[Any]]] = {
    Any: plain_values,
    NoneType: st.none,
    UUID: st.uuids,
    bool: st.booleans,
    bytes: lambda: st.binary(max_size=40),
    float: lambda: st.floats(allow_nan=False),
    int: lambda: _INTS,
    str: lambda: _TEXT,
    ProcessControlOperation | str: _operation_names,
    Body: lambda: bodies().map(to_wire),
    Fields: lambda: errors().map(to_wire),
}


def _field_names(cls: type[Any]) -> list[str]:
    if attrs.has(written(cls)):
        return [field.name for field in attrs.fields(cls)]
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    return list(cls._fields)  # a NamedTuple


def _field(name: str, hint: Any) -> SearchStrategy[Any]:
    return _BY_NAME[name]() if name in _BY_NAME and hint is str else _of_hint(hint)


def _of_hint(hint: Any) -> SearchStrategy[Any]:
    if hint in _BY_HINT:
        return _BY_HINT[hint]()
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    arguments = [_of_hint(argument) for argument in get_args(hint)]
    match get_origin(hint):
        case None if isinstance(hint, type):
            return instances(hint)
        case origin if origin in (Union, UnionType):
            return st.one_of(arguments)
        case origin if origin is list:
            return st.lists(arguments[0], max_size=_MANY)
        case origin if origin is dict:
            return st.dictionaries(*arguments, max_size=_MANY)
        case origin if origin is tuple:
            return st.tuples(*arguments)
    raise TypeError(f"no strategy for the type {hint}")
