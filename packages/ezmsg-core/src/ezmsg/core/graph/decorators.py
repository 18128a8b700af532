"""What the functions of a unit are: tasks, publishers, subscribers, the main function, threads.

A decorator writes attributes on the function and returns it unchanged; the class gathers them when it is made
(`ezmsg.core.graph.declarations`) and the runtime acts on them. The attributes' names are public: tools read
them.
"""

import functools
import inspect
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final, Protocol, TypeVar, cast, overload

from ezmsg.core.errors import InvalidDecoration
from ezmsg.core.graph.addressable import Addressable
from ezmsg.core.graph.streams import InputStream, OutputStream, Stream
from ezmsg.core.profiling.spans import add_span
from ezmsg.core.support.logs import logger

TASK_ATTR: Final = "__ez_task__"
PUBLISHES_ATTR: Final = "__ez_publishes__"
SUBSCRIBES_ATTR: Final = "__ez_subscribes__"
LEAKY_ATTR: Final = "__ez_leaky__"
MAX_QUEUE_ATTR: Final = "__ez_max_queue__"
ZERO_COPY_ATTR: Final = "__ez_zerocopy__"
OWN_COPIES_ATTR: Final = "__ez_own_copies__"
MAIN_ATTR: Final = "__ez_main__"
THREAD_ATTR: Final = "__ez_thread__"
TIMEIT_ATTR: Final = "__ez_timeit__"
PROCESS_ATTR: Final = "__ez_process__"

F = TypeVar("F", bound=Callable[..., Any])
P = TypeVar("P", bound=Callable[..., AsyncIterator[tuple[Stream[Any], Any]]])
R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U")

_UNSET: Final = object()

MYPY = False
"""What mypy alone takes to be true."""


def _without_parentheses(decorator: F) -> F:
    """Have somebody told who writes ``@ez.task()``: this decorator goes above a function as it is."""
    name = decorator.__name__

    @functools.wraps(decorator)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not args and not kwargs:
            reason = f"it takes no parentheses; write @ez.{name}"
            raise InvalidDecoration(decorator=name, function="its function", reason=reason)
        return decorator(*args, **kwargs)

    return cast("F", checked)


@_without_parentheses
def task(func: F) -> F:
    """Run this function once, on the unit's event loop, from the start on."""
    return _mark(func, "task", **{TASK_ATTR: True})


def publisher(stream: OutputStream[Any]) -> Callable[[P], P]:
    """Let this asynchronous generator publish on ``stream`` what it yields as ``(stream, message)``.

    ::

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def double(self, value: float) -> AsyncIterator[tuple[ez.OutputStream[float], float]]:
            yield self.OUTPUT, 2 * value

    Several may be stacked. Together with :func:`subscriber` the generator runs once per message; alone it runs
    once, from the start on. It yields, it does not return: what it returns goes nowhere.

    :raises InvalidDecoration: if ``stream`` is not an :class:`OutputStream`.
    """
    if not isinstance(stream, OutputStream):
        raise _wrong_stream("publisher", "publish to", stream, "an OutputStream")

    def decorate(func: P) -> P:
        streams: list[OutputStream] = getattr(func, PUBLISHES_ATTR, [])
        return _mark(func, "publisher", **{PUBLISHES_ATTR: [*streams, stream], TASK_ATTR: True})

    return decorate


if MYPY:
    # To mypy, Any in InputStream(Any) is a class like others, which would fit no parameter. It cannot be named in
    # an annotation, only handed on.
    A = TypeVar("A")

    class _Subscriber(Protocol[A]):
        @overload
        def __call__(self, stream: InputStream[A], zero_copy: Any = ...) -> Callable[[F], F]: ...
        @overload
        def __call__(
            self, stream: InputStream[T], zero_copy: Any = ...
        ) -> Callable[[Callable[[U, T], R]], Callable[[U, T], R]]: ...

    def _lenient_with(kind: type[A]) -> _Subscriber[A]: ...

    subscriber = _lenient_with(Any)
else:

    def subscriber(
        stream: InputStream[T], zero_copy: Any = _UNSET
    ) -> Callable[[Callable[[U, T], R]], Callable[[U, T], R]]:
        """Call this function for every message of ``stream``.

        ::

            @ez.subscriber(INPUT)
            async def on_message(self, message: float) -> None: ...

        What comes on one stream is handled in turn; several streams, and several units, are handled side by side.
        With ``zero_copy=False`` it is given private copies, which it may change and keep; a leaky stream always
        hands out copies. ``zero_copy=True`` has no effect.

        :raises InvalidDecoration: if ``stream`` is not an :class:`InputStream`, or the function has one already.
        """
        if not isinstance(stream, InputStream):
            raise _wrong_stream("subscriber", "subscribe to", stream, "an InputStream")
        if zero_copy is not _UNSET and zero_copy:
            warnings.warn(
                "@subscriber(zero_copy=True) is deprecated and has no effect: a leaky InputStream hands out copies,"
                " any other the message itself. Leave the argument out.",
                DeprecationWarning,
                stacklevel=2,
            )

        def decorate(func: Callable[[U, T], R]) -> Callable[[U, T], R]:
            if hasattr(func, SUBSCRIBES_ATTR):
                reason = "it cannot subscribe to more than one stream; write one function per stream"
                raise InvalidDecoration(decorator="subscriber", function=_name(func), reason=reason)
            options = {LEAKY_ATTR: stream.leaky, MAX_QUEUE_ATTR: stream.max_queue, ZERO_COPY_ATTR: not stream.leaky}
            if zero_copy is not _UNSET and not zero_copy and not stream.leaky:
                options[OWN_COPIES_ATTR] = True
            return _mark(func, "subscriber", **{SUBSCRIBES_ATTR: stream, TASK_ATTR: True}, **options)

        return decorate


@_without_parentheses
def main(func: F) -> F:
    """Run this function on the main thread of the unit's process; there can be one in each process."""
    return _mark(func, "main", **{MAIN_ATTR: True})


@_without_parentheses
def thread(func: F) -> F:
    """Run this function in a thread of its own. Deprecated: use ``loop.run_in_executor`` in a task."""
    warnings.warn(
        "@thread is deprecated: run background work with loop.run_in_executor(...) from a task.",
        DeprecationWarning,
        stacklevel=3,
    )
    return _mark(func, "thread", **{THREAD_ATTR: True})


@_without_parentheses
def process(func: F) -> F:
    """Give the decorated unit class a process of its own, wherever it is used."""
    return _mark(func, "process", **{PROCESS_ATTR: True})


@_without_parentheses
def timeit(func: F) -> F:
    """Log in milliseconds how long each call of this function takes, its awaits included.

    In what a unit does with a message it is also a sample of ``user_span_ns``, while somebody traces the unit.
    """
    if not callable(func):
        return _mark(func, "timeit")
    if inspect.isasyncgenfunction(func):

        async def generate(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            with _timed(func, args):
                async with aclosing(func(*args, **kwargs)) as items:
                    async for item in items:
                        yield item

        wrapper: Callable[..., Any] = generate
    elif inspect.iscoroutinefunction(func):

        async def await_it(*args: Any, **kwargs: Any) -> Any:
            with _timed(func, args):
                return await func(*args, **kwargs)

        wrapper = await_it
    else:

        def call(*args: Any, **kwargs: Any) -> Any:
            with _timed(func, args):
                return func(*args, **kwargs)

        wrapper = call
    return _mark(cast("F", functools.wraps(func)(wrapper)), "timeit", **{TIMEIT_ATTR: True})


@contextmanager
def _timed(func: Callable[..., Any], args: tuple[Any, ...]) -> Iterator[None]:
    start_ns = time.perf_counter_ns()
    try:
        yield
    finally:
        add_span(start_ns, func.__name__)
        where = f"{args[0]._label()}:" if args and isinstance(args[0], Addressable) else ""
        logger.info("%s%s took %.3f ms", where, _name(func), (time.perf_counter_ns() - start_ns) / 1e6)


def _mark(func: F, decorator: str, **attributes: object) -> F:
    if not callable(func):
        raise InvalidDecoration(
            decorator=decorator, function=_name(func), reason="a decorator goes above a function or a class"
        )
    for name, value in attributes.items():
        setattr(func, name, value)
    return func


def _name(func: object) -> str:
    return str(getattr(func, "__qualname__", repr(func)))


def _wrong_stream(decorator: str, action: str, stream: object, wanted: str) -> InvalidDecoration:
    if inspect.isfunction(stream):  # what stands below a decorator that was not called
        example = f"@ez.{decorator}({'OUTPUT' if decorator == 'publisher' else 'INPUT'})"
        reason = f"nothing says which stream is meant; write {example}, with {wanted} of the unit"
        return InvalidDecoration(decorator=decorator, function=_name(stream), reason=reason)
    reason = f"cannot {action} an object of type {type(stream).__name__}; name {wanted} of the unit"
    return InvalidDecoration(decorator=decorator, function="its function", reason=reason)
