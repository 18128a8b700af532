"""What the golden vectors mean: for each file beside this one, the value that its bytes must decode to.

A vector is written once, by ``scripts/golden.py``, and never edited: it stands for bytes that a released program
has written. (Only a vector that is in no release yet may be deleted and written anew.) A new message adds an entry
here; a new optional field shows in no entry, so that the old bytes prove its default.
"""

import dataclasses
from typing import Any
from uuid import UUID

from ezmsg.protocol.errors import (
    AddressInUse,
    AuthenticationFailed,
    CertificateOfAnother,
    CertificateOutOfDate,
    CertificateUntrusted,
    ComponentCollision,
    ConnectionLost,
    CyclicException,
    DeadlineExceeded,
    DuplicateIdentity,
    EzmsgError,
    FrameTooLarge,
    InsecureBind,
    InsecureMetrics,
    InternalError,
    InvalidAddress,
    InvalidMessage,
    InvalidMetadata,
    InvalidTopic,
    LeaseExpired,
    MalformedFrame,
    OwnershipCollision,
    ProtocolViolation,
    RemoteError,
    RoleRequired,
    ServerOverloaded,
    ServerUnreachable,
    SessionRequired,
    SettingsUnavailable,
    StaleRevision,
    StateUnusable,
    TlsFailed,
    TlsNotSpoken,
    TlsRequired,
    TlsUnusable,
    UnitNotOwned,
    UnknownEndpoint,
    UnknownMessage,
    UnknownProcess,
    UnknownSession,
    UnreadableToken,
    UnsafeFolder,
    VersionMismatch,
    WayUnusable,
)
from ezmsg.protocol.messages import (
    channels,
    endpoints,
    envelopes,
    events,
    handshake,
    presence,
    processes,
    requests,
    service,
    sessions,
    settings,
)
from ezmsg.protocol.model import (
    ChannelProfileSnapshot,
    CollectionMetadata,
    DynamicSettingsMetadata,
    Edge,
    GraphMetadata,
    GraphSnapshot,
    InputRelayMetadata,
    InputStreamMetadata,
    InputTopicMetadata,
    MetricTotals,
    OutputRelayMetadata,
    OutputStreamMetadata,
    OutputTopicMetadata,
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
    ProcessOwnershipUpdate,
    ProcessPing,
    ProcessProfilingSnapshot,
    ProcessProfilingTraceBatch,
    ProcessRegistration,
    ProcessSettingsUpdate,
    ProcessStacks,
    ProcessState,
    ProcessStats,
    ProcessTrace,
    ProfileChannelType,
    ProfilingStreamControl,
    ProfilingTraceControl,
    ProfilingTraceSample,
    ProfilingTraceStreamBatch,
    PublisherProfileSnapshot,
    RelayMetadata,
    SettingsChangedEvent,
    SettingsEventType,
    SettingsFieldMetadata,
    SettingsFieldUpdateRequest,
    SettingsSchemaMetadata,
    SettingsSnapshotValue,
    SnapshotProcess,
    SnapshotSession,
    StackFrame,
    StreamMetadata,
    SubscriberProfileSnapshot,
    TaskMetadata,
    TaskStack,
    ThreadStack,
    TopicMetadata,
    TopologyChangedEvent,
    TopologyEventType,
    TraceColumns,
    UnitMetadata,
)
from ezmsg.protocol.revisions import Revision
from ezmsg.protocol.wire.codec import to_wire
from ezmsg.protocol.wire.plain import PlainArray

CLIENT, SESSION, PROCESS = UUID(int=0xC1), UUID(int=0x5E), UUID(int=0x9C)
PUBLISHER, SUBSCRIBER, EXCHANGE = UUID(int=0x9B), UUID(int=0x5B), UUID(int=0xE8)
EPOCH = UUID("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
NONCE = bytes(range(32))
PROOF = bytes(range(255, 223, -1))
TIME = 1_700_000_000.25

SCHEMA = SettingsSchemaMetadata(
    provider="dataclass",
    settings_type="lab.FilterSettings",
    fields=[
        SettingsFieldMetadata("cutoff", "float", True, None, "The corner, in Hz", (0.5, None), None, "slider"),
        SettingsFieldMetadata("order", "int", False, 4, None, (1.0, 12.0), None, None),
        SettingsFieldMetadata("kind", "str", False, "low", None, None, ["low", "high", ("band", 2)], None),
    ],
    json_schema={"type": "object", "properties": {"cutoff": {"type": "number"}}},
)
STRUCTURED: dict[str, Any] = {
    "none": None,
    "yes": True,
    "count": -3,
    "large": 2**100,
    "cutoff": 12.5,
    "infinite": float("inf"),
    "name": "μV",
    "raw": b"\x00\xff",
    "list": [1, [2, {}]],
    "tuple": (1, "two", (3.0,)),
    "set": {1, 2},
    "frozenset": frozenset({"a"}),
    "taps": PlainArray("<f8", (2,), bytes.fromhex("000000000000f03f0000000000000040")),
    "by number": {1: "one", (2, 3): "pair"},
}
UNIT = UnitMetadata(
    address="SYSTEM/FILTER",
    name="FILTER",
    component_type="lab.Filter",
    settings_type="lab.FilterSettings",
    initial_settings=(b"opaque", STRUCTURED),
    dynamic_settings=DynamicSettingsMetadata(True, "SYSTEM/FILTER/INPUT_SETTINGS", "lab.FilterSettings"),
    settings_schema=SCHEMA,
    streams={
        "PLAIN": StreamMetadata("PLAIN", "SYSTEM/FILTER/PLAIN", "typing.Any"),
        "INPUT": InputStreamMetadata("INPUT", "SYSTEM/FILTER/INPUT", "lab.Signal", leaky=True, max_queue=2),
        "OUTPUT": OutputStreamMetadata(
            "OUTPUT", "SYSTEM/FILTER/OUTPUT", "lab.Signal", "127.0.0.1", 25980, 32, 65536, False
        ),
    },
    tasks=[TaskMetadata("filter", "INPUT", ["OUTPUT"]), TaskMetadata("watch")],
    main="main",
    threads=["poll"],
)
COLLECTION = CollectionMetadata(
    address="SYSTEM",
    name="SYSTEM",
    component_type="lab.System",
    settings_type="ezmsg.core.settings.Settings",
    initial_settings=(None, "Settings()"),
    dynamic_settings=DynamicSettingsMetadata(False, None, None),
    settings_schema=None,
    topics={
        "PLAIN": TopicMetadata("PLAIN", "SYSTEM/PLAIN", "lab.Signal"),
        "INPUT": InputTopicMetadata("INPUT", "SYSTEM/INPUT", "lab.Signal"),
        "OUTPUT": OutputTopicMetadata("OUTPUT", "SYSTEM/OUTPUT", "lab.Signal"),
    },
    relays={
        "PLAIN": RelayMetadata("PLAIN", "SYSTEM/PLAIN", "lab.Signal", leaky=True, relay_group="group"),
        "IN": InputRelayMetadata("IN", "SYSTEM/IN", "lab.Signal", True, 3, False, "group", "SYSTEM/IN", "SYSTEM/R"),
        "OUT": OutputRelayMetadata("OUT", "SYSTEM/OUT", "lab.Signal", "host", 1, 2, 3, True, False, "g", "a", "b"),
    },
    children=["SYSTEM/FILTER"],
)
METADATA = GraphMetadata(1, "SYSTEM", {"SYSTEM": COLLECTION, "SYSTEM/FILTER": UNIT})
SNAPSHOT = GraphSnapshot(
    graph={"A": ["SYSTEM/FILTER/INPUT"], "SYSTEM/FILTER/INPUT": []},
    edge_owners={Edge("A", "SYSTEM/FILTER/INPUT"): [str(SESSION), "persistent"]},
    sessions={str(SESSION): SnapshotSession([Edge("A", "SYSTEM/FILTER/INPUT")], METADATA)},
    processes={PROCESS: SnapshotProcess(PROCESS, 4711, "lab", ["SYSTEM/FILTER"])},
    epoch=EPOCH,
    topology_seq=12,
    settings_seq=3,
)
TOPOLOGY_CHANGED = TopologyChangedEvent(12, TopologyEventType.GRAPH_CHANGED, TIME, ["A"], str(SESSION), PROCESS)
SETTINGS = SettingsSnapshotValue(b"opaque", {"cutoff": 12.5}, STRUCTURED, SCHEMA, 2)
SETTINGS_CHANGED = SettingsChangedEvent(
    3, SettingsEventType.SETTINGS_UPDATED, "SYSTEM/FILTER", TIME, str(SESSION), PROCESS, SETTINGS
)
REQUEST = ProcessControlRequest("r1", "SYSTEM/FILTER", ProcessControlOperation.UPDATE_SETTING_FIELD, b"payload")
STACK_FRAME = StackFrame("/lab/filters.py", 88, "Filter.work", "time.sleep(1)")
THREAD_STACK = ThreadStack("MainThread", 140_000_000_000_000, False, [STACK_FRAME], 2)
TASK_STACK = TaskStack("SYSTEM/FILTER/INPUT", None, 140_000_000_000_000, [STACK_FRAME, STACK_FRAME], 1)
STACKS = ProcessStacks(
    PROCESS,
    4711,
    "lab",
    TIME,
    [TASK_STACK, TaskStack("SYSTEM/FILTER:watch", "Future")],
    [THREAD_STACK, ThreadStack("", 1, None)],
    3,
    4,
    ["Tasks came and went."],
)
RESPONSE = ProcessControlResponse("r1", False, None, "too slow", ProcessControlErrorCode.TIMEOUT, PROCESS)
CONTACT = endpoints.Contact(EXCHANGE, "\x00ezmsg-link", "10.0.0.1", 25980)
EVERYWHERE = endpoints.Contact(EXCHANGE, "\x00ezmsg-link", "127.0.0.1", 25980, ["10.0.0.1"], everywhere=True)
CERTIFIED = endpoints.Contact(EXCHANGE, "\x00ezmsg-link", "10.0.0.1", 25980, certificate=PROOF)
EDGE_CONNECT = envelopes.Body(to_wire(sessions.Connect("A", "B", SESSION)))
CYCLE = CyclicException(from_topic="A", to_topic="B", path=["B", "A"])
CYCLE_FIELDS = envelopes.Fields({"from_topic": "A", "to_topic": "B", "path": ["B", "A"]})

TOTALS = MetricTotals(3, 4_000, 2_000)
CHANNEL_PROFILE = ChannelProfileSnapshot(EXCHANGE, ProfileChannelType.SHM, 10, 1_280, 2, 5_000)
PUBLISHER_PROFILE = PublisherProfileSnapshot(
    f"A:{PUBLISHER}", "A", 10, 4, 2.0, 2, 32, 1e9, 1_280, 6_000, [CHANNEL_PROFILE], {"publish_delta_ns": TOTALS}
)
SUBSCRIBER_PROFILE = SubscriberProfileSnapshot(
    f"B:{SUBSCRIBER}",
    "B",
    9,
    4,
    ProfileChannelType.SHM,
    1e9,
    1_152,
    1,
    2,
    EXCHANGE,
    [PUBLISHER],
    {"lease_time_ns": TOTALS},
    {"detect": TOTALS},
)
PROCESS_PROFILE = ProcessProfilingSnapshot(
    PROCESS,
    4711,
    "lab",
    2.0,
    1e9,
    {PUBLISHER_PROFILE.endpoint_id: PUBLISHER_PROFILE},
    {SUBSCRIBER_PROFILE.endpoint_id: SUBSCRIBER_PROFILE},
    12,
    [str(SESSION)],
)
SAMPLE = ProfilingTraceSample(
    1e9, f"B:{SUBSCRIBER}", "B", "user_span_ns", 2_000.0, ProfileChannelType.SHM, 9, PUBLISHER, "detect"
)
BATCH = ProcessProfilingTraceBatch(PROCESS, 4711, "lab", 1e9, [SAMPLE], 3, 12)
COLUMNS = TraceColumns(
    [f"B:{SUBSCRIBER}"],
    ["B"],
    ["user_span_ns"],
    ["detect"],
    [PUBLISHER],
    [ProfileChannelType.SHM],
    (10**9).to_bytes(8, "little"),
    (2_000).to_bytes(8, "little"),
    (9).to_bytes(8, "little"),
    b"\0\0",
    b"\0\0",
    b"\1\0",
    b"\1\0",
    b"\0\0",
)

MESSAGES: tuple[Any, ...] = (
    handshake.Hello(Revision(1, 0), "0.1.0", NONCE, CLIENT, 4711, "lab"),
    handshake.Challenge(Revision(1, 0), "0.1.0", NONCE, PROOF),
    handshake.Proof(PROOF),
    handshake.Welcome(EPOCH),
    presence.Beat(0.25, 3.0, asks=True),
    handshake.Refusal(CYCLE.code, "A cycle.", CYCLE_FIELDS),
    envelopes.Request(7, EDGE_CONNECT),
    envelopes.Reply(7, envelopes.Body({"type": "done"})),
    envelopes.Failure(7, CYCLE.code, "A cycle.", CYCLE_FIELDS),
    envelopes.Notice(EDGE_CONNECT),
    envelopes.Item(2**40, EDGE_CONNECT),
    envelopes.StreamEnd(7),
    envelopes.Cancel(7),
    envelopes.Goodbye(CYCLE.code, "A cycle.", CYCLE_FIELDS),
    sessions.Done(),
    sessions.OpenSession(SESSION, 3),
    sessions.CloseSession(SESSION),
    sessions.EdgeChanged(True, ["lab:4711"]),
    sessions.Connect("A", "B", SESSION),
    sessions.Disconnect("A", "B"),
    sessions.ClearSession(SESSION),
    sessions.DropSession(SESSION),
    sessions.RegisterMetadata(SESSION, METADATA),
    sessions.SnapshotTaken(SNAPSHOT),
    sessions.TakeSnapshot(),
    service.Topology([service.OwnedEdge("A", "B", [str(SESSION), None])]),
    service.TakeTopology(),
    service.ConnectedPeers([service.ConnectedPeer(CLIENT, "0.1.0", Revision(1, 0), 4711, "lab")]),
    service.TakePeers(),
    service.AllAnswered(["lab:4711"]),
    service.PauseAll(),
    service.ResumeAll(),
    service.SyncAll(1.5),
    service.Shutdown(),
    endpoints.Joined(["lab:4711"]),
    endpoints.DeclarePublisher(PUBLISHER, "A", CONTACT, NONCE, True, False),
    endpoints.DeclareSubscriber(SUBSCRIBER, "B"),
    endpoints.DeclareEndpoints(
        [endpoints.DeclarePublisher(PUBLISHER, "A", CONTACT, NONCE)], [endpoints.DeclareSubscriber(SUBSCRIBER, "B")]
    ),
    endpoints.Withdraw(PUBLISHER),
    endpoints.ApplyRoutes(
        9,
        [
            endpoints.RouteChange(
                SUBSCRIBER, [endpoints.Source(PUBLISHER, "A", CONTACT, PROOF, True, False)], [EXCHANGE]
            )
        ],
    ),
    endpoints.RoutesApplied([PUBLISHER]),
    endpoints.PausePublishing(),
    endpoints.ResumePublishing(),
    endpoints.AwaitReleases(),
    processes.RegisterProcess(PROCESS, ProcessRegistration(4711, "lab", ["SYSTEM/FILTER"])),
    processes.UpdateOwnership(PROCESS, ProcessOwnershipUpdate(["SYSTEM/A"], ["SYSTEM/B"])),
    events.FollowTopology(12),
    events.TopologyEvent(TOPOLOGY_CHANGED),
    events.Gap(3, 9),
    events.Reset(EPOCH, 12),
    settings.SettingsTaken({"SYSTEM/FILTER": SETTINGS}, 3, EPOCH),
    settings.TakeSettings(),
    settings.SettingsEvent(SETTINGS_CHANGED),
    settings.FollowSettings(3, EPOCH),
    settings.SettingsRecorded(3, 2),
    settings.ReportSettings(PROCESS, ProcessSettingsUpdate("SYSTEM/FILTER", SETTINGS, TIME)),
    settings.SettingApplied(SETTINGS),
    settings.UpdateSetting("SYSTEM/FILTER", "filters[2].cutoff", (1, 2.5), 1.5, 2),
    settings.ApplySetting(PROCESS, "SYSTEM/FILTER", "filters[2].cutoff", (1, 2.5)),
    requests.Responded(RESPONSE),
    requests.RouteRequest("SYSTEM/FILTER", "PING", 1.5, b"payload", SESSION),
    requests.HandleRequest(PROCESS, REQUEST, 1.5, CLIENT, SESSION),
    requests.EndTraces(PROCESS, SESSION),
    channels.LinkHello(EXCHANGE, 4711),
    channels.RingOffered(),
    channels.RingTaken(),
    channels.RingFollows(),
    channels.OpenChannel(1, PUBLISHER, CLIENT, NONCE),
    channels.ChannelChallenge(1, NONCE, PROOF, 32),
    channels.ChannelProof(1, PROOF),
    channels.ChannelOpened(1, 1000),
    channels.ChannelRefused(1, "no such publisher"),
    channels.CloseChannel(1),
    channels.ChannelEnded(1, 1001),
    channels.ChannelEndSeen(1),
    channels.SegmentNamed(1, 2, "ezmsg-segment", 65536, 32),
    channels.ChannelLeaky(1, True),
    channels.ChannelLeakyHeard(1),
    channels.ChannelForm(1, 2, b"form"),
    channels.ChannelCut(1, "process 4711 is stopped"),
    endpoints.ReportCut(PUBLISHER, "process 4711 is stopped"),
    channels.MemoryNotShared(1, "the two ends run as different users"),
)
MODEL: tuple[Any, ...] = (
    METADATA,
    SNAPSHOT,
    SETTINGS,
    TOPOLOGY_CHANGED,
    SETTINGS_CHANGED,
    ProcessRegistration(4711, "lab", ["SYSTEM/FILTER"]),
    ProcessOwnershipUpdate(["SYSTEM/A"], ["SYSTEM/B"]),
    ProcessSettingsUpdate("SYSTEM/FILTER", SETTINGS, TIME),
    REQUEST,
    RESPONSE,
    SettingsFieldUpdateRequest("filters[2].cutoff", (1, 2.5)),
    ProcessPing(PROCESS, 4711, "lab", TIME),
    ProcessStats(PROCESS, 4711, "lab", ["SYSTEM/FILTER"], TIME),
    STACKS,
    THREAD_STACK,
    TASK_STACK,
    STACK_FRAME,
    TOTALS,
    CHANNEL_PROFILE,
    PUBLISHER_PROFILE,
    SUBSCRIBER_PROFILE,
    PROCESS_PROFILE,
    ProfilingTraceControl(True, 10, ["A"], ["B"], [f"A:{PUBLISHER}"], [f"B:{SUBSCRIBER}"], ["lease_time_ns"], 30.0),
    SAMPLE,
    BATCH,
    ProfilingTraceStreamBatch(TIME, {PROCESS: BATCH}, {EPOCH: "it did not answer"}),
    ProfilingStreamControl(0.05, 1000, [PROCESS], True),
    COLUMNS,
    ProcessTrace(PROCESS, 4711, "lab", 1e9, 12, 3, COLUMNS),
)
ERRORS: tuple[EzmsgError, ...] = (
    FrameTooLarge(size=70_000, limit=65_536),
    MalformedFrame(reason="its body is a list and not a map"),
    UnknownMessage(tag="later"),
    InvalidMessage(tag="edge.connect", reason="expected str, got int @ $.from_topic"),
    ProtocolViolation(reason="Proof came out of turn"),
    VersionMismatch(ours=Revision(2, 1), theirs=Revision(1, 0), our_package="2.0", their_package="0.1.0"),
    ComponentCollision(addresses=["SYSTEM"], sessions=[str(SESSION)]),
    OwnershipCollision(units=["SYSTEM/FILTER"], processes=[str(PROCESS)]),
    CYCLE,
    UnknownSession(session=str(SESSION)),
    InvalidTopic(topic="", reason="it is empty"),
    UnknownEndpoint(endpoint=str(PUBLISHER)),
    DuplicateIdentity(role="publisher", identity=str(PUBLISHER)),
    InvalidMetadata(reason="a component is its own child"),
    UnknownProcess(process=str(PROCESS)),
    SettingsUnavailable(component="SYSTEM/FILTER", reason="no process owns it"),
    StaleRevision(component="SYSTEM/FILTER", expected=2, actual=None),
    UnitNotOwned(unit="SYSTEM/FILTER", process=str(PROCESS)),
    ServerUnreachable(address="127.0.0.1:25978", reason="connection refused"),
    ConnectionLost(address="127.0.0.1:25978", reason="it was reset"),
    AuthenticationFailed(reason="the graph server holds another token"),
    AddressInUse(address="127.0.0.1:25978", reason="address in use"),
    InsecureBind(address="0.0.0.0:25978"),
    InvalidAddress(address="nowhere"),
    DeadlineExceeded(operation="snapshot", seconds=2.5),
    SessionRequired(operation="connect"),
    ServerOverloaded(reason="too many connections"),
    UnsafeFolder(folder="/run/ezmsg", reason="it is a symbolic link"),
    UnreadableToken(file="token", reason="it is empty"),
    InsecureMetrics(address="0.0.0.0:9464"),
    RoleRequired(operation="server.shutdown", needed="admin", held="observer"),
    StateUnusable(file="/var/lib/ezmsg/state", reason="another server has it"),
    TlsRequired(address="10.0.0.1:25978"),
    TlsNotSpoken(address="10.0.0.1:25978", source="EZMSG_TLS_CA"),
    CertificateUntrusted(peer="10.0.0.1:25978", reason="unknown authority", authority="/etc/ezmsg/tls-ca.pem"),
    CertificateOutOfDate(
        peer="10.0.0.1:25978",
        now="2030-01-02 03:04 UTC",
        valid_from="2026-01-01 00:00 UTC",
        valid_until="2029-01-01 00:00 UTC",
    ),
    CertificateOfAnother(peer="10.0.0.1:25978", host="10.0.0.1", names=["lab", "10.0.0.7"]),
    TlsUnusable(file="/etc/ezmsg/tls-key.pem", reason="the key is another certificate's"),
    TlsFailed(peer="10.0.0.1:25978", reason="it speaks an older TLS than 1.3"),
    WayUnusable(address="zenoh:lab", reason="ezmsg-zenoh is not installed here"),
    LeaseExpired(peer="lab/4711", seconds=3.25),
    InternalError(reason="ZeroDivisionError: division by zero"),
    RemoteError(remote_code="EZ-7777", text="A later error."),
)
LATER_FIELDS: dict[str, Any] = {
    "subscriber.declare+hears": endpoints.DeclareSubscriber(SUBSCRIBER, "B", [PUBLISHER]),
    "settings.apply+revision": settings.ApplySetting(PROCESS, "SYSTEM/FILTER", "filters[2].cutoff", (1, 2.5), 8),
    "settings.report+restored": settings.ReportSettings(
        PROCESS, ProcessSettingsUpdate("SYSTEM/FILTER", SETTINGS, TIME), 7
    ),
    "snapshot.take+known": sessions.TakeSnapshot([PROOF[:16]]),
    "snapshot.taken+compact": sessions.SnapshotTaken(
        GraphSnapshot({}, {}, {}, epoch=EPOCH, topology_seq=12, settings_seq=3),
        sessions.CompactSnapshot(
            b"columns",
            [
                sessions.ShownSession(str(CLIENT)),
                sessions.ShownSession(str(PROCESS), PROOF[:16]),
                sessions.ShownSession(str(SESSION), PROOF[16:], b"metadata"),
            ],
        ),
    ),
    "PublisherProfileSnapshot+waiting": dataclasses.replace(PUBLISHER_PROFILE, waiting_now=2, waiting_ns_now=1_500),
    "SubscriberProfileSnapshot+held": dataclasses.replace(SUBSCRIBER_PROFILE, held_now=1, lease_ns_total=5_000),
    "ProfilingTraceSample+within": dataclasses.replace(SAMPLE, label="filter", within="detect"),
    "TraceColumns+within": dataclasses.replace(COLUMNS, within=bytes([1, 0])),
    "TaskMetadata+source": TaskMetadata("filter", "INPUT", ["OUTPUT"], "/lab/filters.py:88"),
    "ProcessControlRequest+stacks": ProcessControlRequest(
        "r2", "SYSTEM/FILTER", ProcessControlOperation.GET_PROCESS_STACKS
    ),
    "ProcessStats+late": ProcessStats(PROCESS, 4711, "lab", [], TIME, 1.5, 2**20, 0.001, 60.0, 3),
    "ProcessStats+starting": ProcessStats(
        PROCESS, 4711, "lab", ["SLOW"], TIME, phase="starting", waits_for={"SLOW": 12.5}
    ),
    "SnapshotProcess+starting": SnapshotProcess(PROCESS, 4711, "lab", [], ["SLOW"]),
    "ProcessRegistration+starting": ProcessRegistration(4711, "lab", [], ["SLOW"]),
    "ProcessStats+descriptors": ProcessStats(PROCESS, 4711, "lab", [], TIME, descriptors=12, descriptor_limit=1024),
    "routes.apply+wait": endpoints.ApplyRoutes(12, [], 0.8),
    "routes.apply+away": endpoints.ApplyRoutes(
        12, [endpoints.RouteChange(SUBSCRIBER, [], [PUBLISHER], [PUBLISHER])]
    ),
    "welcome+listens_on": handshake.Welcome(EPOCH, "0.0.0.0"),
    "welcome+role": handshake.Welcome(EPOCH, "0.0.0.0", "observer"),
    "challenge+role_proofs": handshake.Challenge(
        Revision(1, 0), "0.1.0", NONCE, PROOF, {"observer": PROOF, "operator": PROOF}
    ),
    "proof+role": handshake.Proof(PROOF, "observer"),
    "publisher.declare+everywhere": endpoints.DeclarePublisher(PUBLISHER, "A", EVERYWHERE, NONCE),
    "publisher.declare+offers": endpoints.DeclarePublisher(
        PUBLISHER, "A", CONTACT, NONCE, offers={"zenoh": b"key"}
    ),
    "routes.apply+offers": endpoints.ApplyRoutes(
        12,
        [
            endpoints.RouteChange(
                SUBSCRIBER, [endpoints.Source(PUBLISHER, "A", CONTACT, PROOF, offers={"zenoh": b"key"})]
            )
        ],
    ),
    "publisher.declare+certificate": endpoints.DeclarePublisher(PUBLISHER, "A", CERTIFIED, NONCE),
    "routes.apply+named": endpoints.ApplyRoutes(
        12,
        [
            endpoints.RouteChange(
                SUBSCRIBER, [endpoints.Source(PUBLISHER, "A", EVERYWHERE, PROOF, publisher_name="lab/4711")]
            )
        ],
    ),
    "hello+incarnation": handshake.Hello(Revision(1, 0), "0.1.0", NONCE, CLIENT, incarnation=3),
    "SnapshotProcess+state": SnapshotProcess(PROCESS, 4711, "lab", [], state=ProcessState.STALLED),
    "TopologyChangedEvent+state": dataclasses.replace(TOPOLOGY_CHANGED, process_state=ProcessState.DEAD),
    "GraphSnapshot+dead": GraphSnapshot(
        {}, {}, {}, dead={PROCESS: SnapshotProcess(PROCESS, 4711, "lab", ["A"], state=ProcessState.DEAD)}
    ),
    "ProcessTrace+traced": ProcessTrace(PROCESS, 4711, "lab", 1e9, 12, 0, TraceColumns(), traced=False),
}
"""Messages with the fields that came to them after their own vector was written."""

EXPECTED: dict[str, Any] = {
    **{message.TAG: message for message in MESSAGES},
    **LATER_FIELDS,
    **{type(value).__name__: value for value in MODEL},
    **{error.code: error for error in ERRORS},
}
"""The values by the name of their file, which is a message's tag, a model's class name or an error's code."""
