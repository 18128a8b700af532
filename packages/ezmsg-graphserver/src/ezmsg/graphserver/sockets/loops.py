"""The event loop that a server runs on: uvloop's where there is one, with a third of asyncio's time per message.

The units' loop is chosen likewise in ``ezmsg-core``, where a process that starts no server imports nothing of ours.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as :func:`asyncio.run` does, on the fastest loop there is here."""
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.Loop()
    return loop
