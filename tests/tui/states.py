"""States of a small laboratory, made by hand and always the same: what a feed would have told, fact by fact.

Four units in two processes: GEN -> FILT -> DECODE, GEN -> LOG; DECODE is slow, so that FILT waits for it.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

from tests.tui.settings_types import LabSettings

from ezmsg.control.settingsmeta import settings_schema_from_type
from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.model import (
    ChannelProfileSnapshot,
    CollectionMetadata,
    DynamicSettingsMetadata,
    GraphMetadata,
    GraphSnapshot,
    InputStreamMetadata,
    OutputStreamMetadata,
    ProcessProfilingSnapshot,
    ProcessStats,
    ProfileChannelType,
    PublisherProfileSnapshot,
    SettingsChangedEvent,
    SettingsEventType,
    SettingsSnapshotValue,
    SnapshotProcess,
    SnapshotSession,
    SubscriberProfileSnapshot,
    TaskMetadata,
    UnitMetadata,
)
from ezmsg.protocol.model.snapshot import PERSISTENT_OWNER, Edge
from ezmsg.tui.model import facts
from ezmsg.tui.model.facts import Fact
from ezmsg.tui.model.reducing import reduced
from ezmsg.tui.model.view import View

SPACE = UUID(int=0x5EED)
S = 1_000_000_000
WALL = 1_800_000_000.0
SERVER = "127.0.0.1:25978"
SESSION = "7f3a0000-0000-4000-8000-000000000001"
EPOCH = uuid5(SPACE, "epoch")

GEN_OUT, FILT_IN, FILT_OUT = "DEMO/GEN/OUTPUT", "DEMO/FILT/INPUT", "DEMO/FILT/OUTPUT"
DECODE_IN, DECODE_OUT, LOG_IN = "DEMO/DECODE/INPUT", "DEMO/DECODE/OUTPUT", "DEMO/LOG/INPUT"
EDGES = [(GEN_OUT, FILT_IN), (GEN_OUT, LOG_IN), (FILT_OUT, DECODE_IN)]

WOBBLE = (0.0, 0.0, 0.12, 0.05, -0.1, 0.08, 0.15, -0.05, 0.1, 0.02)
"""How much ahead of its mean rate a publisher is in each second, in seconds."""

FIRST, SECOND = uuid5(SPACE, "first"), uuid5(SPACE, "second")


def unit(address: str, kind: str, streams: list[str], *, tunable: bool = False) -> UnitMetadata:
    described: dict[str, Any] = {}
    for topic in streams:
        name = topic.rpartition("/")[2]
        cls = InputStreamMetadata if name.startswith("INPUT") else OutputStreamMetadata
        described[name] = cls(name, topic, "numpy.ndarray")
    tasks = [TaskMetadata("on_message", each, [], "decoder.py:88") for each in streams if "INPUT" in each]
    return UnitMetadata(
        address,
        address.rpartition("/")[2],
        f"lab.units.{kind}",
        "lab.units.LabSettings",
        (None, {}),
        DynamicSettingsMetadata(tunable, f"{address}/INPUT_SETTINGS" if tunable else None, None),
        None,
        described,
        tasks,
        None,
        [],
    )


def metadata() -> GraphMetadata:
    components: dict[str, Any] = {
        "DEMO/GEN": unit("DEMO/GEN", "Counter", [GEN_OUT]),
        "DEMO/FILT": unit("DEMO/FILT", "Butterworth", [FILT_IN, FILT_OUT], tunable=True),
        "DEMO/DECODE": unit("DEMO/DECODE", "Decoder", [DECODE_IN, DECODE_OUT]),
        "DEMO/LOG": unit("DEMO/LOG", "MessageLogger", [LOG_IN]),
    }
    root = CollectionMetadata(
        "DEMO",
        "DEMO",
        "lab.system.Demo",
        "lab.units.LabSettings",
        (None, {}),
        DynamicSettingsMetadata(False, None, None),
        None,
        {},
        {},
        list(components),
    )
    return GraphMetadata(1, "DEMO", {"DEMO": root, **components})


def graph(*, without: UUID | None = None, more: list[tuple[str, str]] | None = None, seq: int = 9) -> GraphSnapshot:
    edges = [Edge(*edge) for edge in EDGES]
    owners = {edge: [SESSION] for edge in edges}
    owners |= {Edge(*edge): [PERSISTENT_OWNER] for edge in more or ()}
    successors: dict[str, list[str]] = {}
    for start, end in owners:
        successors.setdefault(start, []).append(end)
        successors.setdefault(end, [])
    processes = {
        FIRST: SnapshotProcess(FIRST, 4121, "lab3", ["DEMO/FILT", "DEMO/GEN", "DEMO/LOG"]),
        SECOND: SnapshotProcess(SECOND, 4188, "lab3", ["DEMO/DECODE"]),
    }
    session = SnapshotSession(edges, metadata(), "lab3/4121", WALL - 192)
    return GraphSnapshot(
        successors,
        owners,
        {SESSION: session},
        {key: process for key, process in processes.items() if key != without},
        EPOCH,
        seq,
        7,
    )


def settings_value(revision: int = 7, **changes: Any) -> SettingsSnapshotValue:
    value = {
        "cutoff": 40.0,
        "order": 4,
        "kind": "butter",
        "enabled": True,
        "label": "left hand",
        "gain": 1.0,
        "notch": {"frequency": 50.0, "width": 2.0},
        "taps": [0.25, 0.5, 0.25],
        "limit": None,
        "extra": {"a": 1},
    }
    structured = value | changes
    return SettingsSnapshotValue(None, structured, structured, settings_schema_from_type(LabSettings), revision)


def settings() -> dict[str, SettingsSnapshotValue]:
    nothing = SettingsSnapshotValue(None, "Settings()", None, None, 0)
    return {"DEMO/FILT": settings_value(), "DEMO/DECODE": nothing}


def event(seq: int, revision: int, by: str | None = "tui@lab3", **changes: Any) -> facts.SettingsChanged:
    value = settings_value(revision, **changes)
    kind = SettingsEventType.SETTINGS_UPDATED
    return facts.SettingsChanged(
        SettingsChangedEvent(seq, kind, "DEMO/FILT", WALL - 100 + seq, None, FIRST, value, by)
    )


def endpoint(topic: str) -> str:
    return f"{topic}:{uuid5(SPACE, topic)}"


def publisher(topic: str, at_s: float, hz: float, size: int, waits: float = 0.0, for_whom: str = "") -> Any:
    waited_ns = round(at_s * S * waits)
    channels = [
        ChannelProfileSnapshot(
            uuid5(SPACE, f"loop {for_whom}"), ProfileChannelType.SHM, round(hz * at_s), 0, 32, waited_ns
        )
    ]
    count = round(hz * (at_s + WOBBLE[round(at_s) % 10]))
    return PublisherProfileSnapshot(
        endpoint(topic), topic, count, 0, 0.0, 2, 32, at_s * S, count * size, waited_ns, channels
    )


def subscriber(topic: str, of: str, at_s: float, hz: float, process: str, dropped: int = 0, queued: int = 0) -> Any:
    count = round(hz * at_s)
    return SubscriberProfileSnapshot(
        endpoint(topic),
        topic,
        count,
        0,
        ProfileChannelType.SHM if process == "second" else ProfileChannelType.LOCAL,
        at_s * S,
        count * 100,
        dropped,
        queued,
        uuid5(SPACE, f"loop {process}"),
        [uuid5(SPACE, of)],
    )


def counts(at_s: float, *, dropped: int = 0) -> tuple[ProcessProfilingSnapshot, ...]:
    first = ProcessProfilingSnapshot(FIRST, 4121, "lab3", 0.0, at_s * S)
    for each in (
        publisher(GEN_OUT, at_s, 1000, 8200),
        publisher(FILT_OUT, at_s, 250, 8200, 0.41, "second"),
    ):
        first.publishers[each.endpoint_id] = each
    for each in (
        subscriber(FILT_IN, GEN_OUT, at_s, 1000, "first"),
        subscriber(LOG_IN, GEN_OUT, at_s, 1000, "first", dropped),
    ):
        first.subscribers[each.endpoint_id] = each
    second = ProcessProfilingSnapshot(SECOND, 4188, "lab3", 0.0, at_s * S)
    slow = subscriber(DECODE_IN, FILT_OUT, at_s, 250, "second", queued=31)
    second.subscribers[slow.endpoint_id] = slow
    last = publisher(DECODE_OUT, at_s, 250, 400)
    second.publishers[last.endpoint_id] = last
    return first, second


def fared(at_s: float) -> facts.Fared:
    def stats(process: UUID, pid: int, cpu: float, memory: int, late_s: float) -> ProcessStats:
        return ProcessStats(process, pid, "lab3", [], WALL + at_s, cpu * at_s, memory, late_s, 192.0 + at_s)

    return facts.Fared(
        (
            facts.Answer(FIRST, stats(FIRST, 4121, 0.12, 61_000_000, 0.0012), 0.0004),
            facts.Answer(SECOND, stats(SECOND, 4188, 0.97, 188_000_000, 0.038), 0.021),
        )
    )


def beginning() -> list[Fact]:
    """The facts up to a graph that is seen, with its settings and their history."""
    return [
        facts.Ticked(0.0, WALL),
        facts.Absent(SERVER, "Connection refused", 1.0),
        facts.Ticked(1.0, WALL + 1),
        facts.Connected(SERVER, EPOCH),
        facts.GraphSeen(graph()),
        facts.SettingsSeen(SettingsTaken(settings(), 7, EPOCH)),
        event(5, 5, None),
        event(6, 6, "cli@lab3", cutoff=60.0),
        event(7, 7),
    ]


def seconds(count: int, start: int = 1) -> Iterator[Fact]:
    """What is told once a second while the graph runs."""
    for at_s in range(start, start + count):
        yield facts.Ticked(1.0 + at_s, WALL + 1 + at_s)
        yield facts.Counted(counts(at_s), {})
        yield fared(at_s)


def running() -> View:
    """The graph after ten seconds."""
    return reduced(View(), [*beginning(), *seconds(11)])


def waiting() -> View:
    """No server was there yet."""
    told: list[Fact] = [
        facts.Ticked(5.0, WALL),
        facts.Absent(SERVER, "Connection refused", 6.0),
        facts.Ticked(5.5, WALL + 0.5),
    ]
    return reduced(View(), told)


def lost() -> View:
    """The server went away while the graph ran."""
    told: list[Fact] = [
        facts.Lost("Connection reset by peer"),
        facts.Ticked(15.0, WALL + 15),
        facts.Absent(SERVER, "Connection refused", 16.0),
    ]
    return reduced(running(), told)


def large(units: int, *, endpoints: int = 200) -> View:
    """A graph of many units in a row, of which some have counted something."""
    components: dict[str, Any] = {}
    edges = []
    for number in range(units):
        address = f"BIG/GROUP{number // 20}/UNIT{number}"
        components[address] = unit(address, "Worker", [f"{address}/INPUT", f"{address}/OUTPUT"])
        if number:
            before = f"BIG/GROUP{(number - 1) // 20}/UNIT{number - 1}"
            edges.append(Edge(f"{before}/OUTPUT", f"{address}/INPUT"))
    successors: dict[str, list[str]] = {}
    for start, end in edges:
        successors.setdefault(start, []).append(end)
        successors.setdefault(end, [])
    session = SnapshotSession(edges, GraphMetadata(1, "BIG", components), "lab3/1", WALL)
    owners = {edge: [SESSION] for edge in edges}
    process = SnapshotProcess(FIRST, 4121, "lab3", sorted(components))
    snapshot = GraphSnapshot(successors, owners, {SESSION: session}, {FIRST: process}, EPOCH, 9, 7)
    told: list[Fact] = [facts.Ticked(0.0, WALL), facts.Connected(SERVER, EPOCH), facts.GraphSeen(snapshot)]
    values = {address: settings_value(cutoff=1.0 + place) for place, address in enumerate(components)}
    told.append(facts.SettingsSeen(SettingsTaken(values, 7, EPOCH)))
    return reduced(View(), [*told, *many_seconds(list(components)[:endpoints], 11)])


def many_seconds(addresses: list[str], count: int, start: int = 1) -> Iterator[Fact]:
    """What is told once a second where many units publish."""
    for at_s in range(start, start + count):
        snapshot = ProcessProfilingSnapshot(FIRST, 4121, "lab3", 0.0, at_s * S)
        for address in addresses:
            each = publisher(f"{address}/OUTPUT", at_s, 100.0 + at_s % 3, 800)
            snapshot.publishers[each.endpoint_id] = each
        yield facts.Ticked(1.0 + at_s, WALL + 1 + at_s)
        yield facts.Counted((snapshot,), {})
        yield fared(at_s)
