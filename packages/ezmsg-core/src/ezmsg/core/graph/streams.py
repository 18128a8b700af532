"""What a component declares in its class body to exchange messages: streams on units, topics on collections.

A declaration is shared by all instances of its class and has a name only; every instance of the component holds
copies of its own (:meth:`Stream._bound`), and those get a location. Nothing here publishes or subscribes: an
:class:`InputStream` says which options the runtime shall pass on.
"""

import copy
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from math import inf
from operator import index
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from ezmsg.core.errors import EndpointClosed, InvalidOption
from ezmsg.core.graph.addressable import SEPARATOR, Addressable
from ezmsg.core.graph.generics import Arguments, resolved

SETTINGS_STREAM = "INPUT_SETTINGS"
"""The name of the inlet through which a component takes new settings while it runs; many leave it unconnected."""

DEFAULT_SHM_SIZE = 65536
"""Bytes of one slot of a publisher, until a larger message makes the slots grow."""

DEFAULT_NUM_BUFFERS = 32
"""Messages of a publisher that may be unreleased at a time."""

DEFAULT_MAX_BLOCK_S = 5.0
"""How long a publisher waits for a process that does not answer, in seconds."""


if TYPE_CHECKING:
    M = TypeVar("M", default=Any)  # a bare InputStream may be written; Python itself knows defaults from 3.13 on
else:
    M = TypeVar("M")


class Stream(Addressable, Generic[M]):
    """A named place where messages of one type pass; its address is a topic.

    ``InputStream(float)`` is an ``InputStream[float]``. What type checkers do not take for a class, as a text or a
    union, makes an ``InputStream[Any]``.
    """

    msg_type: Any
    """The type of the messages, as information: nothing checks it while the graph runs."""

    @overload
    def __init__(self, msg_type: type[M]) -> None: ...
    @overload
    def __init__(self: "Stream[Any]", msg_type: Any) -> None: ...
    def __init__(self, msg_type: Any) -> None:
        super().__init__()
        self.msg_type = msg_type

    def __set_name__(self, owner: type, name: str) -> None:
        if self._name is None:
            self._name = name

    def __repr__(self) -> str:
        place = SEPARATOR.join([*(self._location or ()), self._name or "without a name"])
        return f"<{type(self).__name__} {place} of {getattr(self.msg_type, '__name__', self.msg_type)}>"

    def _bound(self, name: str, arguments: Arguments | None = None) -> Self:
        """Return an instance's own copy of this declaration, named ``name`` and not located yet.

        :param arguments: what the instance's class has for type parameters, see `ezmsg.core.graph.generics`.
        """
        bound = copy.copy(self)  # all that it holds cannot be changed, or is the user's type
        bound._name = name
        bound._location = None
        bound.msg_type = resolved(self.msg_type, arguments or {})
        return bound


class InputStream(Stream[M]):
    """A unit's inlet.

    :param leaky: Whether waiting messages are dropped, the oldest first, when there are more than ``max_queue``.
    :param max_queue: How many messages may wait; at least 1. ``None`` is 1 for a leaky stream and no limit else.
    :raises InvalidOption: if ``max_queue`` is not positive.
    """

    @overload
    def __init__(self, msg_type: type[M], leaky: bool = False, max_queue: int | None = None) -> None: ...
    @overload
    def __init__(
        self: "InputStream[Any]", msg_type: Any, leaky: bool = False, max_queue: int | None = None
    ) -> None: ...
    def __init__(self, msg_type: Any, leaky: bool = False, max_queue: int | None = None) -> None:
        super().__init__(msg_type)
        check_max_queue(max_queue)
        self.leaky = leaky
        self.max_queue = max_queue


class OutputStream(Stream[M]):
    """A unit's outlet.

    :param host: The interface on which TCP subscribers are served.
    :param port: The port for them; ``None`` takes a free one.
    :param num_buffers: Messages that may be unreleased before publishing waits.
    :param buf_size: Bytes of a slot to begin with.
    :param force_tcp: Whether every subscriber, also one on this machine, is served over TCP.
    :param allow_local: Whether subscribers in the publisher's process are handed the object itself.
    :param strict_views: Whether what they are handed is read-only, as it is in other processes.
    :param max_block: Seconds that publishing waits for a process that does not answer; ``None`` is without limit.
    :param transport: The transport for processes that share no memory with the publisher's, by its name.
    :raises InvalidOption: if a number is out of range.
    """

    _lend: Callable[[int | tuple[int, ...], Any], AbstractAsyncContextManager[Any]] | None = None
    """What its publisher lends, while the unit runs."""

    @overload
    def __init__(
        self,
        msg_type: type[M],
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool | None = None,
        allow_local: bool | None = None,
        strict_views: bool | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: "OutputStream[Any]",
        msg_type: Any,
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool | None = None,
        allow_local: bool | None = None,
        strict_views: bool | None = None,
    ) -> None: ...
    def __init__(
        self,
        msg_type: Any,
        host: str | None = None,
        port: int | None = None,
        num_buffers: int = DEFAULT_NUM_BUFFERS,
        buf_size: int = DEFAULT_SHM_SIZE,
        force_tcp: bool | None = None,
        allow_local: bool | None = None,
        strict_views: bool | None = None,
        max_block: float | None = DEFAULT_MAX_BLOCK_S,
        transport: str | None = None,
    ) -> None:
        super().__init__(msg_type)
        check_publisher_options(port, num_buffers, buf_size)
        if max_block is not None and not 0 < max_block < inf:
            raise InvalidOption(option="max_block", value=repr(max_block), reason="give seconds, or None")
        self.max_block = max_block
        self.transport = transport
        self.host = host
        self.port = port
        self.num_buffers = num_buffers
        self.buf_size = buf_size
        self.force_tcp = force_tcp
        self.allow_local = allow_local
        self.strict_views = strict_views

    def loan(self, shape: int | tuple[int, ...], dtype: Any = float) -> AbstractAsyncContextManager[Any]:
        """Lend an array to fill in place and then to yield, which need not be copied for other processes::

            async with self.OUTPUT.loan((1000, 64), np.float32) as array:
                self.device.read_into(array)
                yield self.OUTPUT, array

        See :meth:`ezmsg.core.Publisher.loan`.

        :raises EndpointClosed: if the unit does not run.
        """
        if self._lend is None:
            raise EndpointClosed(topic=self._name or "a stream", role="publisher")
        return self._lend(shape, dtype)


class Topic(Stream[M]):
    """A node of the graph on a collection: it joins edges and has no publisher or subscriber of its own."""


class InputTopic(Topic[M]):
    """A topic through which messages enter a collection."""


class OutputTopic(Topic[M]):
    """A topic through which messages leave a collection."""


def check_max_queue(max_queue: int | None) -> None:
    """Refuse a queue that can hold nothing.

    :raises InvalidOption: if it is neither ``None`` nor a positive whole number.
    """
    if max_queue is not None:
        _check_range("max_queue", max_queue, at_least=1)


def check_publisher_options(port: int | None, num_buffers: int, buf_size: int) -> None:
    """Refuse options with which no publisher could be made.

    :raises InvalidOption: if one is not a whole number of its range.
    """
    _check_range("num_buffers", num_buffers, at_least=1)
    _check_range("buf_size", buf_size, at_least=1)
    if port is not None:
        _check_range("port", port, at_least=0, at_most=65535)


def _check_range(option: str, value: int, at_least: int, at_most: int | None = None) -> None:
    try:
        fits = at_least <= index(value) and (at_most is None or value <= at_most)
    except TypeError:
        fits = False
    if not fits:
        bounds = f"from {at_least} to {at_most}" if at_most is not None else f"of at least {at_least}"
        raise InvalidOption(option=option, value=repr(value), reason=f"give a whole number {bounds}")
