"""What a process answers of its profile, through a real server; what it knows is made up here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from uuid import UUID

import pytest

from ezmsg.control import ControlConnection, ProcessControlClient, Session, encode_payload, route_request
from ezmsg.control.errors import InvalidTimeout, ProcessRequestFailed, UnexpectedPayload
from ezmsg.control.profiling.snapshots import (
    profiling_snapshot,
    profiling_snapshot_all,
    profiling_trace,
    set_profiling_trace,
)
from ezmsg.control.profiling.trace_stream import follow_traces
from ezmsg.control.profiling.traces import samples_of
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.model.process_control import ProcessControlErrorCode, ProcessControlOperation
from ezmsg.protocol.model.profiling import (
    ProcessProfilingSnapshot,
    ProcessTrace,
    ProfileChannelType,
    ProfilingStreamControl,
    ProfilingTraceControl,
    TraceColumns,
)

HANG = 30.0
Code = ProcessControlErrorCode


class Profile:
    """A process in which one sample more is measured each time that somebody reads."""

    def __init__(self) -> None:
        self.wanted: dict[UUID, ProfilingTraceControl] = {}
        self.taken = 0
        self.ended: list[UUID] = []
        self.changed = asyncio.Event()
        self.left_s: list[float] = []
        self.expired = asyncio.Event()

    def snapshot(self, process_id: UUID) -> ProcessProfilingSnapshot:
        return ProcessProfilingSnapshot(process_id, 1, "host", 0.0, 1e9, tracers=sorted(map(str, self.wanted)))

    def set_trace(self, origin: UUID, control: ProfilingTraceControl) -> None:
        if control.sample_mod < 1:
            raise InvalidTimeout(operation="sample_mod", seconds=control.sample_mod)
        self.wanted[origin] = control

    def take_trace(self, process_id: UUID, origin: UUID, max_samples: int) -> ProcessTrace:
        if origin not in self.wanted:
            return ProcessTrace(process_id, 1, "host", 1e9, 0, 0, TraceColumns(), traced=False)
        self.taken += 1
        eight, two = [self.taken.to_bytes(8, "little"), bytes(2)]
        columns = TraceColumns(
            ["A:1"], ["A"], ["m"], [], [], [ProfileChannelType.SHM], eight, eight, eight, two, two, two, two, two
        )
        return ProcessTrace(process_id, 1, "host", 1e9, 0, 0, columns)

    def end_trace(self, origin: UUID) -> None:
        self.wanted.pop(origin, None)
        self.ended.append(origin)
        self.changed.set()

    def origins(self) -> list[UUID]:
        return list(self.wanted)

    def expire(self) -> float | None:
        if self.left_s:
            return self.left_s.pop(0)
        self.expired.set()
        return None

    def end_all(self) -> int:
        for origin in list(self.wanted):
            self.end_trace(origin)
        return len(self.ended)


@pytest.fixture
async def client(server: GraphServer) -> AsyncIterator[ControlConnection]:
    connection = await ControlConnection.open(server.address)
    yield connection
    await connection.close()


@pytest.fixture
def profile() -> Profile:
    return Profile()


@pytest.fixture
async def process(server: GraphServer, profile: Profile) -> AsyncIterator[ProcessControlClient]:
    process = ProcessControlClient(server.address)
    process.set_profiling(profile)
    await process.register(["A"])
    yield process
    await process.close()


WISH = ProfilingTraceControl(True, 2)


async def test_a_trace_is_of_the_session_or_the_client_that_asks(
    client: ControlConnection, process: ProcessControlClient, profile: Profile
) -> None:
    assert (await set_profiling_trace(client, "A", WISH)).ok
    session = Session(client)
    await session.open()
    assert (await set_profiling_trace(client, "A", WISH, session_id=session.id)).ok
    assert profile.wanted == {client.client_id: WISH, session.id: WISH}
    told = await profiling_snapshot(client, "A")
    assert told.process_id == process.process_id
    assert told.tracers == sorted([str(client.client_id), str(session.id)])
    await session.close()
    async with asyncio.timeout(HANG):
        await profile.changed.wait()
    assert profile.ended == [session.id]
    profile.changed.clear()
    await client.close()
    async with asyncio.timeout(HANG):
        await profile.changed.wait()
    assert profile.wanted == {}


async def test_a_wish_that_is_refused_says_why(
    client: ControlConnection, process: ProcessControlClient, profile: Profile
) -> None:
    response = await set_profiling_trace(client, "A", ProfilingTraceControl(True, 0))
    assert (response.ok, response.error_code) == (False, Code.HANDLER_ERROR)
    assert "sample_mod cannot wait 0 s" in str(response.error)
    operation = ProcessControlOperation.SET_PROFILING_TRACE
    assert not (await route_request(client, "A", operation, b"nonsense")).ok
    for wrong in ({"max_samples": 0}, {"max_samples": "all"}, {"batch": 5}):
        response = await route_request(
            client, "A", ProcessControlOperation.GET_PROFILING_TRACE_BATCH, encode_payload(wrong)
        )
        assert (response.ok, response.error_code) == (False, Code.HANDLER_ERROR)
    assert profile.wanted == {}


async def test_a_process_without_a_profile_says_so(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    process.set_profiling(None)
    assert (await set_profiling_trace(client, "A", WISH)).error_code is Code.UNSUPPORTED_OPERATION
    with pytest.raises(ProcessRequestFailed, match="UNSUPPORTED_OPERATION"):
        await profiling_snapshot(client, "A")


async def test_a_time_to_live_is_looked_at_when_it_is_over(
    client: ControlConnection, process: ProcessControlClient, profile: Profile
) -> None:
    profile.left_s = [0.01, 0.0001]  # the timer fires, and it is not yet over
    await set_profiling_trace(client, "A", ProfilingTraceControl(True, ttl_seconds=0.01))
    async with asyncio.timeout(HANG):
        await profile.expired.wait()


async def test_a_batch_that_did_not_arrive_is_asked_for_again(
    client: ControlConnection, process: ProcessControlClient, profile: Profile
) -> None:
    await set_profiling_trace(client, "A", WISH)
    first = await profiling_trace(client, "A", batch="first")
    assert await profiling_trace(client, "A", batch="first") == first
    second = await profiling_trace(client, "A", batch="second")
    assert second.columns != first.columns
    assert await profiling_trace(client, "A") != await profiling_trace(client, "A")
    assert profile.taken == 4
    await set_profiling_trace(client, "A", WISH)
    assert (await profiling_trace(client, "A", batch="second")) != second, "a new wish begins anew"


async def test_a_process_that_closes_traces_for_nobody(
    client: ControlConnection, process: ProcessControlClient, profile: Profile
) -> None:
    await set_profiling_trace(client, "A", WISH)
    await process.close()
    assert profile.wanted == {}


async def test_a_process_that_loses_the_server_traces_for_nobody(
    client: ControlConnection,
    process: ProcessControlClient,
    profile: Profile,
    server: GraphServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await set_profiling_trace(client, "A", WISH)
    await asyncio.to_thread(server.stop)
    async with asyncio.timeout(HANG):
        await profile.changed.wait()
    assert profile.wanted == {}
    assert "Nothing is traced any more for 1 client(s)" in caplog.text


async def test_all_processes_are_asked_at_once_and_who_hangs_is_named(
    client: ControlConnection, process: ProcessControlClient, server: GraphServer
) -> None:
    hanging = ProcessControlClient(server.address)

    async def hang(_: object) -> None:
        await asyncio.Event().wait()

    hanging.set_request_handler(hang)  # type: ignore[arg-type]
    await hanging.register(["B"])
    found, missing = await profiling_snapshot_all(client, 0.2)
    assert found.keys() == {process.process_id}
    assert missing.keys() == {hanging.process_id}
    assert "0.2 s" in missing[hanging.process_id]
    await hanging.close()


async def test_a_stream_follows_processes_that_come_and_go(
    client: ControlConnection, process: ProcessControlClient, server: GraphServer
) -> None:
    async with asyncio.timeout(HANG), aclosing(follow_traces(client, ProfilingStreamControl(0.01))) as batches:
        await set_profiling_trace(client, "A", WISH)
        seen: list[float] = []
        async for batch in batches:
            seen += [sample.value for sample in batch.batches[process.process_id].samples]
            if len(seen) == 3:
                break
        assert seen == [1.0, 2.0, 3.0], "each once, in order"
        dumb = ProcessControlClient(server.address)
        await dumb.register(["B"])
        async for batch in batches:
            if batch.missing:
                break
        assert batch.missing.keys() == {dumb.process_id}
        assert "does not offer" in batch.missing[dumb.process_id]
        later = Profile()
        dumb.set_profiling(later)
        await set_profiling_trace(client, "B", WISH)
        async for batch in batches:
            if dumb.process_id in batch.batches:
                break
        await dumb.close()
        async for batch in batches:
            if dumb.process_id not in batch.batches and not batch.missing:
                break


async def test_a_stream_of_some_processes_names_those_that_are_not_there(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    nobody = UUID(int=9)
    control = ProfilingStreamControl(0.0, process_ids=[nobody, process.process_id], include_empty_batches=True)
    async with asyncio.timeout(HANG), aclosing(follow_traces(client, control)) as batches:
        async for batch in batches:
            assert "there is no such process" in batch.missing[nobody]
            if batch.batches:
                break
        assert "nothing is traced there" in batch.missing[process.process_id]
        assert batch.batches[process.process_id].samples == []


async def test_a_stream_says_once_that_a_process_traces_nothing_any_more(
    client: ControlConnection, process: ProcessControlClient, profile: Profile
) -> None:
    process_id = process.process_id
    everything = ProfilingStreamControl(0.01, include_empty_batches=True)
    async with aclosing(follow_traces(client, everything)) as batches:
        async for batch in batches:
            assert batch.missing == {}, "nobody has expected anything"
            if batch.batches:
                break
    await set_profiling_trace(client, "A", WISH)
    async with asyncio.timeout(HANG), aclosing(follow_traces(client, ProfilingStreamControl(0.01))) as batches:
        assert (await anext(batches)).missing == {}
        for _ in range(2):
            profile.wanted.clear()
            async for batch in batches:
                if batch.missing:
                    break
            assert "nothing is traced there" in batch.missing[process_id]
            await set_profiling_trace(client, "A", WISH)
            batch = await anext(batches)
            assert (batch.missing, len(batch.batches[process_id].samples)) == ({}, 1)


@pytest.mark.parametrize("interval", [-1.0, float("nan"), float("inf")])
async def test_an_interval_that_is_none_is_refused(client: ControlConnection, interval: float) -> None:
    with pytest.raises(InvalidTimeout):
        await anext(follow_traces(client, ProfilingStreamControl(interval)))


@pytest.mark.parametrize(
    "columns",
    [
        TraceColumns(time_ns=bytes(8)),
        TraceColumns(time_ns=b"odd"),
        TraceColumns([], [], *[[]] * 4, *[bytes(8)] * 3, *[bytes(2)] * 5),  # type: ignore[arg-type]
    ],
    ids=["uneven", "odd", "out of range"],
)
def test_columns_that_do_not_fit_together_are_refused(columns: TraceColumns) -> None:
    with pytest.raises(UnexpectedPayload, match="do not fit together"):
        samples_of(columns)
