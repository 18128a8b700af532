"""Accepting peers: a few in each turn of the loop, and on again when descriptors have run out."""

import asyncio
import errno
import os
import socket
from typing import cast

import pytest
import uvloop

from ezmsg.core.transports import accepting
from ezmsg.core.transports.accepting import PER_TURN, Acceptor, accept_on

HANG = 30.0
LOOPS = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


class Greeter(asyncio.Protocol):
    """Says hello, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass of it
        stream.write(b"hello")
        stream.close()


class Failing(socket.socket):
    """A socket that has no descriptor for the first so many peers."""

    failures = 0
    accepted = 0

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        self.accepted += 1
        return super().accept()


def listening() -> Failing:
    sock = Failing(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind(("127.0.0.1", 0))
    sock.listen(512)
    return sock


def read(sock: socket.socket) -> bytes:
    with sock:
        return sock.recv(100)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_flood_has_its_turn_and_no_more(loop: str) -> None:
    async def main() -> None:
        listener = listening()
        acceptor = await accept_on(listener, Greeter)
        assert isinstance(acceptor, Acceptor)
        peers = [socket.create_connection(listener.getsockname(), timeout=HANG) for _ in range(3 * PER_TURN)]
        before = -1
        while listener.accepted < len(peers):
            assert listener.accepted - max(before, 0) <= PER_TURN
            before = listener.accepted
            await asyncio.sleep(0)
        assert {await asyncio.to_thread(read, peer) for peer in peers} == {b"hello"}
        acceptor.close()
        await acceptor.wait_closed()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(main(), HANG))


@pytest.mark.parametrize("loop", LOOPS)
def test_when_descriptors_have_run_out_peers_wait_and_it_is_said_once(
    loop: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accepting, "RETRY_S", 0.01)

    async def main() -> None:
        listener = listening()
        listener.failures = 3
        acceptor = await accept_on(listener, Greeter)
        peer = socket.create_connection(listener.getsockname(), timeout=HANG)
        assert await asyncio.to_thread(read, peer) == b"hello"
        acceptor.close()
        assert isinstance(acceptor, Acceptor)
        await acceptor.wait_closed()

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(asyncio.wait_for(main(), HANG))
    assert caplog.text.count("Nobody new can be let in") == 1
