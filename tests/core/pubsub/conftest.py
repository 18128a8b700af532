"""A graph server, a program's two ends in it, and a look at what a test leaves behind."""

import asyncio
import contextlib
import gc
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import zenoh
from tests.loops import factories, known
from tests.ports import unused_port

import ezmsg.core as ez
from ezmsg.core.pubsub import exchange as exchanges
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.zenoh.session import Session

HANG = 30.0
"""Seconds; only there to end a test that would hang."""

PLUGS = Path(__file__).parents[2] / "plugs"

LEAVING = 10.0
"""Seconds that something already ended gets to be gone."""

PUBLISHER_OPTIONS: dict[str, dict[str, Any]] = {
    "local": {},
    "threads": {},
    "shm": {"allow_local": False},
    "tcp": {"force_tcp": True},
    "tls": {"force_tcp": True},
    "post": {"force_tcp": True, "transport": "post"},
    "zenoh": {"force_tcp": True, "transport": "zenoh"},
    "router": {"force_tcp": True, "transport": "zenoh"},
}


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Any]:
    """Every test runs on each event loop, see there."""
    return factories()


ONE_LOOP = {"post": "asyncio", "zenoh": "uvloop", "router": "uvloop"}
"""Transports of other distributions meet event loops through what all have in common: one loop is enough."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is looked at elsewhere.

    What goes through a router is what the contract promises; to endpoints it is all the same.
    """
    dropped = {item for item in items if _is_dropped(item)}
    items[:] = [item for item in items if item not in dropped]
    config.hook.pytest_deselected(items=list(dropped))


def _is_dropped(item: pytest.Item) -> bool:
    transport = item.callspec.params.get("transport") if hasattr(item, "callspec") else None
    if transport not in ONE_LOOP or "tests/core/pubsub/" not in item.nodeid:
        return False
    if transport == "router" and "test_contract.py" not in item.nodeid:
        return True
    only, *others = factories()
    loop = next((name for name in (only, *others) if f"[{name}" in item.nodeid), only)
    return loop != ONE_LOOP[transport] and ONE_LOOP[transport] in known()


# --- what is left behind --------------------------------------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def _warmed_up() -> None:
    """The first uvloop of a process makes two pipes that stay, the first session of Zenoh its own event loops."""
    zenoh.open(zenoh.Config()).close()
    with contextlib.suppress(ImportError):
        import uvloop

        uvloop.new_event_loop().close()


def _descriptors() -> dict[str, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[entry.name] = str(entry.readlink())
        except OSError:  # the descriptor by which this folder is read
            continue
    return found


def _left() -> dict[str, Any]:
    return {
        "descriptors": set(_descriptors().items()),
        "threads": {thread.name for thread in threading.enumerate()},
        "children": {child.pid for child in psutil.Process().children()},
        "exchanges": set(exchanges._exchanges),
    }


class _Unexpected(logging.Handler):
    """What event loops complain about: nobody else would see it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(self.format(record))


@pytest.fixture(scope="session")
def routed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A router of Zenoh for all tests, and the configuration file of its clients."""
    folder = tmp_path_factory.mktemp("routed")
    place = f"127.0.0.1:{unused_port()}"
    command = [sys.executable, "-m", "ezmsg.control", "zenoh"]
    made = subprocess.run([*command, "config", str(folder), "--router", place], capture_output=True, timeout=HANG)
    assert made.returncode == 0, made.stderr
    with subprocess.Popen(
        [*command, "router", "--config", str(folder / "router.json5")], stderr=subprocess.PIPE, text=True
    ) as router:
        assert router.stderr is not None
        assert place in router.stderr.readline()
        zenoh.open(zenoh.Config.from_file(str(folder / "host.json5"))).close()  # as in `_warmed_up`
        yield str(folder / "host.json5")
        router.terminate()
        assert router.wait(HANG) == 0


@pytest.fixture(autouse=True)
def _nothing_is_left(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[None]:
    """Fail a test that leaves descriptors, threads, processes, exchanges or named segments, or whose loop erred."""
    if _transport_of(request) == "router":
        request.getfixturevalue("routed")  # it stays
    for name in (
        "EZMSG_TOKEN",
        "EZMSG_TOKEN_FILE",
        "EZMSG_GRAPHSERVER_ADDR",
        "EZMSG_FORCE_TCP",
        "EZMSG_ALLOW_LOCAL",
    ):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    gc.collect()  # what earlier tests left complains now, and not in the name of this one
    complaints = _Unexpected()
    logging.getLogger("asyncio").addHandler(complaints)
    before = _left()
    yield
    deadline = time.monotonic() + LEAVING
    while True:
        gc.collect()
        new = {kind: found - before[kind] for kind, found in _left().items()}
        if not any(new.values()) or time.monotonic() > deadline:
            break
        time.sleep(0.005)  # a thread that ended is a moment from being gone
    logging.getLogger("asyncio").removeHandler(complaints)
    assert not any(new.values()), f"left behind: {new}"
    assert not list(folder.glob("segments/*")), "named segments were left behind"
    assert not complaints.seen, complaints.seen


def _transport_of(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("transport")) if "transport" in request.fixturenames else ""


@pytest.fixture
async def _no_tasks_are_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    if new := asyncio.all_tasks() - before - {asyncio.current_task()}:
        _, left = await asyncio.wait(new, timeout=LEAVING)
        assert not left


# --- a world to test in -----------------------------------------------------------------------------------------


class Elsewhere:
    """An event loop in a thread of its own."""

    def __init__(self, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
        self.loop = new_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="elsewhere")
        self.thread.start()

    async def run(self, work: Awaitable[Any]) -> Any:
        async def wrapped() -> Any:
            return await work

        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(wrapped(), self.loop))

    async def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        await asyncio.to_thread(self.thread.join, HANG)
        self.loop.close()


async def _here(work: Awaitable[Any]) -> Any:
    return await work


class Held:
    """A message lent by ``recv_zero_copy``."""

    def __init__(self, message: Any, release: Callable[[], Awaitable[None]]) -> None:
        self.message = message
        self.release = release


class Ear:
    """A subscriber, wherever it lives."""

    def __init__(self, subscriber: ez.Subscriber, run: Callable[[Awaitable[Any]], Awaitable[Any]]) -> None:
        self.subscriber = subscriber
        self.run = run

    async def recv(self) -> Any:
        async with asyncio.timeout(HANG):
            return await self.run(self.subscriber.recv())

    async def take(self, count: int) -> list[Any]:
        return [await self.recv() for _ in range(count)]

    async def hold(self) -> Held:
        loan = self.subscriber.recv_zero_copy()
        async with asyncio.timeout(HANG):
            message = await self.run(loan.__aenter__())

        async def release() -> None:
            await self.run(loan.__aexit__(None, None, None))

        return Held(message, release)

    async def close(self) -> None:
        async def close() -> None:
            self.subscriber.close()
            await self.subscriber.wait_closed()

        await self.run(close())

    @property
    def waiting(self) -> int:
        return len(self.subscriber._queue)


class World:
    """A graph server, and programs that meet over one transport."""

    def __init__(self, server: ez.GraphServer, transport: str) -> None:
        self.server = server
        self.address = server.address
        self.transport = transport
        self.context = ez.GraphContext(self.address)
        self._elsewhere: Elsewhere | None = None
        self._run: Callable[[Awaitable[Any]], Awaitable[Any]] = _here
        self._other_context = self.context

    @property
    def crosses_processes(self) -> bool:
        return self.transport in ("shm", "tcp", "tls", "post", "zenoh", "router")

    @property
    def is_elsewhere(self) -> bool:
        """Whether subscribers live on an event loop of their own."""
        return self.transport in ("threads", "router")

    async def open(self) -> None:
        await self.context.__aenter__()
        if self.is_elsewhere:
            self._elsewhere = Elsewhere(type(asyncio.get_running_loop()))
            self._run = self._elsewhere.run
            self._other_context = ez.GraphContext(self.address)
            await self._run(self._other_context.__aenter__())

    async def close(self) -> None:
        if self._elsewhere is not None:
            await self._run(self._other_context.revert())
            await self._elsewhere.close()
        await self.context.revert()

    async def publisher(self, topic: str = "OUT", **options: Any) -> ez.Publisher:
        return await self.context.publisher(topic, **{**PUBLISHER_OPTIONS[self.transport], **options})

    async def subscriber(self, topic: str = "OUT", **options: Any) -> Ear:
        return Ear(await self._run(self._other_context.subscriber(topic, **options)), self._run)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so that nobody tells us about."""
        async with asyncio.timeout(HANG):
            while not condition():  # noqa: ASYNC110  there is no event for it
                await asyncio.sleep(0.001)

    async def turns(self) -> None:
        """Let everything happen that was already under way, by asking the server something."""
        await self.context.snapshot()

    async def is_blocked(self, task: "asyncio.Task[Any]") -> bool:
        await self.turns()
        return not task.done()


def _session_of_its_own() -> Session:
    """Return a session for one event loop: within one, Zenoh would bring messages without its router."""
    session = Session()
    session._users = 1
    return session


@pytest.fixture
def server(_nothing_is_left: None, request: pytest.FixtureRequest, monkeypatch: Any) -> Iterator[ez.GraphServer]:
    """A graph server; where messages are to go by TLS, it and whoever joins it have certificates."""
    if _transport_of(request) == "tls":
        files = request.getfixturevalue("laboratory").files()
        monkeypatch.setenv("EZMSG_TLS_CA", files.authority)
        monkeypatch.setenv("EZMSG_TLS_CERT", files.certificate)
        monkeypatch.setenv("EZMSG_TLS_KEY", files.key)
    if _transport_of(request) == "router":
        monkeypatch.setenv("EZMSG_ZENOH_CONFIG", request.getfixturevalue("routed"))
        monkeypatch.setattr(Session, "acquire", staticmethod(_session_of_its_own))
    else:
        monkeypatch.setenv("EZMSG_ZENOH_CONFIG", str(PLUGS / "zenoh.json5"))
    monkeypatch.syspath_prepend(str(PLUGS))  # there lies a transport of another distribution, named post
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()
    assert not server.is_alive()


@pytest.fixture
async def world(server: ez.GraphServer, transport: str, _no_tasks_are_left: None) -> AsyncIterator[World]:
    world = World(server, transport)
    await world.open()
    yield world
    async with asyncio.timeout(HANG):
        await world.close()


@pytest.fixture(params=list(PUBLISHER_OPTIONS) if PASSES_DESCRIPTORS else ["shm", "tcp"])
def transport(request: pytest.FixtureRequest) -> str:
    """Every way in which a message can cross; inside a process it is the same on every system."""
    return str(request.param)


@pytest.fixture
def bounded() -> Callable[[], Any]:
    """``async with bounded():`` ends what would hang."""
    return lambda: asyncio.timeout(HANG)


@pytest.fixture
def portable_environment(tmp_path: Path) -> dict[str, str]:
    """For a process that is to take the paths of other systems."""
    return {**os.environ, "EZMSG_PORTABLE": "1", "PYTHONFAULTHANDLER": "1"}
