"""A bar for what is longer than a second: on standard error, where that is a terminal, and gone when it is done."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

_SHOWN_FROM_S = 1.0
_TICK_S = 0.1


@asynccontextmanager
async def progress(what: str, seconds: float) -> AsyncIterator[None]:
    """Show how much of some seconds has passed, while the context lasts."""
    if seconds <= _SHOWN_FROM_S or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False) as bar:
        task = asyncio.create_task(_advance(bar, what, seconds))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _advance(bar: "Progress", what: str, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    shown = bar.add_task(what, total=seconds)
    while True:
        bar.update(shown, completed=min(seconds, loop.time() - began_s), refresh=True)
        await asyncio.sleep(_TICK_S)
