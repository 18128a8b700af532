"""The demo with the terminal application on it: each in a process of its own, and both end together."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import IO

from ezmsg.control.connection.announcements import running_graphs

START_LIMIT_S = 20.0
"""How long the demo has until its graph is announced, in seconds."""

END_LIMIT_S = 12.0
"""How long it has for its end: a run takes ten seconds at the most."""

_LOOK_AGAIN_S = 0.05


def watch(seconds: float, speed: str, *, slow: bool) -> int:
    """Run the demo without its display, and the terminal application in front; return its exit code."""
    if find_spec("ezmsg.tui") is None:
        sys.stderr.write("ezmsg: --top needs the terminal application. Install it: pip install ezmsg-tui\n")
        return 1
    words = ["--seconds", f"{seconds:g}", "--speed", speed, *(["--slow"] if slow else [])]
    with tempfile.TemporaryFile() as errors, _demo(words, errors) as process:
        address = _address(process)
        if address is None:
            errors.seek(0)
            sys.stderr.write(errors.read().decode(errors="replace"))
            sys.stderr.write("ezmsg: The demo did not start.\n")
            return 1
        return subprocess.call([sys.executable, "-m", "ezmsg.tui", "--address", address])


@contextmanager
def _demo(words: list[str], errors: IO[bytes]) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen(
        [sys.executable, "-m", "ezmsg.core", "demo", "--json", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,  # so that Ctrl-C at the screen is not for it
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: "subprocess.Popen[bytes]") -> str | None:
    """Return where the graph of the demo is, as soon as it has units; ``None`` if it ends before."""
    named = os.environ.get("EZMSG_GRAPHSERVER_ADDR")
    until_s = time.monotonic() + START_LIMIT_S
    while process.poll() is None and time.monotonic() < until_s:
        if named:
            return named
        for graph in running_graphs():
            if graph.pid == process.pid:
                return str(graph.address)
        time.sleep(_LOOK_AGAIN_S)
    return None
