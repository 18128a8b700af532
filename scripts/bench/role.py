"""What every process of a measurement does: it says things as JSON, and ends with its standard input.

Runs in the interpreters under test, so nothing but the standard library is imported here. Standard output carries
one JSON object per line. The end of standard input tells a role to finish, so that none outlives a driver that was
killed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.metadata
import json
import os
import platform
import resource
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

GRACE_S = 5.0
WARM_UP_LIMIT_S = 5.0
MAX_SAMPLES = 500_000

Address = tuple[str, int]
Result = dict[str, Any]
Parameters = dict[str, Any]
clock_ns = time.perf_counter_ns


class BenchError(RuntimeError):
    """The endpoints did not do what the workload expects of them."""


def report(event: str, **fields: object) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def processor_ns() -> int:
    """Return the user and system time of this process, with all of its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int((used.ru_utime + used.ru_stime) * 1e9)


def summary(samples: Sequence[int]) -> Result:
    ordered = sorted(samples)
    return {
        "samples": len(ordered),
        "median_ns": ordered[len(ordered) // 2],
        "p99_ns": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        "max_ns": ordered[-1],
    }


def identity(loop: str, *packages: str) -> Result:
    """Say which package, loop and interpreter made a number."""
    return {"package": version_of(*packages), "python": platform.python_version(), "loop": loop}


def version_of(*names: str) -> str:
    """Name the first of the distributions that is here."""
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return f"{name} {importlib.metadata.version(name)}"
    return "unknown"


def wait_for_end_of_input() -> None:
    # The file descriptor itself: the interpreter's exit fails over a daemon thread waiting inside `sys.stdin`.
    while os.read(sys.stdin.fileno(), 4096):
        pass


def on_end_of_input(callback: Callable[[], object]) -> None:
    """Call `callback` at the end of standard input, and leave the hard way if that was not enough."""

    def watch() -> None:
        wait_for_end_of_input()
        with contextlib.suppress(RuntimeError):  # the loop has been closed: the process is leaving already
            callback()
        time.sleep(GRACE_S)
        os._exit(3)

    threading.Thread(target=watch, name="end-of-input", daemon=True).start()


async def until_end_of_input(work: Coroutine[Any, Any, None], deadline: float) -> None:
    task = asyncio.create_task(work)
    loop = asyncio.get_running_loop()
    on_end_of_input(lambda: loop.call_soon_threadsafe(task.cancel))
    try:
        async with asyncio.timeout(deadline):
            await task
    except asyncio.CancelledError:
        traceback.print_exc()  # where it waited; `measure.py` shows it if the measurement failed


def parse(description: str | None) -> argparse.Namespace:
    """Read what `measure.py` writes on a worker's command line."""
    parser = argparse.ArgumentParser(allow_abbrev=False, description=description)
    parser.add_argument("role")
    parser.add_argument("--parameters", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--address", default="")
    parser.add_argument("--number", type=int, default=0, help="which of several processes of one role")
    parser.add_argument("--loop", choices=("asyncio", "uvloop", "blocking"), default="asyncio")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--deadline", type=float, default=60.0)
    return parser.parse_args()
