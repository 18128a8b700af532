"""The codec: every message comes back, later releases are understood, and nothing else gets through."""

import copy
from enum import Enum
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol import messages
from ezmsg.protocol.errors import InvalidMessage, MalformedFrame, UnknownMessage, WireError
from ezmsg.protocol.messages.endpoints import ApplyRoutes, Contact
from ezmsg.protocol.messages.envelopes import Body, Request
from ezmsg.protocol.messages.events import Gap, TopologyEvent
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import UpdateOwnership
from ezmsg.protocol.messages.sessions import Connect, Done, EdgeChanged, RegisterMetadata, SnapshotTaken
from ezmsg.protocol.model import (
    ComponentMetadata,
    DynamicSettingsMetadata,
    Edge,
    GraphMetadata,
    GraphSnapshot,
    InputStreamMetadata,
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
    ProcessOwnershipUpdate,
    SettingsEventType,
    StreamMetadata,
    TopologyEventType,
    UnitMetadata,
)
from ezmsg.protocol.testing import (
    bodies,
    channel_messages,
    envelopes,
    handshake_messages,
    instances,
    model_values,
    plain_values,
)
from ezmsg.protocol.wire.codec import (
    REASON_LENGTH,
    TAG_KEY,
    TAG_LENGTH,
    body_from_wire,
    decode,
    encode,
    from_wire,
    to_wire,
    unpack_map,
)
from ezmsg.protocol.wire.plain import pack, to_plain, unpack

TAGGED = (*messages.HANDSHAKE, *messages.ENVELOPES, *messages.BODIES, *messages.CHANNELS)
SESSION = UUID(int=5)


def unit(**fields: Any) -> UnitMetadata:
    """A unit with one inlet."""
    defaults: dict[str, Any] = {
        "address": "SYSTEM/A",
        "name": "A",
        "component_type": "lab.A",
        "settings_type": "lab.ASettings",
        "initial_settings": (None, "ASettings()"),
        "dynamic_settings": DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None),
        "settings_schema": None,
        "streams": {"INPUT": InputStreamMetadata("INPUT", "SYSTEM/A/INPUT", "lab.Message", leaky=True)},
        "tasks": [],
        "main": None,
        "threads": [],
    }
    return UnitMetadata(**defaults | fields)


def registration(**fields: Any) -> RegisterMetadata:
    return RegisterMetadata(SESSION, GraphMetadata(1, None, {"SYSTEM/A": unit(**fields)}))


def wire_of(message: object) -> dict[str, Any]:
    """A message as the receiver's map, with lists and dicts of its own."""
    return unpack_map(encode(message))


# --- there and back ----------------------------------------------------------------------------------------------


@given(bodies() | handshake_messages() | channel_messages())
def test_messages_come_back(message: object) -> None:
    again = decode(encode(message), type(message))
    assert again == message
    assert type(again) is type(message)


@given(bodies() | handshake_messages() | channel_messages())
def test_messages_find_their_class_by_their_tag(message: object) -> None:
    again = body_from_wire(wire_of(message), TAGGED)
    assert again == message
    assert type(again) is type(message)


@given(envelopes())
def test_envelopes_come_back_with_their_bodies(message: Any) -> None:
    again = decode(encode(message), type(message))
    for name in (field.name for field in attrs.fields(type(message))):
        sent, received = getattr(message, name), getattr(again, name)
        # In wire form, tagged plain values are still packed; the receiver has them unpacked.
        assert received == (unpack(pack(sent)) if name in ("body", "fields") else sent)


@given(bodies(), st.integers(0, 2**64 - 1))
def test_a_body_survives_its_envelope(body: object, number: int) -> None:
    received = decode(encode(Request(number, Body(to_wire(body)))), Request)
    assert body_from_wire(received.body) == body


@given(model_values())
def test_the_model_comes_back(value: object) -> None:
    again = decode(encode(value), type(value))
    assert again == value


@given(plain_values())
def test_plain_values_come_back(value: object) -> None:
    assert decode(encode(value), object) == value


@given(bodies())
def test_encoding_leaves_the_message_alone(body: object) -> None:
    before = copy.deepcopy(body)
    encode(body)
    assert body == before


@given(bodies())
def test_what_came_back_encodes_to_the_same_bytes(body: object) -> None:
    data = encode(body)
    assert encode(decode(data, type(body))) == data


@given(plain_values())
def test_settings_travel_through_registration_and_snapshot(value: Any) -> None:
    message = registration(initial_settings=(b"opaque", {"value": value}))
    received = body_from_wire(decode(encode(Request(1, Body(to_wire(message)))), Request).body)
    assert received == message


def test_a_setting_that_is_not_plain_does_not_stop_a_registration() -> None:
    message = registration(initial_settings=(None, {"value": object}))
    (component,) = decode(encode(message), RegisterMetadata).metadata.components.values()
    assert component.initial_settings == (None, {"value": repr(object)})


# --- later releases ----------------------------------------------------------------------------------------------


@given(bodies() | handshake_messages() | channel_messages(), plain_values())
def test_a_field_of_a_later_release_is_ignored(message: object, value: object) -> None:
    wire = wire_of(message) | {"a_later_field": value}
    assert body_from_wire(wire, TAGGED) == message


def test_fields_of_a_later_release_are_ignored_at_every_level() -> None:
    message = registration()
    wire = wire_of(message)
    component = wire["metadata"]["components"]["SYSTEM/A"]
    for place in (wire["metadata"], component, component["streams"]["INPUT"], component["dynamic_settings"]):
        place["a_later_field"] = [1, 2]
    assert from_wire(wire, RegisterMetadata) == message


@given(bodies() | channel_messages() | instances(Hello), st.data())
def test_missing_fields_take_their_defaults_or_are_named(message: Any, data: st.DataObject) -> None:
    fields = attrs.fields(type(message))
    missing = data.draw(st.sets(st.sampled_from([field.name for field in fields]))) if fields else set()
    wire = {name: value for name, value in wire_of(message).items() if name not in missing}
    required = [field.name for field in fields if field.default is attrs.NOTHING and field.name in missing]
    if required:
        with pytest.raises(InvalidMessage) as refused:
            body_from_wire(wire, TAGGED)
        assert all(f"required field {name!r} is missing" in refused.value.reason for name in required[:5])
        return
    again = body_from_wire(wire, TAGGED)
    for field in fields:
        expected = getattr(message, field.name)
        if field.name in missing:
            expected = field.default.factory() if hasattr(field.default, "factory") else field.default
        assert getattr(again, field.name) == expected


def test_an_unknown_subclass_decodes_as_its_base() -> None:
    wire = wire_of(registration())
    component = wire["metadata"]["components"]["SYSTEM/A"]
    component["streams"]["INPUT"][TAG_KEY] = "a later stream"
    (found,) = from_wire(wire, RegisterMetadata).metadata.components.values()
    assert isinstance(found, UnitMetadata)
    assert found.streams == {"INPUT": StreamMetadata("INPUT", "SYSTEM/A/INPUT", "lab.Message")}
    component[TAG_KEY] = "a later component"
    (found,) = from_wire(wire, RegisterMetadata).metadata.components.values()
    assert type(found) is ComponentMetadata
    assert found.address == "SYSTEM/A"


@given(st.text())
def test_an_unknown_member_of_an_enumeration_decodes_as_unknown(name: str) -> None:
    response = ProcessControlResponse("1", ok=False, error_code=ProcessControlErrorCode.TIMEOUT)
    decoded = from_wire(wire_of(response) | {"error_code": name}, ProcessControlResponse)
    assert decoded.error_code in (ProcessControlErrorCode.UNKNOWN, *ProcessControlErrorCode)
    if name not in ProcessControlErrorCode.__members__:
        assert decoded.error_code is ProcessControlErrorCode.UNKNOWN


@pytest.mark.parametrize("members", [SettingsEventType, TopologyEventType, ProcessControlErrorCode])
def test_enumerations_of_events_can_be_unknown(members: type[Enum]) -> None:
    assert "UNKNOWN" in members.__members__
    assert all(member.name == member.value for member in members)


def test_an_operation_that_is_not_known_stays_a_text() -> None:
    for operation in ("RESET_TO_ZERO", ProcessControlOperation.PING):
        request = ProcessControlRequest("1", "A", operation)
        assert decode(encode(request), ProcessControlRequest) == request


@given(st.text() | plain_values())
def test_an_unknown_tag_is_named(tag: Any) -> None:
    if tag in [cls.TAG for cls in TAGGED]:
        return
    with pytest.raises(UnknownMessage) as refused:
        body_from_wire({TAG_KEY: tag}, TAGGED)
    assert refused.value.tag == str(tag)[:TAG_LENGTH]


@pytest.mark.parametrize("value", [{}, {TAG_KEY: None}, [], None, "done", {TAG_KEY: ["done"]}])
def test_what_has_no_tag_is_no_message(value: object) -> None:
    with pytest.raises(UnknownMessage):
        body_from_wire(value)


def test_a_message_of_another_conversation_is_not_known_here() -> None:
    with pytest.raises(UnknownMessage):
        body_from_wire({TAG_KEY: Done.TAG}, messages.HANDSHAKE)


# --- nothing is coerced ------------------------------------------------------------------------------------------


EDGE = Connect("A", "B", SESSION)
UPDATE = UpdateOwnership(SESSION, ProcessOwnershipUpdate(["A"], []))


@pytest.mark.parametrize(
    ("message", "field", "value", "reason"),
    [
        (EDGE, "from_topic", 3, "expected str, got int @ $.from_topic"),
        (EDGE, "from_topic", b"A", "expected str, got bytes @ $.from_topic"),
        (EDGE, "session_id", "5", "expected a UUID of 16 bytes @ $.session_id"),
        (EDGE, "session_id", b"5", "expected a UUID of 16 bytes @ $.session_id"),
        (Gap(1, 2), "first", True, "expected int of 64 bits, got bool @ $.first"),
        (Gap(1, 2), "first", 1.0, "expected int of 64 bits, got float @ $.first"),
        (Gap(1, 2), "first", "1", "expected int of 64 bits, got str @ $.first"),
        (Gap(1, 2), "first", 2**64, "expected int of 64 bits, got int @ $.first"),
        (Gap(1, 2), "first", None, "expected int of 64 bits, got NoneType @ $.first"),
        (EdgeChanged(True), "topology_changed", 1, "expected bool, got int @ $.topology_changed"),
        (EdgeChanged(True), "unconfirmed", "AB", "expected list, got str @ $.unconfirmed"),
        (EdgeChanged(True), "unconfirmed", ("A",), "expected list, got tuple @ $.unconfirmed"),
        (EdgeChanged(True), "unconfirmed", ["A", 2], "expected str, got int @ $.unconfirmed[1]"),
        (UPDATE, "update", [], "expected dict, got list @ $.update"),
        (UPDATE, "update", "added_units", "expected dict, got str @ $.update"),
        (UPDATE, "update", {"added_units": {}}, "expected list, got dict @ $.update.added_units"),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(message: Any, field: str, value: object, reason: str) -> None:
    with pytest.raises(InvalidMessage) as refused:
        body_from_wire(wire_of(message) | {field: value})
    assert refused.value.tag == message.TAG
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ((), [], "expected dict, got list @ $.metadata.components"),
        (("SYSTEM/A",), None, "$.metadata.components['SYSTEM/A']"),
        (("SYSTEM/A", "main"), 3, "expected str, got int @ $.metadata.components['SYSTEM/A'].main"),
        (("SYSTEM/A", "streams", "INPUT", "leaky"), 1, "['SYSTEM/A'].streams['INPUT'].leaky"),
        (("SYSTEM/A", "initial_settings"), [None], "$.metadata.components['SYSTEM/A'].initial_settings"),
        (("SYSTEM/A", "initial_settings", 1), 3, "$.metadata.components['SYSTEM/A'].initial_settings"),
    ],
)
def test_a_wrong_type_deep_inside_is_refused_with_its_path(
    path: tuple[Any, ...], value: object, reason: str
) -> None:
    wire = wire_of(registration())
    place: Any = wire["metadata"]
    for step in ("components", *path)[:-1]:
        place = place[step]
    place[("components", *path)[-1]] = value
    with pytest.raises(InvalidMessage) as refused:
        from_wire(wire, RegisterMetadata)
    assert reason in refused.value.reason


@pytest.mark.parametrize("revision", [[1], [1, 0, 0], [1, "0"], b"\x01\x00", {1: 0, 0: 1}, "10", None])
def test_a_revision_is_two_integers(revision: object) -> None:
    hello = {"package": "0", "nonce": b"", "client_id": SESSION.bytes}
    assert from_wire(hello | {"revision": [1, 2]}, Hello).revision == (1, 2)
    with pytest.raises(InvalidMessage):
        from_wire(hello | {"revision": revision}, Hello)


@pytest.mark.parametrize("owners", [{}, [["A", "B"]], [["A", "B", "s"]], [["A", "B", [1]]], [["A", 1, []]], None])
def test_owners_of_edges_are_triples(owners: object) -> None:
    snapshot = GraphSnapshot({"A": ["B"], "B": []}, {Edge("A", "B"): ["persistent"]}, {})
    wire = wire_of(SnapshotTaken(snapshot))
    assert wire["snapshot"]["edge_owners"] == [["A", "B", ["persistent"]]]
    wire["snapshot"]["edge_owners"] = owners
    with pytest.raises(InvalidMessage):
        from_wire(wire, SnapshotTaken)


def test_an_integer_is_taken_for_a_float_and_nothing_else_is() -> None:
    wire = wire_of(ApplyRoutes(1, []))
    assert from_wire(wire, ApplyRoutes) == ApplyRoutes(1, [])
    event: dict[str, Any] = {
        "seq": 1,
        "event_type": "GRAPH_CHANGED",
        "timestamp": 3,
        "changed_topics": [],
        "source_session_id": None,
        "source_process_id": None,
    }
    taken = from_wire({"event": event}, TopologyEvent).event.timestamp
    assert (taken, type(taken)) == (3.0, float)
    for wrong in ("3", True, None, 10**400):
        with pytest.raises(InvalidMessage):
            from_wire({"event": event | {"timestamp": wrong}}, TopologyEvent)
    with pytest.raises(InvalidMessage):
        from_wire({"event": event | {"event_type": ["GRAPH_CHANGED"]}}, TopologyEvent)


def test_what_a_peer_sends_cannot_make_the_reason_long() -> None:
    wire = wire_of(registration())
    wire["metadata"]["components"] = {"A" * 100_000: 3}
    with pytest.raises(InvalidMessage) as refused:
        from_wire(wire, RegisterMetadata)
    assert len(refused.value.reason) <= REASON_LENGTH
    with pytest.raises(UnknownMessage) as unknown:
        body_from_wire({TAG_KEY: "A" * 100_000})
    assert len(unknown.value.tag) <= TAG_LENGTH


# --- hostile bytes -----------------------------------------------------------------------------------------------


@st.composite
def disturbed(draw: st.DrawFn, value: Any) -> Any:
    """A map or list with one place, at any depth, replaced by any plain value, or removed."""
    if isinstance(value, dict | list) and value and draw(st.integers(0, 3)):
        changed = copy.copy(value)
        key = draw(st.sampled_from(list(value) if isinstance(value, dict) else range(len(value))))
        if draw(st.integers(0, 5)):
            changed[key] = draw(disturbed(value[key]))
        else:
            del changed[key]
        return changed
    return draw(plain_values())


@given(bodies(), st.data())
def test_a_disturbed_message_is_a_message_or_a_typed_error(body: object, data: st.DataObject) -> None:
    wire = data.draw(disturbed(wire_of(body)))
    try:
        again = body_from_wire(wire)
    except WireError:
        return
    assert decode(encode(again), type(again)) == again


@given(st.sampled_from(TAGGED), st.dictionaries(st.text(), plain_values()))
def test_any_map_is_a_message_or_a_typed_error(cls: type[Any], fields: dict[str, Any]) -> None:
    try:
        assert isinstance(from_wire(fields, cls), cls)
    except InvalidMessage:
        return


@given(st.sampled_from([*TAGGED, GraphSnapshot, Contact, int, dict, UUID, Edge]), st.binary(max_size=40))
def test_any_bytes_are_a_value_or_a_typed_error(cls: type[Any], data: bytes) -> None:
    try:
        assert isinstance(decode(data, cls), cls)
    except (InvalidMessage, MalformedFrame):
        return


@given(st.sampled_from(messages.BODIES), st.data())
def test_mutated_bytes_are_a_value_or_a_typed_error(cls: type[Any], data: st.DataObject) -> None:
    packed = bytearray(encode(data.draw(instances(cls))))
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert isinstance(decode(bytes(packed), cls), cls)
    except (InvalidMessage, MalformedFrame):
        return


@given(plain_values().filter(lambda value: not isinstance(value, dict)))
def test_a_frame_must_hold_a_map(value: object) -> None:
    with pytest.raises(MalformedFrame, match="and not a map"):
        unpack_map(pack(to_plain(value)))
    for cls in (Done, UnitMetadata, ProcessOwnershipUpdate):
        with pytest.raises(InvalidMessage, match="expected dict"):
            decode(pack(to_plain(value)), cls)
