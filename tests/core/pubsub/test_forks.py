"""A process forked a helper and was killed: for everybody else it is gone, whatever the helper does."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control import ControlConnection
from ezmsg.protocol.addresses import Address

HANG = 30.0

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

PROGRAM = """
import asyncio, os, sys, warnings
import ezmsg.core as ez

warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons, of forks beside other threads

def fork_helper():
    if os.fork() == 0:
        os.read(0, 1)  # until the test ends
        os._exit(0)
    print("forked", flush=True)

async def hear(port):
    async with ez.GraphContext(("127.0.0.1", port)) as context:
        ear = await context.subscriber("HEARD")
        await context.connect("FROM", "TO")
        await ear.recv()
        fork_helper()
        await asyncio.Event().wait()

def serve():
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    print(server.address.port, flush=True)
    os.read(0, 1)
    fork_helper()
    server.join()

if sys.argv[1] == "serve":
    serve()
else:
    __import__(sys.argv[1]).run(hear(int(sys.argv[2])))
"""


@contextmanager
def program(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the program; its helper ends with the block."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


async def line_of(process: "subprocess.Popen[bytes]") -> bytes:
    assert process.stdout is not None
    return await asyncio.to_thread(process.stdout.readline)


async def kill_after_fork(process: "subprocess.Popen[bytes]") -> None:
    assert await line_of(process) == b"forked\n"
    process.kill()
    process.wait()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("transport", ["shm", "tcp"])
async def test_a_publisher_goes_on_without_a_killed_subscriber(world: Any, bounded: Any, loop: str) -> None:
    pytest.importorskip(loop)
    publisher = await world.publisher("HEARD", num_buffers=2)
    with program(loop, str(world.address.port)) as process:
        async with bounded():
            await world.until(lambda: publisher._senders)
            await publisher.broadcast(0)
            await kill_after_fork(process)
            for number in range(10):
                await publisher.broadcast(number)  # it may have two under way

            while "TO" in (await world.context.snapshot()).graph.get("FROM", []):
                pass  # until the server noticed, too
    publisher.close()
    await publisher.wait_closed()


async def test_clients_notice_that_a_server_in_a_killed_program_is_gone(bounded: Any) -> None:
    with program("serve") as process:
        async with bounded():
            assert process.stdin is not None
            address = Address("127.0.0.1", int(await line_of(process)))
            connection = await ControlConnection.open(address)
            lost = asyncio.Event()
            connection.on_lost(lambda _: lost.set())
            process.stdin.write(b".")
            process.stdin.flush()
            await kill_after_fork(process)
            await lost.wait()
            await connection.close()
            server = ez.GraphServer()
            server.start(address)  # nobody listens there any more
            server.stop()
