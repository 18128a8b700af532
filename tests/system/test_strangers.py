"""Strangers at every door, as many as they like: who belongs to the graph gets in, and messages go on.

20 of 20 get in while 1,000 try, and a publisher that they come to grows by less than 5 MB.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import psutil
import pytest

from ezmsg.control.connection.client import ControlConnection
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.revisions import CURRENT
from ezmsg.protocol.wire import codec, frames

Start = Callable[..., Any]

HANG = 30.0
"""Seconds; only there to end a test that would hang."""

SERVER = """
    from ezmsg.graphserver import GraphServer

    server = GraphServer()
    server.start(("127.0.0.1", 0))
    say("serving", server.address.port)
    threading.Event().wait()
"""

PUBLISHER = """
    async def main():
        async with ez.GraphContext() as context:
            publisher = await context.publisher("SIGNAL", force_tcp={force_tcp})
            contact = publisher._exchange._contact
            say("publishing", contact.link, contact.tcp_port)
            longest, last, number = 0.0, time.monotonic(), 0
            while True:
                await publisher.broadcast(number)
                number += 1
                await asyncio.sleep(0.005)
                now = time.monotonic()
                if number > 200:
                    longest = max(longest, now - last - 0.005)
                last = now
                if number % 200 == 0:
                    say("longest", longest)

    asyncio.run(main())
"""

STRANGERS = """
    import selectors, socket

    kind, where, count, word = sys.argv[1], sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4])
    selector, again, tries = selectors.DefaultSelector(), [], 0

    def connect():
        family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect("\\0" + where if kind == "unix" else ("127.0.0.1", int(where)))
        except BlockingIOError:
            if kind == "unix":  # its backlog is full
                sock.close()
                again.append(1)
                return
        except OSError:
            sock.close()
            again.append(1)
            return
        selector.register(sock, selectors.EVENT_READ | (selectors.EVENT_WRITE if word else 0))

    for _ in range(count):
        connect()
    say("trying")
    while True:
        for key, mask in selector.select(0.01):
            sock = key.fileobj
            try:
                if mask & selectors.EVENT_WRITE:
                    sock.send(word)
                    selector.modify(sock, selectors.EVENT_READ)
                    continue
                if sock.recv(65536):
                    continue
            except BlockingIOError:
                continue
            except OSError:
                pass
            selector.unregister(sock)
            sock.close()
            tries += 1
            connect()
            if tries % 1000 == 0:
                say("tries", tries)
        waiting, again[:] = len(again), []
        for _ in range(waiting):
            connect()
"""

COMER = """
    async def main():
        async with ez.GraphContext() as context:
            for number in range(20):
                began = time.monotonic()
                subscriber = await context.subscriber("SIGNAL")
                async with asyncio.timeout(30):
                    await subscriber.recv()
                say("in", time.monotonic() - began)
                subscriber.close()
                await subscriber.wait_closed()
                await asyncio.sleep(0)

    asyncio.run(main())
"""

CHURN = """
    import contextlib, socket

    kind, where = sys.argv[1], sys.argv[2]
    address = "\\0" + where if kind == "unix" else ("127.0.0.1", int(where))
    for number in range(10_000):
        with contextlib.suppress(BlockingIOError), socket.socket(
            socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_STREAM
        ) as sock:
            sock.connect(address)
    say("done")
"""

HELLO = frames.frame(codec.encode(Hello(CURRENT, "0", bytes(32), UUID(int=5), 1, "stranger")))


@pytest.fixture
def server(start: Start) -> int:
    return int(start(SERVER).says("serving")[1])


def memory_of(program: Any) -> int:
    return int(psutil.Process(program.pid).memory_info().rss)


@pytest.mark.parametrize("word", [b"", HELLO], ids=["silent", "greeting"])
async def test_twenty_of_twenty_get_in_while_a_thousand_strangers_try(
    start: Start, server: int, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, word: bytes
) -> None:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", environment["EZMSG_RUNTIME_DIR"])
    strangers = start(STRANGERS, "tcp", str(server), "1000", word.hex())
    strangers.says("tries")
    for _ in range(20):
        connection = await ControlConnection.open(Address("127.0.0.1", server), timeout=HANG)
        await connection.close()


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_twenty_of_twenty_subscribers_hear_a_publisher_while_a_thousand_strangers_try(
    start: Start, server: int, kind: str
) -> None:
    address = f"127.0.0.1:{server}"
    publisher = start(PUBLISHER.format(force_tcp=kind == "tcp"), EZMSG_GRAPHSERVER_ADDR=address)
    _, link, port = publisher.says("publishing")
    where = link.partition(":")[2] if kind == "unix" else port
    before = memory_of(publisher)
    strangers = start(STRANGERS, kind, where, "1000", "")
    strangers.says("tries")
    comer = start(COMER, EZMSG_GRAPHSERVER_ADDR=address)
    for number in range(1, 21):
        comer.says("in", number)
    strangers.kill()
    grown = memory_of(publisher) - before
    assert grown < 5e6


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_who_connects_and_closes_ten_thousand_times_makes_a_publisher_neither_large_nor_slow(
    start: Start, server: int, kind: str
) -> None:
    publisher = start(PUBLISHER.format(force_tcp=False), EZMSG_GRAPHSERVER_ADDR=f"127.0.0.1:{server}")
    _, link, port = publisher.says("publishing")
    publisher.says("longest")
    before = memory_of(publisher)
    start(CHURN, kind, link.partition(":")[2] if kind == "unix" else port).says("done")
    times = len([line for line in publisher.out if line.startswith("longest")])
    longest = float(publisher.says("longest", times + 1)[1])
    grown = memory_of(publisher) - before
    assert grown < 5e6, publisher.story()
    assert longest < 2.0, publisher.story()  # as long as a busy machine may take; the figure is for the soak
