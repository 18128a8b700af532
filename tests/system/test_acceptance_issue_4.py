"""Issue 4 as its reader understands it: the control plane from outside, through public names and real processes."""

import asyncio
import contextlib
import dataclasses
import enum
import json
import math
import os
import signal
import sys
from typing import Literal
from uuid import UUID

import numpy as np
import psutil
import pytest
from tests.ports import unused_port

import ezmsg.core as ez
from ezmsg.control import (
    ProcessControlClient,
    acquire,
    find_address,
    follow_settings,
    follow_topology,
    release,
    settingsmeta,
    take_settings,
)
from ezmsg.core.graphmeta import (
    DynamicSettingsMetadata,
    GraphMetadata,
    ProcessControlErrorCode,
    SettingsEventType,
    SettingsSnapshotValue,
    TopologyEventType,
    UnitMetadata,
)
from ezmsg.protocol.errors import ComponentCollision, EzmsgError, OwnershipCollision, StaleRevision
from ezmsg.protocol.messages.events import Gap, Reset

HANG = 30.0

ANSWERING = "import acceptance_control as program; asyncio.run(program.answering())"
REPORTING = "import acceptance_control as program; asyncio.run(program.reporting())"
REPLACING = "import acceptance_control as program; asyncio.run(program.replacing())"
TUNED = "import acceptance_control as program; program.tunable(sys.argv[1])"


@pytest.fixture(autouse=True)
def address(monkeypatch, environment):
    """A port of the test's own, which its programs and its own process take for the graph server's."""
    for name in [name for name in os.environ if name.startswith("EZMSG_")]:
        monkeypatch.delenv(name)
    address = f"127.0.0.1:{unused_port()}"
    environment["EZMSG_GRAPHSERVER_ADDR"] = address
    for name in ("EZMSG_RUNTIME_DIR", "EZMSG_GRAPHSERVER_ADDR"):
        monkeypatch.setenv(name, environment[name])
    return address


@pytest.fixture
def serve(start, address):
    """Start a graph server there, again if one was killed; return it when it answers."""

    async def begin(**more):
        program = start.command(sys.executable, "-m", "ezmsg.graphserver", "--address", address, **more)
        async with asyncio.timeout(HANG):
            while not await answers():  # noqa: ASYNC110, another process makes it true
                await asyncio.sleep(0.02)
        return program

    async def answers():
        with contextlib.suppress(OSError, EzmsgError):
            async with ez.GraphContext():
                return True
        return False

    return begin


async def said(program, beginning, times=1):
    return await asyncio.to_thread(program.says, beginning, times)


async def until(look):
    """Ask until the answer is true, and return it."""
    async with asyncio.timeout(HANG):
        while not (found := await look()):  # noqa: ASYNC110, another process makes it true
            await asyncio.sleep(0.02)
        return found


@contextlib.asynccontextmanager
async def connected():
    connection = await acquire(find_address())
    try:
        yield connection
    finally:
        await release(connection)


def described(component, settings, *, tunable=False):
    """What a program says of one unit that it has."""
    structured = settingsmeta.settings_structured_value(settings)
    dynamic = DynamicSettingsMetadata(tunable, f"{component}/INPUT_SETTINGS" if tunable else None, None)
    unit = UnitMetadata(
        component, component, "a.Unit", "a.Settings", (None, structured or {}), dynamic, None, {}, [], None, []
    )
    return GraphMetadata(1, None, {component: unit})


def value(**fields):
    return SettingsSnapshotValue(None, fields, fields)


async def test_1_requests_end_in_one_reply_or_one_typed_failure(serve, start):
    await serve()
    program = start(ANSWERING)
    process_id = UUID((await said(program, "ready"))[1])
    async with ez.GraphContext() as context, ez.GraphContext() as other:
        assert set((await context.snapshot()).processes[process_id].units) == {"HAND", "HAND2"}

        every_byte = bytes(range(256)) * 3
        reply = await context.process_request("HAND2", "echo", payload=every_byte)
        assert (reply.ok, reply.payload, reply.process_id) == (True, every_byte, process_id)
        for one in ({"a": [1, (2, None)], "b": b"\0"}, 2**80, np.arange(3)):
            twice = context.decode_process_payload(await context.process_request("HAND", "double", payload_obj=one))
            assert len(twice) == 2
            assert str(twice[0]) == str(one) or "PlainArray" in repr(twice[0])
        with pytest.raises(ValueError, match="payload"):
            await context.process_request("HAND", "echo", payload=b"a", payload_obj=1)

        # Eight that hold delay neither a ping nor one another, nor a second client; all of them get their answer.
        held = [asyncio.create_task(context.process_request("HAND", "hold", timeout=HANG)) for _ in range(8)]
        await said(program, "holding", 8)
        ping, stats = await asyncio.gather(context.process_ping("HAND"), other.process_stats("HAND"))
        assert (ping.process_id, ping.pid, stats.pid) == (process_id, program.pid, program.pid)
        assert set(stats.owned_units) == {"HAND", "HAND2"}
        assert stats.cpu_s is not None and stats.memory_bytes > 1e6 and stats.uptime_s > 0  # noqa: PT018
        assert stats.loop_lateness_s >= 0
        codes = ProcessControlErrorCode
        late = await context.process_request("HAND", "hold", timeout=0.2)
        assert (late.ok, late.error_code) == (False, codes.TIMEOUT)
        with contextlib.suppress(EzmsgError):
            async with ez.GraphContext() as leaving:
                gone = asyncio.create_task(leaving.process_request("HAND", "hold", timeout=HANG))
                await said(program, "holding", 10)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        assert (await context.process_request("HAND", "free")).ok
        assert all(reply.ok for reply in await asyncio.gather(*held))

        # Every failure has its code; late replies, and those to nobody, are given to nobody.
        for unit, operation, code, words in (
            ("NOBODY", "echo", codes.UNROUTABLE_UNIT, "NOBODY"),
            ("HAND", "raise", codes.HANDLER_ERROR, "the drawer is empty"),
            ("HAND", "text", codes.INVALID_RESPONSE, ""),
            ("HAND", "stranger", codes.INVALID_RESPONSE, ""),
            ("MUTE", "echo", codes.HANDLER_NOT_CONFIGURED, ""),
            ("MUTE", "GET_PROFILING_SNAPSHOT", codes.UNSUPPORTED_OPERATION, ""),
        ):
            failure = await context.process_request(unit, operation)
            assert (failure.ok, failure.error_code) == (False, code), operation
            assert failure.error
            assert words in failure.error
            assert (await context.process_request("HAND", "echo", payload=b"x")).payload == b"x"
        with pytest.raises(RuntimeError, match="NOBODY"):
            await context.process_ping("NOBODY")
        died = await context.process_request("HAND", "die", timeout=HANG)
        assert (died.ok, died.error_code) == (False, codes.PROCESS_DISCONNECTED)
        async with asyncio.timeout(HANG):
            assert process_id not in (await context.snapshot()).processes


async def test_2_settings_change_on_one_path(serve, start, tmp_path):
    await serve()
    flag = tmp_path / "unblocked"
    program = start(TUNED, str(flag))
    owner = int((await said(program, "started"))[1])
    async with ez.GraphContext() as context, ez.GraphContext() as other:
        await until(lambda: units_are(context, "TUNED", "PLAIN"))
        first = (await context.settings_snapshot())["TUNED"]
        fields = first.structured_value
        assert math.isnan(fields["missing"])
        assert fields["stages"][1] == {"gain": 2.0}
        assert await context.settings_input_topic("TUNED") == "TUNED/INPUT_SETTINGS"
        with pytest.raises(RuntimeError, match="PLAIN"):
            await context.settings_input_topic("PLAIN")

        stream = context.subscribe_settings_events(after_seq=0)
        for path, new in (
            ("rate", 2),  # a whole number becomes the float that the field has
            ("shape", "bell"),
            ("kind", "high"),
            ("stages[1].gain", 3.5),
            ("table.a", 4.0),
            ("window.length", 16),
            ("model.order", 12),
            ("missing", math.inf),
        ):
            now = await context.update_setting("TUNED", path, new)
        changed = now.structured_value
        assert (now.revision, changed["rate"], changed["shape"]) == (first.revision + 8, 2.0, "bell")
        assert (changed["stages"], changed["table"]) == ([{"gain": 1.0}, {"gain": 3.5}], {"a": 4.0})
        assert changed["blob"] == {"$bytes": "AP8="}  # in terms of JSON
        assert changed["weights"] == [0.0, 1.0, 2.0]
        assert (changed["window"], changed["model"]) == ({"length": 16}, {"order": 12})
        await said(program, "has 2.0")
        stood = (await other.settings_snapshot())["TUNED"]
        assert stood.structured_value["stages"] == changed["stages"]

        for component, path, bad, words in (
            ("NOBODY", "rate", 1.0, ("NOBODY",)),
            ("PLAIN", "rate", 1.0, ("PLAIN",)),
            ("TUNED", "raet", 1.0, ("raet", "rate")),
            ("TUNED", "stages[7].gain", 1.0, ("stages[7]",)),
            ("TUNED", "rate", "fast", ("rate", "0.5", "9")),
            ("TUNED", "rate", 9.5, ("rate", "0.5", "9")),
            ("TUNED", "rate", math.nan, ("rate", "0.5", "9")),
            ("TUNED", "stages[1].gain", -1.0, ("stages[1].gain", "0", "10")),
            ("TUNED", "shape", "cone", ("shape", "box", "bell")),
            ("TUNED", "kind", "middle", ("kind", "low", "high")),
            ("TUNED", "model.order", 13, ("order", "12")),
            ("TUNED", "name", "refuse", ("not today",)),
            ("TUNED", "name", object(), ("name",)),
            ("TUNED", "table", {"a": {1, (2, 3)}}, ("table",)),
        ):
            with pytest.raises(RuntimeError) as refused:
                await context.update_setting(component, path, bad)
            assert [word for word in words if word not in str(refused.value)] == [], str(refused.value)
        kept = (await context.settings_snapshot())["TUNED"]
        assert (kept.revision, kept.structured_value["stages"]) == (now.revision, changed["stages"])

        # Two at once both land; who has seen an older revision is refused.
        await asyncio.gather(
            *(c.update_setting("TUNED", p, v) for c, p, v in ((context, "rate", 3.0), (other, "table.a", 5.0)))
        )
        both = (await context.settings_snapshot())["TUNED"]
        assert (both.structured_value["rate"], both.structured_value["table"]["a"]) == (3.0, 5.0)
        ends = await asyncio.gather(
            *(c.update_setting("TUNED", "rate", 4.0, expect=both.revision) for c in (context, other)),
            return_exceptions=True,
        )
        refused = [end for end in ends if isinstance(end, RuntimeError)]
        assert [type(one.__cause__ or one) for one in refused] == [StaleRevision]

        # A unit that blocks its loop: its process answers, the change is late but not lost, and all hear of it.
        with pytest.raises(RuntimeError, match=r"(?i)timeout"):
            await context.update_setting("TUNED", "name", "block", timeout=0.3)
        await said(program, "blocked")
        assert (await context.process_ping("TUNED")).pid == owner
        flag.touch()
        async with asyncio.timeout(HANG):
            async for event in stream:
                if event.value.structured_value.get("name") == "block":
                    break
        assert (await context.update_setting("TUNED", "rate", 5.0)).structured_value["name"] == "block"
        replacing = start(REPLACING)
        assert await said(replacing, "replaced") == ["replaced", "1", "6.0"]
        assert await asyncio.to_thread(replacing.ends) == 0
        events = await context.settings_events(after_seq=0)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[-1].source_process_id == (await context.process_ping("TUNED")).process_id
        assert await context.settings_events(after_seq=events[-1].seq) == []
    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0


async def units_are(context, *units):
    owned = {unit for process in (await context.snapshot()).processes.values() for unit in process.units}
    return set(units) <= owned


async def test_r5_a_frozen_program_holds_up_only_those_who_ask_it(serve, start):
    await serve()
    program = start(TUNED, "never")
    async with ez.GraphContext() as context, ez.GraphContext() as other:
        await until(lambda: units_are(context, "TUNED", "PLAIN"))
        program.signal(signal.SIGSTOP, group=True)
        asked = [
            asyncio.create_task(context.process_ping("TUNED", timeout=1.0)),
            asyncio.create_task(context.update_setting("TUNED", "rate", 2.0, timeout=1.0)),
            asyncio.create_task(context.connect("X", "TUNED/INPUT_SETTINGS")),
        ]
        async with asyncio.timeout(HANG):
            assert await other.snapshot()
            await other.connect("Y", "Z")
            ends = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(end, RuntimeError) for end in ends] == [True, True, False], ends
        assert all("TIMEOUT" in str(end) or "within" in str(end) for end in ends[:2]), ends
        program.signal(signal.SIGCONT, group=True)
        assert (await context.process_ping("TUNED", timeout=HANG)).pid
        changed = await context.update_setting("TUNED", "rate", 3.0, timeout=HANG)
        assert changed.structured_value["rate"] == 3.0
    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0


class Mode(enum.Enum):
    SLOW = "slow"
    FAST = "fast"


@dataclasses.dataclass
class AsDataclass:
    size: int = dataclasses.field(metadata={"min": 1, "max": 9, "description": "how much", "unit": "V"})
    mode: Mode = Mode.SLOW
    shape: Literal["box", "bell"] = "box"


def test_3_a_form_can_be_built_from_any_kind_of_settings(tmp_path):
    attrs, pydantic, param = (pytest.importorskip(name) for name in ("attrs", "pydantic", "param"))

    @attrs.define
    class AsAttrs:
        size: int = attrs.field(default=3, metadata={"min": 1, "max": 9, "description": "how much"})

    class AsModel(pydantic.BaseModel):
        size: int = pydantic.Field(3, ge=1, le=9, description="how much")

    class AsParam(param.Parameterized):
        size = param.Integer(3, bounds=(1, 9), doc="how much")

    for settings_type in (AsDataclass, AsAttrs, AsModel, AsParam):
        schema = settingsmeta.settings_schema_from_type(settings_type)
        size = next(field for field in schema.fields if field.name == "size")
        assert (tuple(size.bounds), size.description) == ((1, 9), "how much"), settings_type
        assert (size.required, size.default) == ((True, None) if settings_type is AsDataclass else (False, 3))
        described_size = schema.json_schema["properties"]["size"]
        assert described_size["type"] == "integer"
        assert (described_size["minimum"], described_size["maximum"]) == (1, 9)
        json.dumps(schema.json_schema, allow_nan=False)
        one = settings_type(size=4)
        assert settingsmeta.settings_schema_from_value(one).provider == schema.provider
        assert settingsmeta.settings_structured_value(one)["size"] == 4
        assert settingsmeta.settings_repr_value(one)["size"] == 4
    by_name = {field.name: field for field in settingsmeta.settings_schema_from_type(AsDataclass).fields}
    assert by_name["shape"].choices == ["box", "bell"]
    assert len(by_name["mode"].choices) == 2
    assert by_name["shape"].widget_hint
    assert settingsmeta.settings_schema_from_type(int) is None


async def test_3_no_schema_library_is_required(start):
    program = start("""
        import sys
        for name in ("pydantic", "param"):
            sys.modules[name] = None  # as if it were not installed
        from dataclasses import dataclass
        from ezmsg.control.settingsmeta import settings_schema_from_type
        @dataclass
        class One:
            size: int = 1
        say("fields", *(field.name for field in settings_schema_from_type(One).fields))
    """)
    assert await said(program, "fields") == ["fields", "size"]
    assert await asyncio.to_thread(program.ends) == 0


async def test_4_whatever_a_snapshot_shows_its_change_is_an_event(serve):
    await serve()
    async with ez.GraphContext() as watching, connected() as connection:
        topology = follow_topology(connection, (await watching.snapshot()).topology_seq)
        settings = follow_settings(connection)

        async def next_of(stream):
            async with asyncio.timeout(HANG):
                return await anext(stream)

        async with ez.GraphContext() as context:
            await context.connect("A/OUT", "B/IN")
            edge = await next_of(topology)
            session = next(iter((await watching.snapshot()).edge_owners.values()))[0]
            assert edge.event_type is TopologyEventType.GRAPH_CHANGED
            assert {"A/OUT", "B/IN"} & set(edge.changed_topics)
            assert edge.source_session_id == session
            await context.register_metadata(described("U", AsDataclass(2)))
            assert (await next_of(topology)).event_type is TopologyEventType.GRAPH_CHANGED
            first = await next_of(settings)
            assert (first.event_type, first.component_address) == (SettingsEventType.INITIAL_SETTINGS, "U")
            assert (first.source_session_id, first.source_process_id) == (session, None)

            process = ProcessControlClient()
            await process.register(["U"])
            owned = await next_of(topology)
            assert owned.event_type is TopologyEventType.PROCESS_CHANGED
            assert owned.source_process_id == process.process_id
            await process.report_settings_update("U", value(size=5))
            reported = await next_of(settings)
            assert reported.value.structured_value == {"size": 5}
            assert reported.source_process_id == process.process_id
            await process.close()
            restored = await next_of(settings)
            assert restored.value.structured_value["size"] == 2
            assert (await next_of(topology)).event_type is TopologyEventType.PROCESS_CHANGED
        removed = await next_of(settings)
        assert (removed.event_type, removed.component_address) == (SettingsEventType.SETTINGS_REMOVED, "U")
        assert removed.value.structured_value["size"] == 2
        assert await watching.settings_snapshot() == {}
        assert (await next_of(topology)).event_type is TopologyEventType.GRAPH_CHANGED
        assert [first.seq, reported.seq, restored.seq, removed.seq] == [1, 2, 3, 4]
        again = follow_settings(connection, after_seq=2)
        assert [(await next_of(again)).seq for _ in range(2)] == [3, 4]


async def test_4_a_gap_covers_what_the_history_no_longer_has(serve):
    await serve(EZMSG_SETTINGS_EVENT_HISTORY_LIMIT="5", EZMSG_TOPOLOGY_EVENT_HISTORY_LIMIT="5")
    process = ProcessControlClient()
    await process.register(["U"])
    for size in range(20):
        await process.report_settings_update("U", value(size=size))
        await process.update_ownership(added_units=[f"V{size}"])
    async with connected() as connection:
        for follow, least in ((follow_settings, 20), (follow_topology, 21)):
            async with asyncio.timeout(HANG):
                stream = follow(connection)
                gap = await anext(stream)
                rest = [await anext(stream) for _ in range(5)]
            assert isinstance(gap, Gap)
            assert (gap.first, gap.last) == (1, rest[0].seq - 1)
            assert [event.seq for event in rest] == list(range(gap.last + 1, gap.last + 6))
            assert rest[-1].seq >= least
    async with ez.GraphContext() as context, asyncio.timeout(HANG):  # the public stream makes up for it
        async for event in context.subscribe_settings_events():
            if event.value.structured_value == {"size": 19}:
                break
    await process.close()


async def test_5_collisions_name_everything_and_keep_nothing(serve):
    await serve()
    one, two = ProcessControlClient(), ProcessControlClient()
    await one.register(["A", "B"])
    with pytest.raises(OwnershipCollision) as on_register:
        await two.register(["A", "B", "C"])
    await two.register(["D"])
    with pytest.raises(OwnershipCollision) as on_update:
        await two.update_ownership(added_units=["B", "A", "E"], removed_units=["D"])
    for refused in (on_register.value, on_update.value):
        assert isinstance(refused, RuntimeError)
        assert {"A", "B"} <= set(str(refused).replace(",", " ").replace("'", " ").split()), refused
    async with ez.GraphContext() as first, ez.GraphContext() as second:
        units = {process.process_id: process.units for process in (await first.snapshot()).processes.values()}
        assert units == {one.process_id: ["A", "B"], two.process_id: ["D"]}
        both = GraphMetadata(1, None, {**described("U", 1).components, **described("V", 1).components})
        three = GraphMetadata(1, None, {**both.components, **described("W", 1).components})
        await first.register_metadata(both)
        with pytest.raises(ComponentCollision, match=r"U\W+V"):
            await second.register_metadata(three)
        sessions = (await first.snapshot()).sessions.values()
        assert [set(s.metadata.components) for s in sessions if s.metadata] == [{"U", "V"}]
        assert "W" not in await first.settings_snapshot()
    await one.close()
    await two.close()


def canonical(snapshot):
    sessions = {one: dataclasses.replace(each, opened=None) for one, each in snapshot.sessions.items()}
    return str(dataclasses.replace(snapshot, epoch=None, topology_seq=None, settings_seq=None, sessions=sessions))


async def test_6_what_clients_own_is_back_after_the_server_was_killed(serve, start):
    server = await serve()
    program = start(TUNED, "never")
    await said(program, "started")
    process = ProcessControlClient()
    process.set_request_handler(lambda request: None)
    await process.register(["U"])
    async with ez.GraphContext() as context, connected() as connection:
        await until(lambda: units_are(context, "TUNED", "PLAIN", "U"))
        await context.register_metadata(described("U", AsDataclass(2)))
        await context.connect("A", "B")
        await process.report_settings_update("U", value(size=7))
        await context.update_setting("TUNED", "rate", 7.0)
        publisher, subscriber = await context.publisher("A"), await context.subscriber("B")
        await publisher.broadcast("before")
        assert await subscriber.recv() == "before"
        before, settings_before = await context.snapshot(), await context.settings_snapshot()
        events = follow_settings(connection, before.settings_seq, before.epoch)
        waiting_event = asyncio.create_task(anext(events))

        server.process.kill()
        await asyncio.to_thread(server.process.wait, HANG)
        await publisher.broadcast("meanwhile")  # the data plane needs no server
        assert await asyncio.wait_for(subscriber.recv(), HANG) == "meanwhile"
        with pytest.raises((EzmsgError, RuntimeError, TimeoutError)):
            await context.process_ping("TUNED", timeout=0.2)
        waiting = asyncio.create_task(context.snapshot())
        await serve()
        async with asyncio.timeout(HANG):
            await waiting
            assert isinstance(await waiting_event, Reset)

        wanted = canonical(before), str(settings_before)  # as texts: in those, NaN is like NaN
        seen = []

        async def same():
            seen[:] = canonical(await context.snapshot()), str(await context.settings_snapshot())
            return tuple(seen) == wanted

        try:
            await until(same)
        except TimeoutError:
            assert tuple(seen) == wanted
        assert (await context.snapshot()).epoch != before.epoch

        await publisher.broadcast("after")
        assert await asyncio.wait_for(subscriber.recv(), HANG) == "after"
        assert (await context.update_setting("TUNED", "rate", 8.0)).structured_value["rate"] == 8.0
    await process.close()
    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0


async def test_done_a_client_that_folds_arrives_at_the_servers_state(serve, start):
    """Snapshot, events, gaps and resets, through the death of a process and of the server."""
    few = {"EZMSG_SETTINGS_EVENT_HISTORY_LIMIT": "8"}
    server = await serve(**few)
    owning = start(REPORTING)
    view, restored = {}, asyncio.Event()

    async def fold(connection):
        taken = await take_settings(connection)
        view.update(taken.values)
        async for item in follow_settings(connection, taken.seq, taken.epoch):
            if isinstance(item, Gap | Reset):
                view.clear()
                view.update((await take_settings(connection)).values)
            elif item.event_type is SettingsEventType.SETTINGS_REMOVED:
                view.pop(item.component_address, None)
            else:
                view[item.component_address] = item.value
            if "U" in view and view["U"].structured_value == {"size": -1}:
                restored.set()

    async with ez.GraphContext() as context, connected() as connection:
        await context.register_metadata(described("U", None))
        folding = asyncio.create_task(fold(connection))

        async def agrees():
            return view == (await take_settings(connection)).values

        await said(owning, "reported")
        await until(agrees)
        assert view["U"].structured_value == {"size": 99}
        psutil.Process(owning.pid).kill()

        async def initial_again():
            return (await context.settings_snapshot())["U"].structured_value != {"size": 99}

        await until(initial_again)
        await until(agrees)
        server.process.kill()
        await asyncio.to_thread(server.process.wait, HANG)
        await serve(**few)
        process = ProcessControlClient()
        await process.register(["U"])
        await process.report_settings_update("U", value(size=-1))
        await asyncio.wait_for(restored.wait(), HANG)
        await until(agrees)
        assert not folding.done()
        folding.cancel()
        await asyncio.gather(folding, return_exceptions=True)
        await process.close()
