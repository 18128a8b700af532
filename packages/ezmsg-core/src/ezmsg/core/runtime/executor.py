"""Threads that units lend work to (``asyncio.to_thread``): they know for whom they work."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any

current_unit: ContextVar[str] = ContextVar("current_unit", default="")
"""The address of the unit, and the name of its function, on whose behalf code runs."""

working_for: dict[int, str] = {}
"""For whom each thread of an executor works at this moment, by the thread's identifier."""


class UnitsExecutor(ThreadPoolExecutor):
    """The default executor of the units' event loop."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_work, current_unit.get(), fn, args, kwargs)


def _work(unit: str, fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    ident = threading.get_ident()
    working_for[ident] = unit
    try:
        return fn(*args, **kwargs)
    finally:
        del working_for[ident]
