"""Streams of events only: whoever folds them arrives at the server's state, whatever history is gone."""

import asyncio
import math
from contextlib import aclosing
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control import ControlConnection, ProcessControlClient, take_settings
from ezmsg.control.connection import streaming
from ezmsg.control.graph.resynchronising import ToldSettings, everything_changed, settings_changes
from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import GraphSnapshot

HANG = 30.0

VALUES = st.builds(
    SettingsSnapshotValue,
    st.none(),
    st.just("shown"),
    st.dictionaries(st.sampled_from("xy"), st.one_of(st.integers(0, 2), st.just(math.nan)), max_size=2),
    revision=st.integers(0, 2),
)
STATES = st.dictionaries(st.sampled_from(["A", "B", "C"]), VALUES)


def fold(state: dict[str, SettingsSnapshotValue], event: SettingsChangedEvent) -> None:
    if event.event_type is SettingsEventType.SETTINGS_REMOVED:
        del state[event.component_address]
    else:
        state[event.component_address] = event.value


@given(STATES, STATES)
def test_the_difference_leads_from_what_was_told_to_the_snapshot(
    before: dict[str, SettingsSnapshotValue], after: dict[str, SettingsSnapshotValue]
) -> None:
    told = ToldSettings()
    reader: dict[str, SettingsSnapshotValue] = {}
    for seq, (address, value) in enumerate(before.items(), 1):
        event = SettingsChangedEvent(seq, SettingsEventType.SETTINGS_UPDATED, address, 0.0, None, None, value)
        told.tell(event)
        fold(reader, event)
    taken = SettingsTaken(after, 9, uuid4())
    events = told.changes(taken, 1.0)
    for event in events:
        fold(reader, event)
    assert repr(reader) == repr({address: after[address] for address in reader})
    assert reader.keys() == after.keys()
    assert {event.seq for event in events} <= {9}
    assert told.changes(taken, 1.0) == []


@given(STATES, STATES, STATES, STATES)
def test_what_a_reader_knew_before_is_told_again_or_taken_away(
    known: dict[str, SettingsSnapshotValue],
    since: dict[str, SettingsSnapshotValue],
    told_of: dict[str, SettingsSnapshotValue],
    after: dict[str, SettingsSnapshotValue],
) -> None:
    told = ToldSettings()
    reader = dict(known)
    told.suppose({address: since.get(address, value) for address, value in known.items()})
    for seq, (address, value) in enumerate(told_of.items(), 1):
        event = SettingsChangedEvent(seq, SettingsEventType.SETTINGS_UPDATED, address, 0.0, None, None, value)
        told.tell(event)
        fold(reader, event)
    for event in told.changes(SettingsTaken(after, 9, uuid4()), 1.0):
        fold(reader, event)
    assert reader.keys() == after.keys()
    assert repr(reader) == repr({address: after[address] for address in reader})


def test_everything_is_every_topic() -> None:
    graph_changed, process_changed = everything_changed(GraphSnapshot({"A": ["B", "C"]}, {}, {}), 7, 1.0)
    assert graph_changed.changed_topics == ["A", "B", "C"]
    assert (graph_changed.seq, process_changed.seq) == (7, 7)


async def test_what_went_in_a_gap_is_told_also_to_who_began_with_a_snapshot(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("EZMSG_SETTINGS_EVENT_HISTORY_LIMIT", "4")
    monkeypatch.setattr(streaming.ItemLine.__init__, "__defaults__", (3,))
    server = request.getfixturevalue("server")
    process, client = ProcessControlClient(server.address), await ControlConnection.open(server.address)

    async def report(address: str, count: int) -> None:
        for number in range(count):
            await process.report_settings_update(address, SettingsSnapshotValue(None, str(number), {"x": number}))

    await process.register(["A", "B", "C"])
    await report("A", 1)
    await report("B", 1)
    taken = await take_settings(client)
    reader = dict(taken.values)
    async with aclosing(settings_changes(client, taken.seq)) as events, asyncio.timeout(HANG):
        following = asyncio.ensure_future(anext(events))
        await report("C", 1)
        fold(reader, await following)
        await report("C", 5)
        await process.update_ownership([], ["A"])
        await report("B", 1)
        await report("C", 5)
        now = await take_settings(client)
        seen: list[int] = []
        while seen[-1:] != [now.seq] or reader.keys() != now.values.keys():
            event = await anext(events)
            fold(reader, event)
            seen.append(event.seq)
        while reader != now.values:  # the last snapshot is told as some events with one number
            fold(reader, await anext(events))
    assert seen == sorted(seen)
    assert len(seen) < now.seq - taken.seq, "nothing was missed, so nothing was tried"
    await process.close()
    await client.close()
