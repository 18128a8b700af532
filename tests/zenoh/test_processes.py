"""Real processes, peer to peer and through a router, which may go and come back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.zenoh.conftest import HANG, Program, routed

RETRY = {"period_init_ms": 100, "period_max_ms": 400, "period_increase_factor": 2}


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
    router = routed(start, "--listen", f"127.0.0.1:{port}")
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
    routed(start, "--listen", f"127.0.0.1:{port}")
    for ear in ears:
        ear.until("all")
    assert sender.says() == "sent 0"


def test_a_subscriber_that_is_killed_holds_nobody_up_for_long(
    start: Callable[..., Program], server: str, port: int, tmp_path: Path
) -> None:
    routed(start, "--listen", f"127.0.0.1:{port}")
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


def test_a_slow_link_costs_no_message(
    start: Callable[..., Program], server: str, port: int, other_port: int, tmp_path: Path
) -> None:
    routed(start, "--listen", f"127.0.0.1:{port}")
    assert start("slow_link.py", str(other_port), str(port)).says() == "ready"
    near = _config(tmp_path / "near.json", "client", connect=f"tcp/127.0.0.1:{port}")
    far = _config(tmp_path / "far.json", "client", connect=f"tcp/127.0.0.1:{other_port}")
    sender = start("counting.py", "send", "500", "1000", config=near, server=server)
    assert sender.says() == "ready"
    ears = [start("counting.py", "hear", "500", config=config, server=server) for config in (near, far)]
    for ear in ears:
        assert ear.says() == "ready"
    sender.go()
    for ear in ears:
        ear.until("all")
    assert sender.says() == "sent 0"
