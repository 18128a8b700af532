"""How long methods take, as lines of a CSV file and as spans of a trace.

The file is for programs that were written for ezmsg 3 and is on when it was there (`profile_log`).
The spans are for whoever traces the unit from outside, file or not. With neither, a call costs a look at both.
"""

import functools
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing, closing
from typing import Any, TypeVar, cast

from ezmsg.core.errors import AddressNotSet, InvalidDecoration
from ezmsg.core.profiling.spans import add_span
from ezmsg.util.profiling.profile_log import get_logger_path, line, logger

__all__ = ["get_logger_path", "profile_method", "profile_subpub"]

F = TypeVar("F", bound=Callable[..., Any])


def profile_method(trace_oldest: bool = True) -> Callable[[F], F]:
    """Measure each call of a method or function, and each item of a generator.

    :param trace_oldest: the sample time in the line is that of the result's first sample, else of its last.
    :raises InvalidDecoration: if what stands below is no function, or ``()`` is missing.
    """
    return _decorator("profile_method", lambda _, result: result, trace_oldest)


def profile_subpub(trace_oldest: bool = True) -> Callable[[F], F]:
    """Measure a unit's subscriber or publisher: a line for each ``(stream, message)`` that it yields.

    What publishing takes is not in it. One that yields nothing has a line for each message it was given.

    :param trace_oldest: the sample time in the line is that of the message's first sample, else of its last.
    :raises InvalidDecoration: if what stands below is no function, or ``()`` is missing.
    """
    return _decorator("profile_subpub", _message, trace_oldest)


def _spent(start_ns: int, name: str) -> int:
    """Add a span from a moment until now, and return now. An object would cost several times what integers do."""
    end_ns = time.perf_counter_ns()
    add_span(start_ns, name)
    return end_ns


def _decorator(decorator: str, message: Callable[..., object], trace_oldest: bool) -> Callable[[F], F]:
    def decorate(func: F) -> F:
        if not callable(func):
            raise _invalid(decorator, func, "a decorator goes above a function")

        def note(start_ns: int, end_ns: int, args: tuple[Any, ...], result: object) -> None:
            if logger.isEnabledFor(logging.DEBUG):
                sample_time = _sample_time(message(args, result), trace_oldest)
                logger.debug("%s", line(*_whose(func, args), sample_time, start_ns, end_ns))

        return cast("F", functools.wraps(func)(_wrapper(func, note)))

    if callable(trace_oldest):
        raise _invalid(decorator, trace_oldest, f"it takes arguments: write @{decorator}()")
    return decorate


def _wrapper(func: Callable[..., Any], note: Callable[..., None]) -> Callable[..., Any]:
    """Return a function of the same kind."""
    name = getattr(func, "__name__", repr(func))
    if inspect.isasyncgenfunction(func):

        async def generate_async(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            async with aclosing(func(*args, **kwargs)) as items:
                while True:
                    start_ns = time.perf_counter_ns()
                    try:
                        item = await anext(items)
                    except StopAsyncIteration:
                        return
                    finally:
                        end_ns = _spent(start_ns, name)
                    note(start_ns, end_ns, args, item)
                    yield item

        return generate_async
    if inspect.isgeneratorfunction(func):

        def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            sent = None
            with closing(func(*args, **kwargs)) as items:
                while True:
                    start_ns = time.perf_counter_ns()
                    try:
                        item = items.send(sent)
                    except StopIteration as stop:
                        return stop.value
                    finally:
                        end_ns = _spent(start_ns, name)
                    note(start_ns, end_ns, args, item)
                    sent = yield item

        return generate
    if inspect.iscoroutinefunction(func):

        async def await_it(*args: Any, **kwargs: Any) -> Any:
            start_ns = time.perf_counter_ns()
            try:
                result = await func(*args, **kwargs)
            finally:
                end_ns = _spent(start_ns, name)
            note(start_ns, end_ns, args, result)
            return result

        return await_it

    def call(*args: Any, **kwargs: Any) -> Any:
        start_ns = time.perf_counter_ns()
        try:
            result = func(*args, **kwargs)
        finally:
            end_ns = _spent(start_ns, name)
        note(start_ns, end_ns, args, result)
        return result

    return call


def _message(args: tuple[Any, ...], result: object) -> object:
    """Return the message that a unit's function passes on, or if it does not, the one that it was given."""
    if isinstance(result, tuple) and len(result) == 2:
        return result[1]
    return args[-1] if args and result is None else result


def _sample_time(message: Any, oldest: bool) -> object:
    """Return when a message's first or last sample was taken, or ``None`` if that cannot be told.

    It is looked at as what it can do: ``axes`` by name, of which ``win`` (windows, each as old as its own first
    sample) goes before ``time``, the names ``dims`` of the axes, and ``data`` with a shape.
    """
    try:
        name = "win" if "win" in message.axes else "time"
        axis, length = message.axes[name], message.data.shape[message.dims.index(name)]
        index = 0 if oldest else length - 1
        if length == 0:
            return None
        return axis.data[index] if hasattr(axis, "data") else axis.offset + index * axis.gain
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _whose(func: Callable[..., Any], args: tuple[Any, ...]) -> tuple[str, str | None]:
    """Return the name of the class whose method was called, and the object's address; a function is its own."""
    owner = type(args[0]) if args else None
    if owner is None or not hasattr(owner, getattr(func, "__name__", "")):
        return f"{func.__module__}.{getattr(func, '__qualname__', repr(func))}", None
    try:
        address = args[0].address
    except (AttributeError, AddressNotSet):
        address = None
    return f"{owner.__module__}.{owner.__name__}", address


def _invalid(decorator: str, func: object, reason: str) -> InvalidDecoration:
    name = str(getattr(func, "__qualname__", repr(func)))
    return InvalidDecoration(decorator=decorator, function=name, reason=reason)
