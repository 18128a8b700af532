"""The event loop that units run on: uvloop's where there is one."""

import asyncio
from collections.abc import Callable


def find_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    """Return what makes the fastest event loop there is here. It is imported late, as that takes long."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    made: Callable[[], asyncio.AbstractEventLoop] = uvloop.Loop
    return made


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop."""
    return find_loop()()
