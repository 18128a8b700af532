"""Generators that are sent values: made ready for the first one, and put one behind the other."""

from collections.abc import Callable, Generator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

__all__ = ["compose", "consumer"]

P = ParamSpec("P")
Y = TypeVar("Y")
S = TypeVar("S")


def consumer(func: Callable[P, Generator[Y, S, None]]) -> Callable[P, Generator[Y, S, None]]:
    """Let a function's generators run up to their first ``yield`` at once, so that the first value can be sent.

    What they yield there is thrown away.
    """

    @wraps(func)
    def ready(*args: P.args, **kwargs: P.kwargs) -> Generator[Y, S, None]:
        generator = func(*args, **kwargs)
        next(generator)
        return generator

    return ready


def compose(*funcs: Generator[Any, Any, None]) -> Callable[[Any], Any]:
    """Return a function that sends a value to the first generator, what that yields to the second, and so on."""

    def send(x: Any) -> Any:
        for each in funcs:
            x = each.send(x)
        return x

    return send
