"""Two ends of a stream in one event loop, over a network that a test cuts, fills and shuffles."""

import asyncio
import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from ezmsg.zenoh.way import tunnel as tunnels
from ezmsg.zenoh.way.tunnel import Tunnel
from ezmsg.zenoh.way.words import stream_keys

HANG = 30.0
NONCE = bytes(32)


class Ear(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.heard = b""
        self.eof = asyncio.Event()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.changed = asyncio.Event()
        self.stays_half_open = False
        self.paused = 0
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.heard += data
        self.changed.set()

    def eof_received(self) -> bool:
        self.eof.set()
        return self.stays_half_open

    def pause_writing(self) -> None:
        self.paused += 1

    def resume_writing(self) -> None:
        self.paused -= 1
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(HANG):
            while not holds():
                self.changed.clear()
                await self.changed.wait()


class Network:
    """Carries words between two tunnels, or does not."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.cut = False
        self.loses = 0.0
        self.bytes_a_second = math.inf
        self.said_bytes = 0
        self._free_s = 0.0
        self.chance = random.Random(1)
        self.client, self.server = Ear(), Ear()
        keys = stream_keys(b"token", "stream", NONCE, NONCE)
        self.a = self._tunnel(self.client, keys.client, keys.server, lambda: self.b)
        self.b = self._tunnel(self.server, keys.server, keys.client, lambda: self.a)
        self.client.connection_made(self.a)
        self.server.connection_made(self.b)

    def _tunnel(self, ear: Ear, sign: bytes, check: bytes, other: Callable[[], Tunnel]) -> Tunnel:
        def say(data: bytes) -> None:
            self.said_bytes += len(data)
            if self.cut or self.chance.random() < self.loses:
                return
            # One behind the other, as on a line.
            self._free_s = max(self._free_s, self.loop.time()) + len(data) / self.bytes_a_second
            for _ in range(1 + (self.loses > 0 and self.chance.random() < 0.1)):
                late_s = 0.01 * self.chance.random() if self.loses else 0.0
                self.loop.call_at(self._free_s + late_s, lambda: other().came(data))

        return Tunnel(
            ear,
            peer="a test",
            sign=sign,
            check=check,
            post=lambda call, argument: self.loop.call_soon(call, argument),
            say=say,
            say_now=say,
            is_busy=lambda: False,
            on_over=lambda _: None,
        )


async def lost(ear: Ear) -> Exception | None:
    async with asyncio.timeout(HANG):
        return await ear.lost


@pytest.mark.parametrize("loses", [0.0, 0.3])
async def test_bytes_come_in_order_in_both_directions(loses: float) -> None:
    network = Network()
    network.loses = loses
    up, down = random.Random(2).randbytes(500_000), random.Random(3).randbytes(700_000)
    for at in range(0, len(up), 7001):
        network.a.write(up[at : at + 7001])
    network.b.write(down)
    await network.server.until(lambda: len(network.server.heard) >= len(up))
    await network.client.until(lambda: len(network.client.heard) >= len(down))
    assert network.server.heard == up
    assert network.client.heard == down
    network.a.abort()


async def test_a_line_that_is_slow_carries_each_byte_once() -> None:
    network = Network()
    network.bytes_a_second = 1_000_000
    data = random.Random(4).randbytes(3_000_000)
    network.a.write(data)
    await network.server.until(lambda: len(network.server.heard) >= len(data))
    assert network.server.heard == data
    assert network.said_bytes < 1.2 * len(data)
    network.a.abort()


async def test_who_has_no_turn_is_sent_nothing_again() -> None:
    network = Network()
    network.b._post = lambda call, argument: None  # its loop gets no turn
    network.a.write(bytes(500_000))
    await asyncio.sleep(4 * tunnels.LOOK_S)
    assert network.said_bytes < 600_000
    network.a.abort()


async def test_a_stream_that_was_cut_stays_so() -> None:
    network = Network()
    network.cut = True  # the one word that says so is lost
    network.a.cut()
    network.cut = False
    network.b.write(b"are you there?")
    assert isinstance(await lost(network.server), ConnectionResetError)


async def test_whatever_its_owner_does_the_protocol_is_told_of_the_end() -> None:
    network = Network()

    def fails(tunnel: Tunnel) -> None:
        raise RuntimeError("no thread is to be had")

    network.a._on_over = fails
    with pytest.raises(RuntimeError):
        network.a.abort()
    assert await lost(network.client) is None


async def test_what_was_written_comes_before_the_end_and_both_ends_know_of_it() -> None:
    network = Network()
    network.a.write(b"last words")
    network.a.close()
    network.a.write(b"too late")
    assert network.a.is_closing()
    assert await lost(network.client) is None
    assert await lost(network.server) is None
    assert network.server.heard == b"last words"


async def test_one_end_may_be_over_while_the_other_speaks_on() -> None:
    network = Network()
    network.server.stays_half_open = True
    network.a.write_eof()
    async with asyncio.timeout(HANG):
        await network.server.eof.wait()
    network.b.write(b"still here")
    await network.client.until(lambda: network.client.heard == b"still here")
    network.b.close()
    assert await lost(network.client) is None
    assert await lost(network.server) is None


async def test_who_is_cut_off_for_less_than_a_lease_misses_nothing() -> None:
    network = Network()
    network.cut = True
    network.a.write(b"said into the dark")
    network.a.note_presence(False)
    await asyncio.sleep(2 * tunnels.LOOK_S)
    assert network.a.silence_s() > 0
    network.cut = False
    await network.server.until(lambda: network.server.heard == b"said into the dark")
    assert not network.client.lost.done()
    network.a.abort()


async def test_a_host_that_acknowledges_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnels, "LEASE_S", 0.6)
    network = Network()
    network.cut = True
    network.a.write(b"said into the dark")
    assert isinstance(await lost(network.client), TimeoutError)
    assert network.a.is_closing()


async def test_a_process_without_its_token_is_asked_and_may_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnels, "LEASE_S", 0.6)
    network = Network()
    network.b.note_presence(False)
    await asyncio.sleep(4 * tunnels.LOOK_S)
    assert not network.server.lost.done()
    network.cut = True
    network.b.note_presence(False)
    assert isinstance(await lost(network.server), TimeoutError)


async def test_a_busy_event_loop_is_no_lost_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zenoh's thread answers for it."""
    monkeypatch.setattr(tunnels, "LEASE_S", 0.6)
    network = Network()
    network.b._post = lambda call, argument: None  # its loop gets no turn
    network.a.write(b"a request")
    await asyncio.sleep(5 * tunnels.LOOK_S)
    assert not network.client.lost.done()
    network.a.abort()


async def test_old_words_are_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnels, "LEASE_S", 0.6)
    network = Network()
    recorded: list[bytes] = []
    say = network.b._say
    network.b._say = network.b._say_now = lambda data: (recorded.append(data), say(data))[1]
    network.a.write(b"heard")
    await network.server.until(lambda: network.server.heard == b"heard")
    network.b.write(b"and answered")
    await network.client.until(lambda: network.client.heard == b"and answered")
    network.cut = True
    network.a.write(b"into the dark")

    def repeat() -> None:
        for data in recorded:
            network.a.came(data)
        network.loop.call_later(0.05, repeat)

    repeat()
    assert isinstance(await lost(network.client), TimeoutError)


async def test_who_reads_nothing_makes_the_writer_rest() -> None:
    network = Network()
    network.cut = True
    network.a.write(bytes(tunnels.HIGH_BYTES + 1))
    assert network.client.paused == 1
    assert network.a.get_write_buffer_size() > tunnels.HIGH_BYTES
    network.cut = False
    await network.client.until(lambda: network.client.paused == 0)
    network.a.abort()


async def test_a_reset_ends_both() -> None:
    network = Network()
    network.a.abort()
    assert await lost(network.client) is None
    assert isinstance(await lost(network.server), ConnectionResetError)


async def test_what_strangers_say_is_not_heard() -> None:
    network = Network()
    network.a.write(b"hello")
    await network.server.until(lambda: network.server.heard == b"hello")
    strange = stream_keys(b"another token", "stream", NONCE, NONCE)
    for kind in tunnels.Kind:
        network.b.came(tunnels.to_bytes(tunnels.Word(kind, 1, 1, b"nonsense"), strange.client))
    network.b.came(b"")
    network.b.came(bytes(100))
    network.a.write(b" there")
    await network.server.until(lambda: network.server.heard == b"hello there")
    network.a.abort()


async def test_a_protocol_that_fails_ends_its_own_stream_alone() -> None:
    network = Network()
    told: list[Any] = []
    network.loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    network.server.data_received = lambda data: 1 / 0  # type: ignore[assignment, method-assign, return-value]
    network.a.write(b"x")
    assert isinstance(await lost(network.client), ConnectionResetError)
    assert isinstance(told[0], ZeroDivisionError)
