"""What a server said, held against what the model predicted."""

from itertools import pairwise

from tests.graphserver.deciding.model import Event, Model, Outcome, SettingsEvent

from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.protocol import errors
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.messages.sessions import SnapshotTaken
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.settings import SettingsChangedEvent
from ezmsg.protocol.model.snapshot import GraphSnapshot
from ezmsg.protocol.model.topology import TopologyChangedEvent
from ezmsg.protocol.snapshots.compact import expand
from ezmsg.protocol.snapshots.encoded_metadata import decode_metadata
from ezmsg.protocol.wire import codec


def check_outcome(model: Model, answer: Outcome, expected: Outcome) -> None:
    """Assert that an answer is the predicted one; what is free in it must still be true.

    Of a refusal the reason is free, as it is for people, and of several shortest paths each will do.
    """
    if not isinstance(expected, EzmsgError):
        assert (type(answer), answer) == (type(expected), expected)
        return
    assert type(answer) is type(expected), f"{answer!r} in place of {expected!r}"
    assert isinstance(answer, EzmsgError)
    told, predicted = answer.fields(), expected.fields()
    if isinstance(answer, errors.CyclicException):
        path, shortest = told.pop("path"), predicted.pop("path")
        assert (path[0], path[-1], len(path)) == (shortest[0], shortest[-1], len(shortest))
        assert set(pairwise(path)) <= model.owners.keys()
    for free in ("reason", "operation"):
        told.pop(free, None)
        predicted.pop(free, None)
    assert told == predicted


def check_snapshot(snapshot: GraphSnapshot, expected: GraphSnapshot) -> None:
    """Assert that a snapshot shows the predicted graph, in the predicted order."""
    assert snapshot == expected
    for session in (*snapshot.sessions.values(), *expected.sessions.values()):
        session.client = session.opened = None  # the model does not know them; `test_authors.py` looks
    assert repr(snapshot) == repr(expected), "not sorted"


def check_compact(state: GraphState, held: dict[bytes, GraphMetadata]) -> dict[bytes, GraphMetadata]:
    """Assert that a client that holds some metadata arrives at the plain snapshot; return what it holds then."""
    plain = state.snapshot()
    taken = codec.decode(codec.encode(state.compact_snapshot(held)), SnapshotTaken)
    assert taken.compact is not None
    known = held.keys()  # what was asked with: two sessions may say the same, and both are told it
    for shown in taken.compact.sessions:
        if shown.digest is None:
            assert shown.metadata is None
        elif shown.digest in known:
            assert shown.metadata is None, "it was known"
        else:
            assert shown.metadata is not None
            held = {**held, shown.digest: decode_metadata(shown.metadata)}
    check_snapshot(expand(taken, held), plain)
    return held


def check_events(seen: list[TopologyChangedEvent], expected: list[Event], first_seq: int = 1) -> None:
    """Assert that a follower sees the predicted events, each once and numbered without holes."""
    assert [event.seq for event in seen] == list(range(first_seq, first_seq + len(expected)))
    said = [(e.event_type, e.changed_topics, e.source_session_id, e.source_process_id) for e in seen]
    assert said == expected


def check_settings_events(
    seen: list[SettingsChangedEvent], expected: list[SettingsEvent], first_seq: int, now: float | None
) -> None:
    """Assert that a follower sees the predicted changes of settings, each once and numbered without holes.

    :param now: when they happened, ``None`` if that is not known.
    """
    assert [event.seq for event in seen] == list(range(first_seq, first_seq + len(expected)))
    for event, (kind, address, session, process, value, timestamp) in zip(seen, expected, strict=True):
        assert (event.event_type, event.component_address, event.value) == (kind, address, value)
        assert (event.source_session_id, event.source_process_id) == (session, process)
        if timestamp is not None or now is not None:
            assert event.timestamp == (now if timestamp is None else timestamp)
