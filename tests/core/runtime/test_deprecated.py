"""Old names for running graphs: they do what they did, or say that something else does it now."""

import asyncio
import threading

import pytest

import ezmsg.core as ez
from ezmsg.core.errors import InvalidEndpoint
from ezmsg.core.runtime.backend import DefaultBackendProcess
from ezmsg.core.runtime.deprecated import ExecutionContext, run_system
from ezmsg.core.runtime.threaded_loop import new_threaded_event_loop

HANG = 30.0


class Source(ez.Unit):
    OUT = ez.OutputStream(int)

    @ez.publisher(OUT)
    async def send(self):
        ran.append(self.address)
        yield self.OUT, 1


class Pair(ez.Collection):
    FIRST = Source()
    SECOND = Source()

    def process_components(self):
        return (self.FIRST,)


ran: list[str] = []


def test_a_graph_is_checked_without_running_it():
    pair = Pair()
    context = ExecutionContext.setup(
        {"PAIR": pair, "LONE": Source()}, root_name="ROOT", connections=[(pair.FIRST.OUT, "SINK")]
    )
    assert context is not None
    assert context.connections == [("ROOT/PAIR/FIRST/OUT", "SINK")]
    assert context.process_count == 2
    assert pair.FIRST.OUT.address == "ROOT/PAIR/FIRST/OUT"


def test_there_may_be_nothing_to_run():
    assert ExecutionContext.setup({}) is None


def test_what_is_wrong_with_a_graph_is_raised():
    with pytest.raises(InvalidEndpoint):
        ExecutionContext.setup({"LONE": Source()}, connections=[("A", 1)])  # type: ignore[list-item]


def test_one_process_may_be_forced():
    context = ExecutionContext.setup({"PAIR": Pair()}, force_single_process=True)
    assert context is not None
    assert context.process_count == 1


def test_a_system_is_run_under_its_old_name(caplog):
    ran.clear()

    class Lone(ez.Collection):
        ONLY = Source()

    with pytest.warns(DeprecationWarning, match="run_system") as warned:
        run_system(Lone())
    assert warned[0].filename == __file__
    assert ran == ["SYSTEM/ONLY"]


def test_the_default_backend_is_how_units_run_anyway(caplog):
    ran.clear()
    ez.run(ONLY=Source(), backend_process=DefaultBackendProcess)
    assert ran == ["ONLY"]
    assert "backend" not in caplog.text


def test_a_loop_runs_in_a_thread_of_its_own_while_the_context_lasts():
    ended = threading.Event()

    async def last() -> str:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            ended.set()
        return ""

    async def name() -> str:
        return threading.current_thread().name

    with new_threaded_event_loop() as loop:
        left = asyncio.run_coroutine_threadsafe(last(), loop)
        assert asyncio.run_coroutine_threadsafe(name(), loop).result(HANG) == "ThreadedEventLoop"
    assert ended.is_set()
    assert left.cancelled()
    assert loop.is_closed()
    assert "ThreadedEventLoop" not in [thread.name for thread in threading.enumerate()]


def test_a_threads_loop_ends_with_an_exception_too():
    with pytest.raises(KeyError), new_threaded_event_loop(threading.Event()) as loop:
        raise KeyError
    assert loop.is_closed()
