"""On which event loops tests run: on the standard library's and on uvloop, or on the one that is asked for.

``EZMSG_TEST_LOOP=uvloop`` or ``asyncio`` asks for one, where the other is looked at elsewhere.
"""

import asyncio
import os
from typing import Any

WANTED = os.environ.get("EZMSG_TEST_LOOP", "")


def known() -> dict[str, Any]:
    """Return what makes the event loops that there are here, by name."""
    found: dict[str, Any] = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop

        found["uvloop"] = uvloop.new_event_loop
    except ImportError:
        return found
    return found


def factories() -> dict[str, Any]:
    """Return those on which tests run; at least one."""
    found = known()
    return {name: make for name, make in found.items() if name == WANTED} or found
