"""The listening socket, on every loop that a server may run on."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import cast

import pytest
import uvloop

from ezmsg.graphserver.sockets import listener as module
from ezmsg.graphserver.sockets.listener import Listener

HANG = 30.0


class Unwatching(asyncio.SelectorEventLoop):
    """A loop that cannot watch a socket for others, as that of Windows."""

    def add_reader(self, *_: object) -> None:
        raise NotImplementedError


LOOPS = {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop, "unwatching": Unwatching}


class Greeter(asyncio.Protocol):
    """Says hello, and closes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        stream = cast("asyncio.WriteTransport", transport)  # uvloop's is no subclass of it
        stream.write(b"hello")
        stream.close()


class Failing(socket.socket):
    """A socket that fails for the first so many clients."""

    failures = 0
    reason = errno.EMFILE

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            self.failures -= 1
            raise OSError(self.reason, os.strerror(self.reason))
        return super().accept()


@pytest.fixture(params=LOOPS, autouse=True)
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=LOOPS[request.param])


def listening(kind: type[socket.socket] = socket.socket) -> socket.socket:
    sock = kind(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind(("127.0.0.1", 0))
    sock.listen(512)
    return sock


def failing(failures: int, reason: int = errno.EMFILE) -> Failing:
    sock = listening(Failing)
    assert isinstance(sock, Failing)
    sock.failures, sock.reason = failures, reason
    return sock


async def read_all(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    async with asyncio.timeout(HANG):
        data = await reader.read()
    writer.close()
    await writer.wait_closed()
    return data


def unexpected(error: OSError) -> None:
    raise AssertionError(error)


def with_runner(runner: asyncio.Runner, main: Callable[[], object]) -> None:
    with runner:
        runner.run(main())  # type: ignore[arg-type]


def test_everybody_is_let_in(runner: asyncio.Runner) -> None:
    async def main() -> None:
        sock = listening()
        listener = Listener(sock, Greeter, unexpected)
        listener.start()
        greetings = await asyncio.gather(*(read_all(sock.getsockname()) for _ in range(200)))
        assert greetings == [b"hello"] * 200
        await listener.close()

    with_runner(runner, main)


def test_who_finds_no_descriptor_is_told_of_and_let_in_later(
    runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    errors: list[OSError] = []

    async def main() -> None:
        sock = failing(2)
        listener = Listener(sock, Greeter, errors.append)
        listener.start()
        assert await read_all(sock.getsockname()) == b"hello"
        await listener.close()

    with_runner(runner, main)
    assert [error.errno for error in errors] == [errno.EMFILE] * 2


def test_what_ails_one_client_makes_no_other_wait(runner: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_S", 10 * HANG)
    errors: list[OSError] = []

    async def main() -> None:
        sock = failing(2, errno.EPROTO)
        listener = Listener(sock, Greeter, errors.append)
        listener.start()
        assert await read_all(sock.getsockname()) == b"hello"
        await listener.close()

    with_runner(runner, main)
    assert [error.errno for error in errors] == [errno.EPROTO] * 2


def test_it_closes_while_it_waits_to_try_again(runner: asyncio.Runner) -> None:
    failed = asyncio.Event()

    async def main() -> None:
        sock = failing(1)
        listener = Listener(sock, Greeter, lambda _: failed.set())
        listener.start()
        with socket.create_connection(sock.getsockname(), timeout=HANG):
            async with asyncio.timeout(HANG):
                await failed.wait()
            await listener.close()
        assert sock.fileno() == -1

    with_runner(runner, main)


def test_who_connects_while_it_closes_has_a_protocol_or_none(runner: asyncio.Runner) -> None:
    """Nobody is left half way, with a socket that nobody owns."""

    async def main() -> None:
        for turns in range(6):
            made: list[Greeter] = []
            sock = listening()
            listener = Listener(sock, lambda made=made: made.append(Greeter()) or made[-1], unexpected)  # type: ignore[misc]
            listener.start()
            clients = [socket.create_connection(sock.getsockname(), timeout=HANG) for _ in range(5)]
            for _ in range(turns):
                await asyncio.sleep(0)
            await listener.close()
            served = 0
            for client in clients:
                with contextlib.suppress(ConnectionResetError):  # it was in the backlog
                    served += await asyncio.to_thread(client.recv, 5) == b"hello"
                client.close()
            assert served == len(made)

    with_runner(runner, main)
