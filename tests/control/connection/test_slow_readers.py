"""Readers that cannot keep pace, over real sockets: each gets every event or a gap for it, and holds up nobody."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest

from ezmsg.control import ControlConnection, ProcessControlClient, follow_settings
from ezmsg.control.connection import streaming
from ezmsg.protocol.messages.events import Gap
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsSnapshotValue

HANG = 60.0

PRODUCED = 240
LARGE = "x" * 100_000
"""So that what is not read is far more than sockets hold."""

HISTORY, LINE = 20, 10


class Reader:
    """Counts what comes, and sees that it comes in order."""

    def __init__(self, items: AsyncGenerator[Any, None]) -> None:
        self.items = items
        self.seq = self.received = self.missed = 0

    async def step(self) -> None:
        match await anext(self.items):
            case SettingsChangedEvent(seq=seq):
                assert seq == self.seq + 1
                self.received += 1
                self.seq = seq
            case Gap(first=first, last=last):
                assert first == self.seq + 1 <= last
                self.missed += last - first + 1
                self.seq = last
            case item:
                raise AssertionError(item)

    async def read(self) -> None:
        while self.seq < PRODUCED:
            await self.step()


async def test_slow_readers_are_told_what_they_missed_and_delay_nobody(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """R17: one that reads along, one whose socket is not read for most of the time, one that is slow itself."""
    monkeypatch.setenv("EZMSG_SETTINGS_EVENT_HISTORY_LIMIT", str(HISTORY))
    monkeypatch.setattr(streaming.ItemLine.__init__, "__defaults__", (LINE,))
    server = request.getfixturevalue("server")
    connections = [await ControlConnection.open(server.address) for _ in range(3)]
    process = ProcessControlClient(server.address)
    await process.register(["A"])
    value = SettingsSnapshotValue(None, LARGE, None)
    async with (
        asyncio.timeout(HANG),
        aclosing(follow_settings(connections[0])) as along,
        aclosing(follow_settings(connections[1])) as deaf,
        aclosing(follow_settings(connections[2])) as slow,
    ):
        readers = [Reader(along), Reader(deaf), Reader(slow)]
        firsts = [asyncio.ensure_future(reader.step()) for reader in readers]
        await process.report_settings_update("A", value)
        await asyncio.gather(*firsts)
        prompt = asyncio.ensure_future(readers[0].read())
        line = connections[1]._line
        assert line is not None
        assert line._transport._transport is not None
        line._transport._transport.pause_reading()
        for number in range(1, PRODUCED):
            await process.report_settings_update("A", value)
            if number % 40 == 0:
                await readers[2].step()
        await prompt  # also while nobody else reads
        line._transport._transport.resume_reading()
        await asyncio.gather(readers[1].read(), readers[2].read())
    assert [reader.received + reader.missed for reader in readers] == [PRODUCED] * 3
    assert readers[0].missed == 0
    assert readers[1].missed > 0
    assert readers[2].missed > 0
    await process.close()
    for connection in connections:
        await connection.close()
