"""A client that lost its server, and finds another one in its place: both say so, and then ever more rarely."""

import asyncio
import os

import pytest

from ezmsg.control import ControlConnection
from ezmsg.control.connection import client
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.addresses import Address

HANG = 30.0
TRIES = 12


def served(token: str, address: Address = Address("127.0.0.1", 0)) -> GraphServer:  # noqa: B008  it is a tuple
    server = GraphServer(token=token)
    server.start(address)
    return server


async def test_another_server_in_the_place_of_the_lost_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(client, "RETRY_FOREIGN_S", 0.02)
    monkeypatch.setattr(client, "RETRY_FOREIGN_LONGEST_S", 0.02)
    tried = asyncio.Semaphore(0)
    open_line = ControlConnection._open_line

    async def counted(self: ControlConnection, timeout: float) -> object:
        tried.release()
        return await open_line(self, timeout)

    monkeypatch.setattr(ControlConnection, "_open_line", counted)
    ours = served("ours")
    connection = await ControlConnection.open(ours.address, token=b"ours")
    await asyncio.to_thread(ours.stop)
    stranger = served("theirs", ours.address)
    try:
        async with asyncio.timeout(HANG):
            for _ in range(TRIES):
                await tried.acquire()
    finally:
        await asyncio.to_thread(stranger.stop)
    (at_client,) = [one for one in caplog.messages if "does not let this program in" in one]
    for words in (str(ours.address), "another graph's", "end this program and start it again", "EZ-3003"):
        assert words in at_client
    (at_server,) = [one for one in caplog.messages if "was turned away" in one]
    for words in (f"Process {os.getpid()} of ", " at 127.0.0.1 ", "EZ-3003", "give it what it lacks", "end it"):
        assert words in at_server

    # Nobody has given up: when the right one is back, so is the client; and the next stranger is news again.
    again = served("ours", ours.address)
    try:
        await connection.wait_connected(HANG)
    finally:
        await connection.close()
        await asyncio.to_thread(again.stop)


def test_news_of_a_server_become_rarer(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr(client.time, "monotonic", lambda: now_s)
    monkeypatch.setattr(client, "_told", {})
    address, told = Address("127.0.0.1", 1), []
    for second in range(4000):
        now_s = float(second)
        if client._is_news("foreign", address, 60.0, 600.0):
            told.append(second)
    assert told == [0, 60, 180, 420, 900, 1500, 2100, 2700, 3300, 3900]
