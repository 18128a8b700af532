"""Streams of events only: whoever folds them arrives at the server's state, whatever history is gone."""

import math
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control.resynchronising import ToldSettings, everything_changed
from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import GraphSnapshot

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


def test_everything_is_every_topic() -> None:
    graph_changed, process_changed = everything_changed(GraphSnapshot({"A": ["B", "C"]}, {}, {}), 7, 1.0)
    assert graph_changed.changed_topics == ["A", "B", "C"]
    assert (graph_changed.seq, process_changed.seq) == (7, 7)
