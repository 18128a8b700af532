"""What the server does of itself when its time has come, on every event loop that it may run on."""

import asyncio
import time
from typing import Any

import pytest
import uvloop

from ezmsg.graphserver.performer import Performer


class DueGraph:
    """Something of it is due at a given time, once."""

    def __init__(self, due_s: float) -> None:
        self.due_s: float | None = due_s
        self.ticks = 0
        self.ticked = asyncio.Event()

    def next_deadline(self) -> float | None:
        return self.due_s

    def tick(self, _: object) -> list[Any]:
        self.ticks += 1
        self.due_s = None
        self.ticked.set()
        return []


def performer_of(graph: DueGraph) -> Performer:
    return Performer(graph, lambda: None, lambda *_: None, lambda _: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
@pytest.mark.parametrize("late_s", [-0.02, 0.0, 5.0], ids=["to come", "now", "overdue"])
def test_what_is_due_is_done_once_also_when_much_happens_before(new_loop: Any, late_s: float) -> None:
    async def run() -> int:
        graph = DueGraph(time.monotonic() - late_s)
        performer = performer_of(graph)
        for _ in range(3):
            performer.perform(())  # as requests do that come in one turn of the loop
        await asyncio.wait_for(graph.ticked.wait(), 30)
        performer.perform(())
        for _ in range(3):
            await asyncio.sleep(0)
        performer.close()
        return graph.ticks

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(run()) == 1


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_what_is_due_sooner_is_not_kept_waiting_by_what_is_due_later(new_loop: Any) -> None:
    async def run() -> int:
        graph = DueGraph(time.monotonic() + 3600)
        performer = performer_of(graph)
        performer.perform(())
        graph.due_s = time.monotonic() - 1
        performer.perform(())
        performer.perform(())
        await asyncio.wait_for(graph.ticked.wait(), 30)
        performer.close()
        return graph.ticks

    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert runner.run(run()) == 1
