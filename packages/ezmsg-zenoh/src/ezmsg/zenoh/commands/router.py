"""A router of Zenoh in this process, from its opening to a signal: what `zenohd` is, in Python."""

import contextlib
import json
import queue
import signal
from collections.abc import Callable, Iterator
from typing import Any

import zenoh

from ezmsg.zenoh.errors import RouterUnusable, reason_of

_ENDS = (signal.SIGINT, signal.SIGTERM)


def serve(path: str, endpoints: list[str], opened: Callable[[list[str]], None]) -> None:
    """Pass messages on until SIGINT or SIGTERM; only a main thread can.

    :param path: a configuration file of Zenoh's own, taken as it is; without one, ``endpoints`` are listened at.
    :param opened: is told where it listens.
    :raises RouterUnusable: if the file is none for a router, or there cannot be listened.
    """
    zenoh.init_log_from_env_or("warn")  # who is not let in is a warning
    configuration = _read(path) if path else _plain(endpoints)
    listening = _endpoints(configuration)
    with _stopping() as stopped:
        try:
            session = zenoh.open(configuration)
        except zenoh.ZError as error:
            raise _unusable(path, reason_of(error), listening) from error
        with session:
            opened(listening)
            stopped.get()


def _read(path: str) -> Any:
    try:
        configuration = zenoh.Config.from_file(path)
    except zenoh.ZError as error:
        raise _unusable(path, reason_of(error)) from error
    mode = json.loads(configuration.get_json("mode"))
    if mode not in (None, "router"):
        raise _unusable(path, f"its mode is {mode}")
    configuration.insert_json5("mode", '"router"')
    return configuration


def _plain(endpoints: list[str]) -> Any:
    configuration = zenoh.Config()
    configuration.insert_json5("mode", '"router"')
    configuration.insert_json5("listen/endpoints", json.dumps(endpoints))
    configuration.insert_json5("scouting/multicast/enabled", "false")
    configuration.insert_json5("transport/shared_memory/enabled", "false")
    return configuration


def _endpoints(configuration: Any) -> list[str]:
    """Return where a router with this configuration listens; Zenoh may have a list for each mode."""
    endpoints = json.loads(configuration.get_json("listen/endpoints"))
    return list(endpoints.get("router", []) if isinstance(endpoints, dict) else endpoints)


def _unusable(path: str, reason: str, endpoints: list[str] | None = None) -> RouterUnusable:
    return RouterUnusable(configuration=path, endpoints=", ".join(endpoints or []), reason=reason)


@contextlib.contextmanager
def _stopping() -> Iterator["queue.SimpleQueue[int]"]:
    """Have signals put into a queue, which a handler may do at any moment."""
    stopped: queue.SimpleQueue[int] = queue.SimpleQueue()
    before = {number: signal.signal(number, lambda seen, _: stopped.put(seen)) for number in _ENDS}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
