"""An event loop in a thread of its own, for programs that mix threads with publishers and subscribers."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ezmsg.core.runtime.loops import new_event_loop


@contextmanager
def new_threaded_event_loop(ev: threading.Event | None = None) -> Iterator[asyncio.AbstractEventLoop]:
    """Run a new event loop in a thread while the context lasts.

    On leaving, what still runs on the loop is cancelled and waited for, and the thread ends.

    :param ev: has no effect; programs written for ezmsg 3 pass it.
    """
    loop = new_event_loop()
    thread = threading.Thread(target=_run, args=(loop,), name="ThreadedEventLoop", daemon=True)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
