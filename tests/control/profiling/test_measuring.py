"""Blame and traces of processes that do not do as they are asked: what is missing is said, nothing stays on."""

import asyncio
import math
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.control.profiling.profiles import SECOND, Process

from ezmsg.control import ControlConnection, ProcessControlClient, decode_payload, encode_payload
from ezmsg.control.errors import InvalidWindow, NobodyPublishes
from ezmsg.control.profiling.blame import measure_blame
from ezmsg.control.profiling.trace_recording import record_traces
from ezmsg.protocol.model.process_control import (
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
)
from ezmsg.protocol.model.profiling import ProcessTrace, ProfilingTraceControl, TraceColumns

HANG = 30.0
_Operation = ProcessControlOperation


class FakeProcess:
    """A process that has counted what a test says, a little more each time it is asked."""

    def __init__(self, address: Any, process: Process) -> None:
        self.process = process
        self.client = ProcessControlClient(address)
        self.client.set_request_handler(self.answer)
        self.controls: list[ProfilingTraceControl] = []
        self.tracing = asyncio.Event()
        self.refuses: set[object] = set()
        self.waited_ns = 0
        self.collected = 0
        self.looks_until_it_leaves: float = math.inf

    async def answer(self, request: ProcessControlRequest) -> ProcessControlResponse:
        if request.operation in self.refuses:
            return ProcessControlResponse(request.request_id, False, error="it does not want to")
        return ProcessControlResponse(request.request_id, True, self._payload(request))

    def _payload(self, request: ProcessControlRequest) -> bytes:
        match request.operation:
            case _Operation.SET_PROFILING_TRACE:
                assert request.payload is not None
                self.controls.append(decode_payload(request.payload, ProfilingTraceControl))
                self.tracing.set()
                return encode_payload(None)
            case _Operation.GET_PROFILING_TRACE_BATCH:
                columns = TraceColumns()
                self.collected += 1
                return encode_payload(ProcessTrace(self.client.process_id, 1, "lab", 0.0, 0, 0, columns))
        if self.looks_until_it_leaves == 0:
            self.process.publishers.clear()
        self.looks_until_it_leaves -= 1
        self.process.timestamp += SECOND
        self.waited_ns += 1_000_000
        for publisher in self.process.publishers.values():
            publisher.backpressure_wait_ns_total = self.waited_ns
            for channel in publisher.channels:
                channel.waited_ns_total = self.waited_ns
        snapshot = self.process.snapshot()
        snapshot.process_id = self.client.process_id
        return encode_payload(snapshot)


@pytest.fixture
async def graph(server: Any) -> AsyncIterator[tuple[ControlConnection, FakeProcess, FakeProcess]]:
    """A source that waits for a sink, which is another process; and a connection that asks."""
    source = FakeProcess(server.address, Process("source", pid=1).publishes("A/OUT", {"sink": 0}))
    sink = FakeProcess(server.address, Process("sink", pid=2).hears("B/IN", ["A/OUT"]))
    await source.client.register(["A"])
    await sink.client.register(["B"])
    connection = await ControlConnection.open(server.address)
    yield connection, source, sink
    await connection.close()
    await source.client.close()
    await sink.client.close()


Graph = tuple[ControlConnection, FakeProcess, FakeProcess]


async def test_all_that_is_concerned_traces_and_ends_it(graph: Graph) -> None:
    connection, source, sink = graph
    found = await measure_blame(connection, "A/OUT", window_s=0.1)
    assert [(culprit.topic, culprit.share) for culprit in found.culprits] == [("B/IN", 1.0)]
    assert found.gaps == []
    for process in (source, sink):
        on, off = process.controls
        assert on.enabled
        assert on.metrics == ["lease_time_ns", "user_span_ns"]
        assert 0.1 < (on.ttl_seconds or 0) < 60
        assert not off.enabled


async def test_samples_are_taken_before_they_are_overwritten(graph: Graph) -> None:
    connection, source, sink = graph
    await measure_blame(connection, "A/OUT", window_s=0.5)
    assert min(source.collected, sink.collected) >= 3


async def test_who_does_not_trace_is_named(graph: Graph) -> None:
    connection, _, sink = graph
    sink.refuses = {_Operation.SET_PROFILING_TRACE}
    found = await measure_blame(connection, "A/OUT", window_s=0.1)
    assert found.gaps == [f"Process {sink.client.process_id}: it does not want to"]
    assert found.waited_ns == sum(culprit.waited_ns for culprit in found.culprits)


async def test_who_does_not_count_is_named(graph: Graph) -> None:
    connection, source, sink = graph
    sink.refuses = {_Operation.GET_PROFILING_SNAPSHOT}
    found = await measure_blame(connection, "A/OUT", window_s=0.1)
    assert found.gaps == [f"Process {sink.client.process_id}: it does not want to"]
    assert (found.culprits, found.unattributed_ns) == ([], found.waited_ns)
    source.refuses = {_Operation.GET_PROFILING_SNAPSHOT}
    with pytest.raises(NobodyPublishes):
        await measure_blame(connection, "A/OUT", window_s=0.1)


@pytest.mark.parametrize("looks", [1, 2])
async def test_a_publisher_that_leaves_meanwhile_is_a_gap(graph: Graph, looks: int) -> None:
    connection, source, _ = graph
    source.looks_until_it_leaves = looks
    found = await measure_blame(connection, "A/OUT", window_s=0.1)
    (gap,) = found.gaps
    assert re.search("A/OUT:.* was gone at the end", gap)
    assert (found.publishers, found.culprits) == ([], [])


async def test_who_gives_up_leaves_nothing_on(graph: Graph) -> None:
    connection, source, sink = graph
    for measuring in (measure_blame(connection, "A/OUT", window_s=HANG), record_traces(connection, HANG)):
        source.tracing.clear()
        task = asyncio.ensure_future(measuring)
        async with asyncio.timeout(HANG):
            await source.tracing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not source.controls[-1].enabled
        assert not sink.controls[-1].enabled


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
async def test_a_window_in_which_nothing_can_be_measured(graph: Graph, seconds: float) -> None:
    connection, source, _ = graph
    for measuring in (measure_blame(connection, "A/OUT", window_s=seconds), record_traces(connection, seconds)):
        with pytest.raises(InvalidWindow, match="EZ-4301"):
            await measuring
    assert source.controls == []
