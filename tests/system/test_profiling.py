"""A running program measured from other processes, through the public names only."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any
from uuid import UUID

import psutil
import pytest

import ezmsg.core as ez
from ezmsg.core.graphmeta import (
    ProcessControlOperation,
    ProcessProfilingTraceBatch,
    ProfileChannelType,
    ProfilingStreamControl,
    ProfilingTraceControl,
    ProfilingTraceSample,
)

HANG = 30.0

PROGRAM = """
    from pathlib import Path
    from ezmsg.util.profiler import profile_method, profile_subpub

    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def count(self) -> Output:
            number = 0
            while not Path(sys.argv[1]).exists():
                yield self.OUTPUT, number
                number += 1
                await asyncio.sleep(0.002)
            raise ez.NormalTermination

    class Worker(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        @profile_subpub()
        async def work(self, message: int) -> None:
            self.think()
            await self.wonder()

        @ez.timeit
        def think(self) -> None:
            pass

        @profile_method()
        async def wonder(self) -> None:
            pass

    if __name__ == "__main__":
        start_as(sys.argv[3])
        source, worker = Source(), Worker()
        ez.run(
            SOURCE=source, WORKER=worker, connections=((source.OUTPUT, worker.INPUT),),
            process_components=(source, worker), graph_address=sys.argv[2],
        )
"""

CLIENT = """
    async def main() -> None:
        async with ez.GraphContext(sys.argv[1], auto_start=False) as context:
            wish = ez.graphmeta.ProfilingTraceControl(True, 1, metrics=["lease_time_ns"])
            response = await context.process_set_profiling_trace("WORKER", wish, timeout=30.0)
            say("set", response.ok)
            await asyncio.Event().wait()

    asyncio.run(main())
"""


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


class Running:
    """The program, and a context that looks into it."""

    def __init__(self, program: Any, context: ez.GraphContext, stop: Any) -> None:
        self.program = program
        self.context = context
        self._stop = stop

    async def trace(self, unit: str, *arguments: Any, **wish: Any) -> None:
        control = ProfilingTraceControl(True, *arguments, **wish)
        response = await self.context.process_set_profiling_trace(unit, control, timeout=HANG)
        assert response.ok, response.error

    async def tracers(self, unit: str) -> list[str]:
        return (await self.context.process_profiling_snapshot(unit, timeout=HANG)).tracers

    async def ends(self) -> None:
        self._stop.touch()
        assert await asyncio.to_thread(self.program.ends) == 0


@pytest.fixture
def run(start: Callable[..., Any], server: Any, tmp_path: Any) -> Any:
    @asynccontextmanager
    async def run(method: str = "spawn", **environment: str) -> AsyncIterator[Running]:
        stop = tmp_path / "stop"
        program = start(PROGRAM, str(stop), str(server.address), method, **environment)
        async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(HANG):
            async with aclosing(context.subscribe_topology_events()) as events:  # type: ignore[type-var]
                async for _ in events:
                    processes = (await context.snapshot()).processes.values()
                    if {unit for each in processes for unit in each.units} == {"SOURCE", "WORKER"}:
                        break
            yield Running(program, context, stop)

    return run


async def until(ask: Callable[[], Awaitable[bool]]) -> None:
    """Ask again until something is so that nobody tells us about."""
    while not await ask():  # noqa: ASYNC110  there is no event for it
        await asyncio.sleep(0.01)


async def collected(
    context: ez.GraphContext, enough: Callable[[list[ProfilingTraceSample]], bool]
) -> tuple[list[ProfilingTraceSample], dict[UUID, int]]:
    """Follow the stream until there is enough; return the clock of each process, too."""
    samples: list[ProfilingTraceSample] = []
    clocks: dict[UUID, int] = {}
    control = ProfilingStreamControl(interval=0.02)
    async with aclosing(context.subscribe_profiling_trace(control)) as batches:  # type: ignore[type-var]
        async for batch in batches:
            assert not batch.missing
            for process, each in batch.batches.items():
                assert each.timestamp == batch.timestamp  # in seconds of the wall, as tools of ezmsg 3 take it
                assert each.lost_samples == 0
                samples += each.samples
                clocks[process] = each.clock_offset_ns
            if enough(samples):
                return samples, clocks
    raise AssertionError


def by_message(samples: list[ProfilingTraceSample], metric: str) -> dict[Any, ProfilingTraceSample]:
    return {(s.publisher_id, s.sample_seq): s for s in samples if s.metric == metric}


@pytest.mark.parametrize("method", ["fork", "spawn"])
async def test_a_message_is_followed_through_two_processes(run: Any, method: str) -> None:
    async with run(method) as running:
        context = running.context
        await running.trace("WORKER")
        await running.trace("SOURCE")
        metrics = ("publish_delta_ns", "lease_time_ns")
        samples, clocks = await collected(
            # The two begin one after the other, and what both have traced is what this is about.
            context,
            lambda found: len(by_message(found, metrics[0]).keys() & by_message(found, metrics[1])) > 20,
        )
        published, leased = (by_message(samples, metric) for metric in metrics)
        both = published.keys() & leased.keys()
        assert len(both) > 10
        processes = {unit: p.process_id for p in (await context.snapshot()).processes.values() for unit in p.units}
        at_source, at_worker = clocks[processes["SOURCE"]], clocks[processes["WORKER"]]
        for message in both:
            sent = published[message].timestamp + at_source
            # Each process has compared its two clocks by itself, and not at the same moment.
            assert sent < leased[message].timestamp + at_worker + 10e6
        assert {s.channel_kind for s in leased.values()} == {ProfileChannelType.SHM}
        spans = Counter(s.label for s in samples if s.metric == "user_span_ns")
        assert spans["work"] > 0
        for called in ("think", "wonder"):
            assert spans[called] - spans["work"] in (0, 1), "the last one works on"
        assert spans.keys() == {"think", "wonder", "work"}

        profiles = await context.profiling_snapshot_all(timeout_per_process=HANG)
        pids = {unit: (await context.process_stats(unit, timeout=HANG)).pid for unit in ("SOURCE", "WORKER")}
        assert {profiles[processes[unit]].pid for unit in pids} == set(pids.values())
        assert len(set(pids.values())) == 2
        source, worker = profiles[processes["SOURCE"]], profiles[processes["WORKER"]]
        (publisher,) = [each for each in source.publishers.values() if each.topic == "SOURCE/OUTPUT"]
        (subscriber,) = [each for each in worker.subscribers.values() if each.topic == "WORKER/INPUT"]
        assert [channel.exchange_id for channel in publisher.channels] == [subscriber.exchange_id]
        # The message in hand when tracing began may have been taken before, so that its lease was not timed.
        assert subscriber.tasks["work"].count - subscriber.totals["lease_time_ns"].count in (0, 1)
        assert source.tracers == worker.tracers == [str(context._session_id)]
        again = (await context.process_profiling_snapshot("SOURCE", timeout=HANG)).publishers[publisher.endpoint_id]
        since = again.messages_published_total - publisher.messages_published_total
        assert again.messages_published_window == since
        await running.ends()


async def test_two_clients_and_one_of_them_disappears(run: Any, start: Any, server: Any) -> None:
    async with run() as running:
        await running.trace("WORKER", 5, metrics=["lease_time_ns", "user_span_ns"])
        other = start(CLIENT, str(server.address))
        assert await asyncio.to_thread(other.says, "set") == ["set", "True"]
        assert len(await running.tracers("WORKER")) == 2
        before, _ = await collected(running.context, lambda found: len(found) > 10)
        other.signal(signal.SIGKILL)
        await asyncio.to_thread(other.process.wait)

        async def alone() -> bool:
            return await running.tracers("WORKER") == [str(running.context._session_id)]

        await until(alone)
        after, _ = await collected(running.context, lambda found: len(found) > 10)
        numbers = sorted({s.sample_seq for s in before + after if s.metric == "lease_time_ns" and s.sample_seq})
        assert numbers == list(range(numbers[0], numbers[-1] + 1, 5)), "every fifth, and none is missing"
        response = await running.context.process_set_profiling_trace("WORKER", ProfilingTraceControl(False))
        assert response.ok
        assert await running.tracers("WORKER") == []
        await running.ends()


async def test_a_traced_process_that_dies_is_named_and_holds_nobody_up(run: Any) -> None:
    async with run() as running:
        context = running.context
        await running.trace("WORKER")
        await running.trace("SOURCE")
        pid = (await context.process_stats("WORKER", timeout=HANG)).pid
        (worker,) = [p.process_id for p in (await context.snapshot()).processes.values() if "WORKER" in p.units]
        control = ProfilingStreamControl(interval=0.02, process_ids=None)
        async with aclosing(context.subscribe_profiling_trace(control)) as batches:
            async for batch in batches:
                if worker in batch.batches:
                    break
        control = ProfilingStreamControl(interval=0.02, process_ids=[worker])
        async with aclosing(context.subscribe_profiling_trace(control)) as batches:
            psutil.Process(pid).kill()
            async for batch in batches:
                if batch.missing:
                    break
            assert batch.missing.keys() == {worker}
        assert await asyncio.to_thread(running.program.ends) == 1  # a dead worker ends the run


async def test_a_reader_that_is_slow_is_told_what_it_missed(run: Any) -> None:
    async with run(EZMSG_PROFILE_TRACE_MAX_SAMPLES="20") as running:
        context = running.context
        await running.trace("SOURCE", metrics=["publish_delta_ns"])

        async def measured() -> int:
            profile = await context.process_profiling_snapshot("SOURCE", timeout=HANG)
            return sum(each.totals["publish_delta_ns"].count for each in profile.publishers.values() if each.totals)

        async def enough() -> bool:
            return await measured() >= 100

        await until(enough)
        response = await context.process_request(
            "SOURCE", ProcessControlOperation.GET_PROFILING_TRACE_BATCH, timeout=HANG
        )
        batch = context.decode_process_payload(response, ProcessProfilingTraceBatch)
        numbers = [sample.sample_seq or 0 for sample in batch.samples]
        assert numbers == list(range(numbers[0], numbers[0] + 20))
        assert batch.lost_samples >= 80
        await context.process_set_profiling_trace("SOURCE", ProfilingTraceControl(False), timeout=HANG)
        assert await measured() >= batch.lost_samples + 20
        await running.ends()


async def test_a_time_to_live_ends_a_trace(run: Any) -> None:
    async with run() as running:
        await running.trace("WORKER", ttl_seconds=0.2)

        async def over() -> bool:
            return not await running.tracers("WORKER")

        await until(over)
        batch = await running.context.process_profiling_trace_batch("WORKER", timeout=HANG)
        assert batch.samples, "what it has measured is still there"
        refused = await running.context.process_set_profiling_trace(
            "WORKER", ProfilingTraceControl(True, subscriber_topics=["NOWHERE"]), timeout=HANG
        )
        assert not refused.ok
        assert "WORKER/INPUT" in (refused.error or "")
        await running.ends()
