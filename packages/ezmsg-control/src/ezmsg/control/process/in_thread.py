"""Calls of a user's function that must not hold up an event loop, each in a daemon thread of its own.

No pool: its threads would keep the interpreter from ending while a function hangs.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(
    function: Callable[[], T],
    name: str = "ezmsg-call",
    not_started: Callable[[], object] = lambda: None,
    too_late: Callable[[], object] = lambda: None,
) -> T:
    """Call a function in a thread and return what it returns, or raise what it raises.

    Who gives up waiting does not stop the function; what it then returns is dropped.

    :param not_started: called if there can be no more threads, in place of the function.
    :param too_late: called when the function ends and nobody waits any more.
    :raises RuntimeError: then.
    """
    try:
        outcome = started_in_thread(function, name, too_late)
    except RuntimeError:
        not_started()
        raise
    return (await outcome)()


def started_in_thread(
    function: Callable[[], T], name: str = "ezmsg-call", too_late: Callable[[], object] = lambda: None
) -> asyncio.Future[Callable[[], T]]:
    """Begin to call a function in a thread; calling what the future holds in the end returns or raises as it did.

    :param too_late: called when the function ends and the future was cancelled.
    :raises RuntimeError: if there can be no more threads.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[Callable[[], T]] = loop.create_future()

    def work() -> None:
        try:
            result = partial(_returned, function())
        except BaseException as error:  # noqa: BLE001  it is raised where the call is awaited
            result = partial(_raised, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
            loop.call_soon_threadsafe(_settle, outcome, result, too_late)

    threading.Thread(target=work, name=name, daemon=True).start()
    return outcome


def _settle(outcome: asyncio.Future[Any], result: Callable[[], Any], too_late: Callable[[], object]) -> None:
    if outcome.done():
        too_late()
    else:
        outcome.set_result(result)


def _returned(value: T) -> T:
    return value


def _raised(error: BaseException) -> Any:
    raise error
