"""The event loop that units run on: uvloop's where there is one."""

import asyncio
import importlib.util


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, the fastest there is on this platform."""
    if importlib.util.find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    import uvloop

    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop
