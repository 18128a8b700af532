"""Issue 5 as its reader understands it: counters, traces, blame and export, from outside and in real processes."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from tests.ports import unused_port

import ezmsg.core as ez
from ezmsg.control import acquire, find_address, profiling_snapshot_all, release
from ezmsg.control.profiling.blame import measure_blame
from ezmsg.core.graphmeta import ProfileChannelType, ProfilingStreamControl, ProfilingTraceControl
from ezmsg.protocol.errors import EzmsgError

HANG = 30.0
EZMSG = str(Path(sys.executable).with_name("ezmsg"))
METRICS = {"publish_delta_ns", "backpressure_wait_ns", "lease_time_ns", "user_span_ns"}

SENDING = """
import acceptance_profiling as program
if __name__ == "__main__":
    start_as(sys.argv[1])
    program.sending()
"""
FOLLOWING = "import acceptance_profiling as program; program.following()"


@pytest.fixture(autouse=True)
async def address(monkeypatch, environment, start):
    """A graph server of the test's own, which serves metrics too, and which all its processes find."""
    for name in [name for name in os.environ if name.startswith("EZMSG_")]:
        monkeypatch.delenv(name)
    address, environment["METRICS"] = (f"127.0.0.1:{unused_port()}" for _ in range(2))
    environment["EZMSG_GRAPHSERVER_ADDR"] = address
    for name in ("EZMSG_RUNTIME_DIR", "EZMSG_GRAPHSERVER_ADDR"):
        monkeypatch.setenv(name, environment[name])
    start.command(
        sys.executable, "-m", "ezmsg.graphserver", "--address", address, "--metrics", environment["METRICS"]
    )

    async def answers():
        with contextlib.suppress(OSError, EzmsgError):
            async with ez.GraphContext():
                return True
        return False

    await until(answers)
    return address


async def until(look):
    """Ask until the answer is true, and return it."""
    async with asyncio.timeout(HANG):
        while not (found := await look()):  # noqa: ASYNC110, another process makes it true
            await asyncio.sleep(0.02)
        return found


class Sending:
    """The program above, which publishes as many messages as it is told to."""

    def __init__(self, program, context):
        self.program, self.context, self.sent = program, context, 0

    async def send(self, count):
        """Have so many messages sent, and return when all are received."""
        self.sent += count
        await self.commands.broadcast(count)
        for unit in ("SINK", "NEAR"):
            await asyncio.to_thread(self.program.says, f"got {unit} {self.sent}\n")

    async def pids(self):
        return [int((await asyncio.to_thread(self.program.says, name))[1]) for name in ("sender", "SINK", "NEAR")]


@contextlib.asynccontextmanager
async def sending(start, context, method="fork", **more):
    program = start(SENDING, method, **more)
    one = Sending(program, context)
    one.commands = await context.publisher("CMD")

    async def runs():
        owned = {unit for process in (await context.snapshot()).processes.values() for unit in process.units}
        return owned >= {"SENDER", "SINK"}

    await until(runs)
    yield one
    one.commands.close()
    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0


async def endpoints(context):
    """All publishers and subscribers by topic, as all processes count them now."""
    found = {}
    for process in (await context.profiling_snapshot_all(timeout_per_process=HANG)).values():
        for endpoint in (*process.publishers.values(), *process.subscribers.values()):
            found[endpoint.topic] = (process, endpoint)
    return found


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_1_counters_belong_to_their_process_and_windows_to_their_reader(start, method):
    async with ez.GraphContext() as one, ez.GraphContext() as two, sending(start, one, method) as program:
        await endpoints(one)
        await program.send(20)
        await endpoints(two)
        await program.send(30)
        seen, other = await endpoints(one), await endpoints(two)
        pids = [seen[topic][0].pid for topic in ("SENDER/OUTPUT", "SINK/INPUT", "NEAR/INPUT")]
        assert pids == await program.pids()
        assert pids[0] == pids[2] != pids[1]
        assert {process.host for process, _ in seen.values()} == {socket.gethostname()}
        _, out = seen["SENDER/OUTPUT"]
        assert (out.messages_published_total, out.messages_published_window) == (50, 50)
        assert other["SENDER/OUTPUT"][1].messages_published_window == 30
        assert out.num_buffers == 4
        assert out.bytes_published_total >= 50 * 16
        assert out.publish_rate_hz_window == pytest.approx(50 / seen["SENDER/OUTPUT"][0].window_seconds)
        kinds = ProfileChannelType
        for topic, kind in (("SINK/INPUT", kinds.SHM), ("NEAR/INPUT", kinds.LOCAL)):
            _, at = seen[topic]
            assert (at.messages_received_total, at.messages_received_window) == (50, 50)
            assert (at.channel_kind_last, at.messages_dropped_total) == (kind, 0)
            assert at.bytes_received_total == out.bytes_published_total
            assert at.endpoint_id.startswith(f"{topic}:")
        async with asyncio.timeout(HANG):  # what was received is let go of a moment later
            while (await endpoints(one))["SENDER/OUTPUT"][1].inflight_messages_current:
                pass


async def test_1_what_a_leaky_subscriber_drops_is_counted(start, tmp_path):
    program = start(
        """
        import itertools
        from pathlib import Path
        class Many(ez.Unit):
            OUTPUT = ez.OutputStream(int)
            @ez.publisher(OUTPUT)
            async def make(self):
                for number in range(40):
                    yield self.OUTPUT, number
                say("made")
        class Leaky(ez.Unit):
            INPUT = ez.InputStream(int, leaky=True)
            @ez.subscriber(INPUT)
            async def take(self, number):
                while not Path(sys.argv[1]).exists():
                    await asyncio.sleep(0.01)
                say("took", number)
        many, leaky = Many(), Leaky()
        ez.run(MANY=many, LEAKY=leaky, connections=[(many.OUTPUT, leaky.INPUT)], force_single_process=True)
        """,
        str(tmp_path / "flag"),
    )
    await asyncio.to_thread(program.says, "made")
    (tmp_path / "flag").touch()
    await asyncio.to_thread(program.says, "took 39")
    async with ez.GraphContext() as context:

        async def all_accounted_for():
            _, leaky = (await endpoints(context))["LEAKY/INPUT"]
            return leaky.messages_received_total + leaky.messages_dropped_total == 40 and leaky

        assert (await until(all_accounted_for)).messages_dropped_total == 40 - len(
            [line for line in program.out if line.startswith("took")]
        )


async def batch(context, unit, wanted=1):
    """All samples that a process has for a context, and how many it lost."""
    samples, lost = [], 0

    async def enough():
        nonlocal lost
        some = await context.process_profiling_trace_batch(unit, max_samples=100_000)
        samples.extend(some.samples)
        lost += some.lost_samples
        return len(samples) + lost >= wanted

    await until(enough)
    return samples, lost


async def tracers(context, unit="SENDER"):
    return (await context.process_profiling_snapshot(unit)).tracers


async def test_2_each_client_has_traces_of_its_own_and_one_that_vanishes_leaves_nothing(start):
    async with ez.GraphContext() as one, sending(start, one) as program:
        two = ez.GraphContext()
        await two.__aenter__()
        await program.send(5)
        everything = ProfilingTraceControl(enabled=True)
        assert (await one.process_set_profiling_trace("SENDER", everything)).ok
        tenth = ProfilingTraceControl(
            enabled=True, sample_mod=10, publisher_topics=["SENDER/OUTPUT"], metrics=["publish_delta_ns"]
        )
        assert (await two.process_set_profiling_trace("SENDER", tenth)).ok
        assert len(await tracers(one)) == 2
        began = time.time_ns()
        await program.send(100)
        ended = time.time_ns()
        mine, _ = await batch(one, "SENDER", 300)
        theirs, _ = await batch(two, "SENDER", 9)
        assert {sample.metric for sample in mine} | {"backpressure_wait_ns"} == METRICS
        assert {(sample.metric, sample.topic) for sample in theirs} == {("publish_delta_ns", "SENDER/OUTPUT")}
        assert 9 <= len(theirs) <= 11
        # Whatever is sampled, a value is that of the same message with everybody: no one's window scales it.
        deltas = {sample.sample_seq: sample for sample in mine if sample.metric == "publish_delta_ns"}
        assert {sample.value for sample in theirs} <= {sample.value for sample in deltas.values()}
        for before, after in itertools.pairwise(sorted(deltas)):
            if after == before + 1:
                between = deltas[after].timestamp - deltas[before].timestamp
                assert deltas[after].value == pytest.approx(between, rel=0.01, abs=1000)
        offset = (await one.process_profiling_snapshot("SENDER")).clock_offset_ns
        assert all(began - 1e8 <= sample.timestamp + offset <= ended + 1e8 for sample in mine)
        assert any((sample.label or "").endswith("take") for sample in mine if sample.metric == "user_span_ns")

        await two.revert()  # it goes without a word about its trace
        await until(lambda: _is(tracers(one), 1))
        await program.send(10)
        mine, _ = await batch(one, "SENDER", 10)
        assert mine
        off = ProfilingTraceControl(enabled=False)
        assert (await one.process_set_profiling_trace("SENDER", off)).ok
        await until(lambda: _is(tracers(one), 0))

        brief = ProfilingTraceControl(enabled=True, ttl_seconds=0.2)
        assert (await one.process_set_profiling_trace("SENDER", brief)).ok
        await until(lambda: _is(tracers(one), 0))
        victim = start("""
            from ezmsg.core.graphmeta import ProfilingTraceControl
            async def main():
                async with ez.GraphContext() as context:
                    on = ProfilingTraceControl(enabled=True)
                    assert (await context.process_set_profiling_trace("SENDER", on)).ok
                    say("tracing")
                    await asyncio.Event().wait()
            asyncio.run(main())
        """)
        await asyncio.to_thread(victim.says, "tracing")
        assert len(await tracers(one)) == 1
        victim.process.kill()
        await until(lambda: _is(tracers(one), 0))


async def _is(looked, count):
    return len(await looked) == count


async def test_bad_input_is_refused_and_what_is_missing_is_counted(start):
    few = {"EZMSG_PROFILE_TRACE_MAX_SAMPLES": "16"}
    async with ez.GraphContext() as context, sending(start, context, **few) as program:
        for words, wrong in (
            ("sample_mod", {"sample_mod": 0}),
            ("sample_mod", {"sample_mod": -3}),
            ("ttl", {"ttl_seconds": -1.0}),
            ("ttl", {"ttl_seconds": 0.0}),
            ("NO/TOPIC", {"publisher_topics": ["NO/TOPIC"]}),
            ("NO/TOPIC", {"subscriber_topics": ["NO/TOPIC"]}),
            ("NO:ENDPOINT", {"publisher_endpoint_ids": ["NO:ENDPOINT"]}),
            ("NO:ENDPOINT", {"subscriber_endpoint_ids": ["NO:ENDPOINT"]}),
            ("speed_ns", {"metrics": ["speed_ns"]}),
        ):
            refused = await context.process_set_profiling_trace("SENDER", ProfilingTraceControl(True, **wrong))
            assert not refused.ok, wrong
            assert words in refused.error, wrong
        assert await tracers(context) == []
        only = ProfilingTraceControl(True, metrics=["lease_time_ns"], subscriber_topics=["SINK/INPUT"])
        assert (await context.process_set_profiling_trace("SINK", only)).ok
        await program.send(200)
        samples, lost = await batch(context, "SINK", 200)
        assert (len(samples) < 40, len(samples) + lost) == (True, 200)

        connection = await acquire(find_address())
        for window in (0.0, -1.0):
            with pytest.raises(EzmsgError, match="above 0"):
                await measure_blame(connection, "SENDER/OUTPUT", window_s=window)
        with pytest.raises(EzmsgError, match="SENDER/OUTPUT"):  # it says which there are
            await measure_blame(connection, "NO/TOPIC", window_s=0.1)
        await release(connection)


async def test_3_a_process_that_is_slow_or_dies_is_named_and_costs_nobody_else(start):
    async with ez.GraphContext() as context, sending(start, context) as program:
        other = start(FOLLOWING)

        async def both():
            return {u for p in (await context.snapshot()).processes.values() for u in p.units} >= {"OTHER"}

        await until(both)
        process_id = (await context.process_ping("OTHER")).process_id
        for unit in ("SENDER", "OTHER"):
            assert (await context.process_set_profiling_trace(unit, ProfilingTraceControl(True))).ok
        stream = context.subscribe_profiling_trace(ProfilingStreamControl(interval=0.05))
        await program.send(10)
        seen = set()
        async with asyncio.timeout(HANG):
            while len(seen) < 2:
                seen |= {p for p, some in (await anext(stream)).batches.items() if some.samples}
        connection = await acquire(find_address())
        other.signal(signal.SIGSTOP)
        found, silent = await profiling_snapshot_all(connection, timeout_per_process=1.0)
        assert (set(silent), process_id in found, len(found)) == ({process_id}, False, 2)
        other.process.kill()
        async with asyncio.timeout(HANG):
            while process_id not in (await anext(stream)).missing:
                pass
            await program.send(5)
            while not any(some.samples for some in (await anext(stream)).batches.values()):
                pass
        await stream.aclose()
        await release(connection)


async def command(environment, *words):
    program = await asyncio.create_subprocess_exec(
        EZMSG, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(program.communicate(), HANG)
    return program.returncode, out.decode(), err.decode()


async def test_5_an_exported_trace_opens_and_agrees_with_the_counters(start, environment, tmp_path):
    reader = pytest.importorskip("perfetto.protos.perfetto.trace.perfetto_trace_pb2")
    async with ez.GraphContext() as context, sending(start, context) as program:
        await program.send(5)
        path = tmp_path / "trace.pftrace"
        exporting = asyncio.create_task(command(environment, "profile", "trace", "-o", str(path), "--seconds", "4"))
        for unit in ("SENDER", "SINK"):
            await until(lambda unit=unit: _is(tracers(context, unit), 1))
        await program.send(100)
        status, out, err = await exporting
        assert (status, "0 lost" in out + err) == (0, True), err
        trace = reader.Trace.FromString(path.read_bytes())
        tracks = {
            packet.track_descriptor.uuid: packet.track_descriptor
            for packet in trace.packet
            if packet.HasField("track_descriptor")
        }
        assert {"SENDER/OUTPUT", "SINK/INPUT", "NEAR/INPUT"} <= {track.name for track in tracks.values()}

        def endpoint_of(uuid):
            """The track of the endpoint to which one of its rows belongs."""
            while "/" not in tracks[uuid].name:
                uuid = tracks[uuid].parent_uuid
            return tracks[uuid].name

        ends = {}
        for packet in trace.packet:
            event = packet.track_event
            for flow in (*event.flow_ids, *event.terminating_flow_ids):
                ends.setdefault(flow, set()).add(endpoint_of(event.track_uuid))
        for receiver in ("SINK/INPUT", "NEAR/INPUT"):
            joined = [flow for flow, names in ends.items() if {"SENDER/OUTPUT", receiver} <= names]
            assert len(joined) >= 99  # before the first one there is nothing from which to measure

        spans, open_at = {}, {}
        for packet in trace.packet:
            event, at = packet.track_event, packet.timestamp
            if not packet.HasField("track_event"):
                continue
            if event.type == event.TYPE_SLICE_BEGIN:
                open_at.setdefault(event.track_uuid, []).append(at)
            elif event.type == event.TYPE_SLICE_END:
                name = endpoint_of(event.track_uuid), tracks[event.track_uuid].name
                spans[name] = spans.get(name, 0) + at - open_at[event.track_uuid].pop()
        _, sink = (await endpoints(context))["SINK/INPUT"]
        assert spans["SINK/INPUT", "lease"] == pytest.approx(sink.totals["lease_time_ns"].sum_ns, rel=0.01)
        took = sum(total.sum_ns for total in sink.tasks.values())
        assert spans["SINK/INPUT", "take"] == pytest.approx(took, rel=0.01)
        assert sink.totals["lease_time_ns"].count == 100


async def test_5_other_formats_and_metrics(start, environment, tmp_path):
    async with ez.GraphContext() as context, sending(start, context) as program:
        jobs = []
        for kind in ("chrome", "speedscope"):
            words = ("profile", "trace", "-o", str(tmp_path / kind), "--format", kind, "--seconds", "3")
            jobs.append(asyncio.create_task(command(environment, *words)))
        for unit in ("SENDER", "SINK"):
            await until(lambda unit=unit: _is(tracers(context, unit), 2))
        await program.send(50)
        assert [(await job)[0] for job in jobs] == [0, 0]
        events = json.loads((tmp_path / "chrome").read_text())["traceEvents"]
        assert any(event.get("dur", 0) > 0 for event in events)
        flame = json.loads((tmp_path / "speedscope").read_text())
        assert "speedscope" in flame["$schema"]
        assert any("take" in frame["name"] for frame in flame["shared"]["frames"])

        def scrape():
            with urllib.request.urlopen(f"http://{environment['METRICS']}/metrics", timeout=HANG) as page:
                return page.headers["Content-Type"], page.read().decode()

        kind, text = await asyncio.to_thread(scrape)
        assert "openmetrics-text" in kind
        assert text.endswith("# EOF\n")
        counted = [line for line in text.splitlines() if "SENDER/OUTPUT" in line and "messages" in line]
        assert any(line.split()[-1] in ("50", "50.0") for line in counted), counted


def test_6_the_public_profiler_is_there():
    from ezmsg.util.profiler import get_logger_path, profile_method, profile_subpub

    assert all(map(callable, (get_logger_path, profile_method, profile_subpub)))
