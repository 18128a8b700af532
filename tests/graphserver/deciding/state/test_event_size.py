"""The size of an event that is found without encoding it: never less than it takes, and not much more."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ezmsg.graphserver.deciding.state.event_size import FRAME, event_size
from ezmsg.protocol.messages.events import TopologyEvent
from ezmsg.protocol.messages.settings import SettingsEvent
from ezmsg.protocol.model.metadata import SettingsFieldMetadata, SettingsSchemaMetadata
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import ProcessState
from ezmsg.protocol.model.topology import TopologyChangedEvent, TopologyEventType
from ezmsg.protocol.wire.codec import encode

IDENTITY = UUID(int=2**128 - 1)
KEYS = st.one_of(st.text(), st.integers(), st.booleans(), st.binary())
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.just(10**400)),
    lambda inner: st.one_of(
        st.lists(inner), st.dictionaries(KEYS, inner), st.tuples(inner, inner), st.frozensets(st.text())
    ),
    max_leaves=8,
)


def changed(value: SettingsSnapshotValue, by: str | None = None) -> SettingsEvent:
    kind = SettingsEventType.INITIAL_SETTINGS
    return SettingsEvent(SettingsChangedEvent(2**63, kind, "A", 1e300, str(IDENTITY), IDENTITY, value, by))


@given(st.lists(st.text()))
def test_an_event_of_the_graph_is_no_larger(topics: list[str]) -> None:
    kind = TopologyEventType.PROCESS_CHANGED
    inner = TopologyChangedEvent(2**63, kind, 1e300, topics, str(IDENTITY), IDENTITY, ProcessState.UNRESPONSIVE)
    event = TopologyEvent(inner)
    assert len(encode(event)) <= event_size(event)


@given(st.dictionaries(st.text(), VALUES), st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.text()))
def test_an_event_of_settings_is_no_larger(
    values: dict[str, Any], serialized: bytes | None, by: str | None
) -> None:
    event = changed(SettingsSnapshotValue(serialized, values, values, revision=2**63), by)
    assert len(encode(event)) <= event_size(event)


def test_a_schema_counts_too() -> None:
    field = SettingsFieldMetadata("gain", "float", False, 1.0, "how much " * 1000, None, None, None)
    schema = SettingsSchemaMetadata("dataclass", "tests.Settings", [field])
    event = changed(SettingsSnapshotValue(None, {}, None, schema))
    assert 9000 < len(encode(event)) <= event_size(event)


def test_a_large_event_is_not_thought_much_larger() -> None:
    text, numbers = "x" * 10_000, [float(number) for number in range(1000)]
    event = changed(SettingsSnapshotValue(b"y" * 10_000, {"text": text, "numbers": numbers}))
    assert event_size(event) <= 1.1 * len(encode(event)) + FRAME
