"""A trace of the running demo, taken from another process: it opens, it joins, and it agrees with the counters."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

import ezmsg.core as ez
from ezmsg.control import ControlConnection, take_snapshot
from ezmsg.control.exporting.perfetto import to_perfetto
from ezmsg.control.profiling.snapshots import profiling_snapshot_all, units_of_processes
from ezmsg.control.profiling.tracing import Tracing
from ezmsg.protocol.model.profiling import MetricTotals, ProcessProfilingSnapshot, ProfilingTraceControl

HANG = 30.0
DEMO = [sys.executable, "-m", "ezmsg.core", "demo", "--seconds", "100", "--json"]
MESSAGES = 20
"""Blocks of the demo that must have been traced; it plays ten a second."""


@asynccontextmanager
async def demo(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[ControlConnection, dict[UUID, str]]]:
    """A connection to the server of a demo that runs, and a unit of each of its processes."""
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", str(server.address))
    try:
        start.command(*DEMO, EZMSG_GRAPHSERVER_ADDR=str(server.address))
        async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(HANG):
            async for _ in context.subscribe_topology_events():
                if len(units_of_processes(await context.snapshot())) == 3:
                    break
        connection = await ControlConnection.open(server.address)
        try:
            yield connection, units_of_processes(await take_snapshot(connection))
        finally:
            await connection.close()
    finally:
        server.stop()


async def test_the_demo_is_traced(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with demo(start, tmp_path, monkeypatch) as (connection, units), asyncio.timeout(HANG):
        everything = ProfilingTraceControl(enabled=True, ttl_seconds=HANG)
        async with Tracing(connection, units, everything, timeout=HANG) as tracing:
            while True:
                await asyncio.sleep(0.25)  # a round, not a hope: it goes on until enough was traced
                await tracing.collect()
                counted, missing = await profiling_snapshot_all(connection, HANG)
                assert not missing
                totals = totals_of(counted.values())
                samples = [sample for batch in tracing.batches for sample in batch.samples]
                # Before the first message of each publisher there was none, and its 0 is no measurement.
                traced = Counter(s.metric for s in samples if s.value or s.metric != "publish_delta_ns")
                # Between the two questions a message may have come; then they cannot agree, and are asked again.
                same = all(totals[metric].count == count for metric, count in traced.items())
                if same and traced["publish_delta_ns"] >= MESSAGES:
                    break
        assert tracing.failures == {}
        assert sum(batch.lost_samples for batch in tracing.batches) == 0

    trace = Trace()
    trace.ParseFromString(to_perfetto(tracing.batches))
    begun, spans = {}, Counter[str]()
    for packet in trace.packet:
        event = packet.track_event
        if event.type == event.TYPE_SLICE_BEGIN:
            begun[event.track_uuid] = packet
        elif event.type == event.TYPE_SLICE_END:
            first = begun.pop(event.track_uuid)
            spans[first.track_event.categories[0]] += packet.timestamp - first.timestamp
    assert not begun
    assert {"lease_time_ns", "user_span_ns"} <= set(spans)
    for metric, sum_ns in spans.items():
        assert sum_ns == pytest.approx(totals[metric].sum_ns, rel=0.01), metric
    assert joined_topics(trace) >= {
        ("ECG/SOURCE/OUTPUT", "ECG/FILTER/INPUT", "another process"),
        ("ECG/SOURCE/OUTPUT", "ECG/DISPLAY/SIGNAL", "another process"),
        ("ECG/FILTER/OUTPUT", "ECG/DETECTOR/INPUT", "another process"),
        ("ECG/DETECTOR/OUTPUT", "ECG/DISPLAY/INPUT", "another process"),
    }


def totals_of(processes: Any) -> dict[str, MetricTotals]:
    found: dict[str, MetricTotals] = {}

    def add(metric: str, totals: MetricTotals) -> None:
        known = found.setdefault(metric, MetricTotals())
        known.count += totals.count
        known.sum_ns += totals.sum_ns

    for process in processes:
        assert isinstance(process, ProcessProfilingSnapshot)
        for endpoint in (*process.publishers.values(), *process.subscribers.values()):
            for metric, totals in endpoint.totals.items():
                if metric != "user_span_ns":
                    add(metric, totals)
        for subscriber in process.subscribers.values():
            for totals in subscriber.tasks.values():
                add("user_span_ns", totals)
    return found


def joined_topics(trace: Any) -> set[tuple[str, str, str]]:
    """From which topic to which topic arrows lead, and whether to another process; none leads back in time."""
    described = [each.track_descriptor for each in trace.packet if each.HasField("track_descriptor")]
    tracks = {each.uuid: each for each in described}

    def endpoint(uuid: int) -> tuple[str, int]:
        topic = tracks[tracks[uuid].parent_uuid]
        return topic.name, tracks[topic.parent_uuid].process.pid

    ends: dict[int, list[Any]] = {}
    for packet in trace.packet:
        for flow in packet.track_event.flow_ids:
            ends.setdefault(flow, []).append(packet)
    found = set()
    for first, second in ends.values():
        event = first.track_event
        publish, receive = (first, second) if event.type == event.TYPE_INSTANT else (second, first)
        assert publish.timestamp <= receive.timestamp
        from_topic, from_pid = endpoint(publish.track_event.track_uuid)
        to_topic, to_pid = endpoint(receive.track_event.track_uuid)
        found.add((from_topic, to_topic, "the same process" if from_pid == to_pid else "another process"))
    return found


async def test_the_command_writes_files(start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with demo(start, tmp_path, monkeypatch):
        files = {name: tmp_path / name for name in ("perfetto", "chrome", "speedscope")}
        for name, file in files.items():
            done = await asyncio.to_thread(
                ezmsg, "trace", "--seconds", "0.5", "--format", name, "-o", str(file), "--json"
            )
            assert (done.returncode, done.stderr) == (0, "")
            said = json.loads(done.stdout)
            assert said["samples"] > 0
            assert (said["$schema"], said["processes"]) == ("ezmsg.trace/1", 3)
        assert Trace.FromString(files["perfetto"].read_bytes()).packet
        assert json.loads(files["chrome"].read_text())["traceEvents"]
        assert json.loads(files["speedscope"].read_text())["profiles"]
        nothing = ("trace", "--seconds", "0.1", "--sample-mod", "0", "-o", str(files["chrome"]))
        done = await asyncio.to_thread(ezmsg, *nothing)
        assert done.returncode == 2, "it is refused before anything is traced"
        assert 'Invalid value "0" for --sample-mod' in done.stderr
        assert json.loads(files["chrome"].read_text())["traceEvents"], "what was there is gone"
        done = await asyncio.to_thread(ezmsg, "trace", "--seconds", "0.1", "-o", str(tmp_path / "no" / "file"))
        said = f"ezmsg: {tmp_path}/no/file cannot be written: No such file or directory.\n"
        assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("arguments", [["trace", "--seconds", "0", "-o", "file"], ["blame", "A", "--window", "-1"]])
def test_no_time_is_a_sentence(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = ezmsg(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("ezmsg: EZ-4301  A ")
    assert "Give it a finite time above 0" in done.stderr
    assert list(tmp_path.iterdir()) == []


def ezmsg(*arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "profile", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
