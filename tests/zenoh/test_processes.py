"""Real processes, peer to peer and through a router, which may go and come back."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import ezmsg.core as ez

HANG = 30.0
PROGRAMS = Path(__file__).parent / "programs"
RETRY = {"period_init_ms": 100, "period_max_ms": 400, "period_increase_factor": 2}


class Program:
    """A process that says on its output what it does."""

    def __init__(
        self,
        *arguments: str,
        config: str = "",
        server: str = "",
        command: list[str] | None = None,
        environ: dict[str, str] | None = None,
    ) -> None:
        ours = {"EZMSG_ZENOH_CONFIG": config, "EZMSG_GRAPHSERVER_ADDR": server}
        every = {**os.environ, **ours, **(environ or {})}
        self.process = subprocess.Popen(
            command or [sys.executable, str(PROGRAMS / arguments[0]), *arguments[1:]],
            env={name: value for name, value in every.items() if value},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if command is None else subprocess.STDOUT,
            bufsize=0,
        )
        self._unread = b""

    def says(self) -> str:
        """Return its next line."""
        assert self.process.stdout is not None
        deadline_s = time.monotonic() + HANG
        while b"\n" not in self._unread:
            if not select.select([self.process.stdout], [], [], max(0.0, deadline_s - time.monotonic()))[0]:
                raise TimeoutError
            piece = os.read(self.process.stdout.fileno(), 4096)
            if not piece:
                said = b"" if self.process.stderr is None else self.process.stderr.read()
                raise AssertionError((self._unread + said).decode())
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def until(self, line: str) -> None:
        while (said := self.says()) != line:
            assert not said.startswith("not all"), said

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"go\n")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def started(*arguments: str, **options: str) -> Program:
        programs.append(Program(*arguments, **options))
        return programs[-1]

    yield started
    for program in programs:
        program.close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield str(server.address)
    server.stop()


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _config(path: Path, mode: str, *, listen: str = "", connect: str = "", lease_ms: int = 10_000) -> str:
    path.write_text(
        json.dumps(
            {
                "mode": mode,
                "listen": {"endpoints": [listen] if listen else []},
                "connect": {"endpoints": [connect] if connect else [], "retry": RETRY},
                "scouting": {"multicast": {"enabled": False}, "gossip": {"enabled": False}},
                "transport": {"shared_memory": {"enabled": False}, "link": {"tx": {"lease": lease_ms}}},
            }
        )
    )
    return str(path)


def test_peers_hear_each_other(start: Callable[..., Program], server: str, port: int, tmp_path: Path) -> None:
    at = f"tcp/127.0.0.1:{port}"
    sender = start(
        "counting.py", "send", "1000", "2000", config=_config(tmp_path / "a.json", "peer", listen=at), server=server
    )
    assert sender.says() == "ready"
    ears = [
        start(
            "counting.py",
            "hear",
            "1000",
            config=_config(tmp_path / f"{number}.json", "peer", connect=at),
            server=server,
        )
        for number in range(2)
    ]
    for ear in ears:
        assert ear.says() == "ready"
    sender.go()
    for ear in ears:
        ear.until("all")
    assert sender.says() == "sent 0"


@pytest.mark.parametrize("down_s", [0.0, 0.5])
def test_a_router_that_goes_and_comes_back_costs_no_message(
    start: Callable[..., Program], server: str, port: int, tmp_path: Path, down_s: float
) -> None:
    router = start("router.py", str(port))
    assert router.says() == "ready"
    config = _config(tmp_path / "client.json", "client", connect=f"tcp/127.0.0.1:{port}")
    sender = start("counting.py", "send", "2000", "1000", config=config, server=server)
    assert sender.says() == "ready"
    ears = [start("counting.py", "hear", "2000", config=config, server=server) for _ in range(2)]
    for ear in ears:
        assert ear.says() == "ready"
    sender.go()
    for ear in ears:
        ear.until("heard 500")
    router.kill()
    time.sleep(down_s)  # for how long it is down is what this is about
    assert start("router.py", str(port)).says() == "ready"
    for ear in ears:
        ear.until("all")
    assert sender.says() == "sent 0"


def test_a_subscriber_that_is_killed_holds_nobody_up_for_long(
    start: Callable[..., Program], server: str, port: int, tmp_path: Path
) -> None:
    router = start("router.py", str(port))
    assert router.says() == "ready"
    config = _config(tmp_path / "client.json", "client", connect=f"tcp/127.0.0.1:{port}")
    sender = start("counting.py", "send", "1000", "500", config=config, server=server)
    assert sender.says() == "ready"
    doomed, ear = (start("counting.py", "hear", "1000", config=config, server=server) for _ in range(2))
    for each in (doomed, ear):
        assert each.says() == "ready"
    sender.go()
    doomed.until("heard 200")
    doomed.process.send_signal(signal.SIGKILL)
    ear.until("all")
    assert sender.says() == "sent 0"


FORKS = """
import asyncio, gc, os, sys
import ezmsg.core as ez
from ezmsg.protocol import EzmsgError

async def main():
    async with ez.GraphContext() as context:
        publisher = await context.publisher("OUT", transport="zenoh", force_tcp=True)
        subscriber = await context.subscriber("OUT")
        child = os.fork()
        if child == 0:
            del publisher, subscriber
            gc.collect()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        await publisher.broadcast("after")
        print(await subscriber.recv(), flush=True)

async def again():
    async with ez.GraphContext() as context:
        try:
            await context.publisher("OUT", transport="zenoh", force_tcp=True)
        except EzmsgError as error:
            print(error, flush=True)

asyncio.run(main())
if os.fork() == 0:
    asyncio.run(again())
    os._exit(0)
os.wait()
"""


def test_a_process_may_fork_while_it_has_a_session(server: str, tmp_path: Path) -> None:
    config = _config(tmp_path / "alone.json", "peer")
    environ = {**os.environ, "EZMSG_ZENOH_CONFIG": config, "EZMSG_GRAPHSERVER_ADDR": server}
    done = subprocess.run(
        [sys.executable, "-c", FORKS], env=environ, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 0, done.stderr
    heard, refused = done.stdout.splitlines()
    assert heard == "after"
    assert refused.startswith("EZ-5030")
    assert "forked from one that had used Zenoh" in refused


ENDS = """
import asyncio, sys
import ezmsg.core as ez

async def main():
    context = ez.GraphContext()
    await context.__aenter__()
    publisher = await context.publisher("OUT", transport="zenoh", force_tcp=True)
    subscriber = await context.subscriber("OUT")
    await publisher.broadcast("heard")
    print(await subscriber.recv(), flush=True)
    if sys.argv[1] == "fork":
        import os
        if os.fork() == 0:
            sys.exit(0)
        assert os.wait()[1] == 0
    sys.exit(3)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", ["at once", "fork"])
def test_a_program_that_closes_nothing_ends_all_the_same(server: str, tmp_path: Path, how: str) -> None:
    config = _config(tmp_path / "alone.json", "peer")
    environ = {**os.environ, "EZMSG_ZENOH_CONFIG": config, "EZMSG_GRAPHSERVER_ADDR": server}
    done = subprocess.run(
        [sys.executable, "-c", ENDS, how], env=environ, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert (done.returncode, done.stdout) == (3, "heard\n"), done.stderr
