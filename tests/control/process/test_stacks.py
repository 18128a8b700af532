"""Stacks of a process: the place of each thread and task, whatever the event loop is busy with, and no more."""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.control import ControlConnection, ProcessControlClient, process_stacks
from ezmsg.control.errors import ProcessRequestFailed
from ezmsg.control.process import stacks as module
from ezmsg.control.process.stacks import look_at_stacks
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.errors import DeadlineExceeded
from ezmsg.protocol.model.process_control import ProcessControlOperation
from ezmsg.protocol.model.stacks import ProcessStacks, StackFrame, TaskStack, ThreadStack
from ezmsg.protocol.wire.codec import encode
from ezmsg.protocol.wire.frames import FRAME_LIMIT

HANG = 30.0
LINES = Path(__file__).read_text(encoding="utf-8").splitlines()


async def in_generator(event: asyncio.Event) -> AsyncGenerator[int, None]:
    yield 1
    await event.wait()


async def waits_in_a_generator(event: asyncio.Event) -> None:
    async for _ in in_generator(event):
        pass


class Awaitable:
    def __init__(self, event: asyncio.Event) -> None:
        self.event = event

    def __await__(self) -> Generator[Any, Any, bool]:
        return (yield from self.event.wait().__await__())


async def waits_in_an_awaitable(event: asyncio.Event) -> None:
    await Awaitable(event)


def look(loop: asyncio.AbstractEventLoop, units: tuple[str, ...] = ()) -> ProcessStacks:
    return look_at_stacks(uuid4(), units, loop)


def task_of(stacks: ProcessStacks, name: str) -> TaskStack:
    (task,) = [task for task in stacks.tasks if task.name == name]
    return task


def functions(frames: list[StackFrame]) -> list[str]:
    return [frame.function for frame in frames]


# --- tasks that wait ------------------------------------------------------------------------------------------


@pytest.fixture
async def event() -> AsyncIterator[asyncio.Event]:
    """What tasks may wait for; in the end it is there, and so is theirs."""
    event = asyncio.Event()
    yield event
    event.set()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait_for(asyncio.gather(*others), HANG)


async def looked(*units: str) -> ProcessStacks:
    """The stacks of this loop, seen from another thread after all tasks have come to where they wait."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return await asyncio.to_thread(look, asyncio.get_running_loop(), units)


WAITING: dict[str, tuple[Callable[[asyncio.Event], Coroutine[Any, Any, None]], list[str]]] = {
    "in_a_generator": (waits_in_a_generator, ["waits_in_a_generator", "in_generator", "Event.wait"]),
    "in_an_awaitable": (waits_in_an_awaitable, ["waits_in_an_awaitable", "Awaitable.__await__", "Event.wait"]),
}


@pytest.mark.parametrize("name", WAITING)
async def test_a_task_is_followed_to_what_it_waits_for(name: str, event: asyncio.Event) -> None:
    waits, expected = WAITING[name]
    asyncio.get_running_loop().create_task(waits(event), name=name).add_done_callback(lambda _: None)
    task = task_of(await looked(), name)
    assert functions(task.frames) == expected
    assert (task.awaits, task.thread, task.frames_left_out) == ("Future", None, 0)
    assert {frame.file for frame in task.frames[:-1]} == {__file__}
    for frame in task.frames[:-1]:
        assert frame.line is not None
        assert frame.text == LINES[frame.line - 1].strip()
    assert "await" in task.frames[-2].text or "yield from" in task.frames[-2].text


async def test_what_a_task_waits_for_is_named(event: asyncio.Event) -> None:
    async def waits_for(other: Any) -> None:
        await other

    create = asyncio.get_running_loop().create_task
    first = create(waits_for(event.wait()), name="UNIT:first")
    tasks = [create(waits_for(first), name="UNIT/SECOND"), create(waits_for(asyncio.gather(first)), name="third")]
    stacks = await looked("UNIT")
    waiting = [task.name for task in stacks.tasks if task.thread is None]  # the test itself may still be on its way
    assert waiting[:2] == ["UNIT/SECOND", "UNIT:first"]
    assert task_of(stacks, "UNIT/SECOND").awaits == "task UNIT:first"
    assert task_of(stacks, "third").awaits == "_GatheringFuture"
    event.set()
    assert task_of(look(first.get_loop()), "UNIT:first").awaits is None  # what it waits for is there
    await asyncio.gather(*tasks)


async def test_a_task_that_has_not_begun_waits_for_nothing() -> None:
    async def begins() -> None: ...

    task = asyncio.get_running_loop().create_task(begins(), name="fresh")
    told = task_of(look(asyncio.get_running_loop()), "fresh")
    assert (told.awaits, told.thread, functions(told.frames)) == (None, None, [f"{begins.__qualname__}"])
    await task


# --- an event loop that is busy -------------------------------------------------------------------------------


@contextmanager
def busy_loop(coroutine: Coroutine[Any, Any, None], name: str) -> Iterator[asyncio.AbstractEventLoop]:
    """An event loop that runs a task in a thread of its own, called "busy", until that has ended."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(coroutine, name=name)
    thread = threading.Thread(target=loop.run_until_complete, args=(task,), name="busy")
    thread.start()
    try:
        yield loop
    finally:
        thread.join(HANG)
        assert not thread.is_alive()
        loop.close()


async def runs(begun: threading.Event, over: threading.Event) -> None:
    begun.set()
    while not over.is_set():
        pass


async def blocks(begun: threading.Event, over: threading.Event) -> None:
    begun.set()
    over.wait(HANG)


@pytest.mark.parametrize("busy", [runs, blocks])
def test_a_task_that_keeps_the_loop_busy_is_seen_in_its_thread(busy: Callable[..., Any]) -> None:
    begun, over = threading.Event(), threading.Event()

    async def outer() -> None:
        await busy(begun, over)

    with busy_loop(outer(), "OUTER:busy") as loop:
        assert begun.wait(HANG)
        try:
            stacks = look(loop)
        finally:
            over.set()
    task = task_of(stacks, "OUTER:busy")
    (thread,) = [thread for thread in stacks.threads if thread.name == "busy"]
    assert (task.thread, task.awaits, thread.daemon) == (thread.ident, None, False)
    assert functions(task.frames)[:2] == [outer.__qualname__, busy.__name__]
    assert [name for name in functions(thread.frames) if name in (outer.__qualname__, busy.__name__)] == [
        outer.__qualname__,
        busy.__name__,
    ]
    (place,) = [frame for frame in task.frames if frame.function == busy.__name__]
    assert place.text in ("while not over.is_set():", "pass", "over.wait(HANG)")
    assert threading.current_thread().name not in [thread.name for thread in stacks.threads]


def test_a_task_that_ends_while_it_is_looked_for_gets_no_stack_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, over, ended = threading.Event(), threading.Event(), threading.Event()
    frames_now = sys._current_frames

    async def waits_for_its_end(task: asyncio.Task[None]) -> None:
        await task
        ended.set()
        assert await asyncio.to_thread(looked_at.wait, HANG)

    async def outer() -> None:
        task = asyncio.get_running_loop().create_task(runs(begun, over), name="ends")
        await waits_for_its_end(task)

    def frames_after_its_end() -> dict[int, Any]:
        if begun.is_set() and calls.pop():
            over.set()
            assert ended.wait(HANG)
        return frames_now()

    looked_at = threading.Event()
    calls = [True, False]  # the last one first: the threads are looked at, and then is the task looked for in them
    with busy_loop(outer(), "outer") as loop:
        assert begun.wait(HANG)
        monkeypatch.setattr(sys, "_current_frames", frames_after_its_end)
        try:
            ends = task_of(look(loop), "ends")
        finally:
            monkeypatch.undo()
            over.set()
            looked_at.set()
    assert (calls, ends.thread, ends.frames) == ([], None, [])


def test_tasks_that_come_and_go_meanwhile_do_no_harm() -> None:
    begun, over = threading.Event(), threading.Event()

    async def churn() -> None:
        async def passes() -> None:
            await asyncio.sleep(0)

        begun.set()
        while not over.is_set():
            await asyncio.gather(*(passes() for _ in range(50)))

    with busy_loop(churn(), "churn") as loop:
        assert begun.wait(HANG)
        try:
            seen = [look(loop) for _ in range(50)]
        finally:
            over.set()
    assert all(task_of(stacks, "churn").frames for stacks in seen if not stacks.gaps)
    assert not all(stacks.gaps for stacks in seen)


def test_tasks_that_cannot_be_listed_are_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> Any:
        raise RuntimeError("Set changed size during iteration")

    monkeypatch.setattr(asyncio, "all_tasks", fail)
    loop = asyncio.new_event_loop()
    stacks = look(loop)
    assert (stacks.tasks, stacks.gaps) == ([], ["Tasks came and went too fast to be listed. Ask again."])
    loop.close()


# --- how much is told -----------------------------------------------------------------------------------------


def made(name: str, body: str) -> Callable[..., Any]:
    """A function whose source nobody has."""
    names: dict[str, Any] = {}
    exec(compile(f"def {name}(*arguments):\n    {body}", f"<{'f' * 1_000}>", "exec"), names)
    function: Callable[..., Any] = names[name]
    return function


async def test_what_is_too_much_is_counted(event: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "THREADS_LIMIT", 3)
    begun, over = threading.Semaphore(0), threading.Event()
    name = "d" * 500
    dive = made(name, f"return {name}(arguments[0] - 1, arguments[1]) if arguments[0] else arguments[1]()")

    def reached() -> None:
        begun.release()
        over.wait(HANG)

    threads = [threading.Thread(target=dive, args=(60, reached), name="!" * 500) for _ in range(5)]
    for thread in threads:
        thread.start()
        assert begun.acquire(timeout=HANG)
    for _ in range(module.TASKS_LIMIT):
        asyncio.get_running_loop().create_task(event.wait(), name="n" * 500).add_done_callback(lambda _: None)
    try:
        stacks = await looked()
    finally:
        over.set()
    for thread in threads:
        thread.join(HANG)
    assert (len(stacks.tasks), stacks.tasks_left_out) == (module.TASKS_LIMIT, 1)
    assert len(stacks.threads) == 3
    assert stacks.threads_left_out >= 3
    assert stacks.threads[0].name == "MainThread"
    assert all(len(task.name) <= module.NAME_LIMIT for task in stacks.tasks)
    *_, deep = stacks.threads
    assert len(deep.frames) == module.FRAMES_LIMIT
    assert deep.frames_left_out >= 60 - module.FRAMES_LIMIT
    (above,) = {(each.file, each.function, each.text) for each in deep.frames if each.function.endswith("d" * 9)}
    assert above == (f"…{'f' * (module.FILE_LIMIT - 2)}>", f"…{'d' * (module.NAME_LIMIT - 1)}", "")


async def test_of_what_is_left_out_no_stack_is_read(event: asyncio.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TASKS_LIMIT", 5)
    monkeypatch.setattr(module, "THREADS_LIMIT", 2)
    read: list[None] = []
    places = module._Frames.of

    def noted(*arguments: Any) -> list[StackFrame]:
        read.append(None)
        return places(*arguments)

    monkeypatch.setattr(module._Frames, "of", noted)
    over = threading.Event()
    threads = [threading.Thread(target=over.wait, args=(HANG,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    names = [f"{number:02}" for number in range(30)]
    for name in (*names, "UNIT:last", "UNIT/LAST"):
        asyncio.get_running_loop().create_task(event.wait(), name=name).add_done_callback(lambda _: None)
    me = asyncio.current_task()
    assert me is not None
    try:
        stacks = await asyncio.to_thread(look_at_stacks, uuid4(), ["UNIT"], me.get_loop(), {me})
    finally:
        over.set()
    for thread in threads:
        thread.join(HANG)
    assert [task.name for task in stacks.tasks] == ["UNIT/LAST", "UNIT:last", *names[:3]]
    assert (stacks.tasks_left_out, len(stacks.threads)) == (27, 2)
    assert stacks.threads_left_out >= 2
    assert len(read) == 7


# --- what is the program's own --------------------------------------------------------------------------------


class Refusing:
    """What a coroutine waits for; it is asked nothing without raising."""

    @property
    def _asyncio_future_blocking(self) -> bool:
        raise RuntimeError("not yours")

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return None


class Unfinished(Refusing):
    """Looks like a future, and has nothing else of one."""

    _asyncio_future_blocking = False


class Anonymous(asyncio.Task[None]):
    def get_name(self) -> str:
        raise LookupError("no name")


class Numbered(threading.Thread):
    @property  # type: ignore[override]
    def name(self) -> int:
        return 5

    @name.setter
    def name(self, _: str) -> None: ...


async def waits_for(awaited: Any) -> None:
    await awaited


@pytest.mark.parametrize(
    ("awaited", "why"),
    [(Refusing(), "RuntimeError('not yours')"), (Unfinished(), "AttributeError(")],
)
def test_what_a_task_waits_for_spoils_only_its_own_end(awaited: Refusing, why: str) -> None:
    loop = asyncio.new_event_loop()
    awaiting = waits_for(awaited)
    tasks = [loop.create_task(awaiting, name="odd"), loop.create_task(asyncio.Event().wait(), name="other")]
    awaiting.send(None)  # as far as its await: no loop would go on with what it waits for
    stacks = look(loop)
    odd = task_of(stacks, "odd")
    assert (odd.awaits, odd.thread, functions(odd.frames)) == ("something unknown", None, ["waits_for"])
    assert functions(task_of(stacks, "other").frames) == ["Event.wait"]
    (gap,) = stacks.gaps
    assert gap.startswith(f"1 task could not be read in full: {why}")
    end(loop, tasks)


def test_tasks_and_threads_that_do_not_tell_their_names_spoil_nothing_else() -> None:
    over = threading.Event()
    thread = Numbered(target=over.wait, args=(HANG,))
    thread.start()
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(asyncio.Event().wait(), name="A:other")]
    tasks += [Anonymous(asyncio.Event().wait(), loop=loop) for _ in range(2)]  # type: ignore[arg-type]
    try:
        stacks = look(loop)
    finally:
        over.set()
    thread.join(HANG)
    end(loop, tasks)
    assert [task.name for task in stacks.tasks] == ["<name unknown>", "<name unknown>", "A:other"]
    assert all(functions(task.frames) == ["Event.wait"] for task in stacks.tasks)
    (told,) = [each for each in stacks.threads if each.name == "<name unknown>"]
    assert (told.ident, told.daemon) == (thread.ident, False)
    assert "Event.wait" in functions(told.frames)
    assert stacks.gaps == [
        "1 thread could not be read in full: TypeError('the name is no text, it is of type int').",
        "2 tasks could not be read in full: LookupError('no name').",
    ]


def end(loop: asyncio.AbstractEventLoop, tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks))
    loop.close()


def test_a_line_that_cannot_be_read_is_empty() -> None:
    def here(over: threading.Event) -> None:
        over.wait(HANG)

    here.__code__ = here.__code__.replace(co_filename="no\0file")
    over, loop = threading.Event(), asyncio.new_event_loop()
    thread = threading.Thread(target=here, args=(over,), name="here")
    thread.start()
    try:
        stacks = look(loop)
    finally:
        over.set()
    thread.join(HANG)
    loop.close()
    (told,) = [each for each in stacks.threads if each.name == "here"]
    assert [frame.text for frame in told.frames if frame.file == "no\0file"] == [""]


@given(st.text(), st.integers(2, 20))
def test_what_is_cut_says_so_and_is_no_longer_than_it_may_be(text: str, limit: int) -> None:
    beginning, end = module._beginning(text, limit), module._end(text, limit)
    if len(text) <= limit:
        assert (beginning, end) == (text, text)
    else:
        assert (beginning[-1], end[0], len(beginning), len(end)) == ("…", "…", limit, limit)
        assert text.startswith(beginning[:-1])
        assert text.endswith(end[1:])


def test_the_longest_answer_fits_into_a_frame_with_room_to_spare() -> None:
    wide = "\U0001f40d"
    frame = StackFrame(wide * module.FILE_LIMIT, 2**31, wide * module.NAME_LIMIT, wide * module.TEXT_LIMIT)
    frames = [frame] * module.FRAMES_LIMIT
    name = wide * module.NAME_LIMIT
    tasks = [TaskStack(name, f"task {name}", 2**63, frames, 10_000)] * module.TASKS_LIMIT
    threads = [ThreadStack(name, 2**63, None, frames, 10_000)] * module.THREADS_LIMIT
    longest = encode(ProcessStacks(uuid4(), 2**31, wide * 255, 1e9, tasks, threads, 10_000, 10_000, [name]))
    assert len(longest) < 11_000_000 < FRAME_LIMIT / 4


# --- asked ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def client(server: GraphServer) -> AsyncIterator[ControlConnection]:
    connection = await ControlConnection.open(server.address)
    yield connection
    await connection.close()


@pytest.fixture
async def process(server: GraphServer) -> AsyncIterator[ProcessControlClient]:
    process = ProcessControlClient(server.address)
    await process.register(["A"])
    yield process
    await process.close()


async def test_a_process_without_a_loop_of_units_tells_the_tasks_of_its_connections(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    me = asyncio.current_task()
    assert me is not None
    me.set_name("A:test")
    stacks = await process_stacks(client, "A", HANG)
    assert stacks.process_id == process.process_id
    mine = stacks.tasks[0]
    assert mine.name == "A:test"
    assert "process_stacks(client" in next(frame.text for frame in mine.frames if frame.file == __file__)
    asked = "ProcessControlClient._handle"  # which is there only because it was asked
    assert not any(asked in functions(task.frames) for task in stacks.tasks)
    assert not any("look_at_stacks" in functions(thread.frames) for thread in stacks.threads)
    assert stacks.threads[0].name == "MainThread"


async def test_a_process_tells_of_a_loop_that_is_busy(server: GraphServer, client: ControlConnection) -> None:
    begun, over = threading.Event(), threading.Event()
    with busy_loop(runs(begun, over), "B:runs") as loop:
        assert await asyncio.to_thread(begun.wait, HANG)
        process = ProcessControlClient(server.address, units_loop=loop)
        try:
            await process.register(["B"])
            first, second = await asyncio.gather(*(process_stacks(client, "B", HANG) for _ in range(2)))
        finally:
            over.set()
            await process.close()
    for stacks in (first, second):
        (task,) = stacks.tasks
        assert (task.name, functions(task.frames)[0]) == ("B:runs", "runs")
        assert task.thread in [thread.ident for thread in stacks.threads if thread.name == "busy"]


async def test_a_look_that_takes_longer_than_its_deadline_is_shared_by_who_asks_meanwhile(
    client: ControlConnection, process: ProcessControlClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert process._answers is not None
    operations = process._answers.operations
    answer = operations[ProcessControlOperation.GET_PROCESS_STACKS]
    arrivals: asyncio.Queue[None] = asyncio.Queue()
    looks: list[None] = []
    over = threading.Event()

    async def noted(*arguments: Any) -> bytes:
        arrivals.put_nowait(None)
        return await answer(*arguments)

    def slow(*arguments: Any) -> ProcessStacks:
        looks.append(None)
        assert over.wait(HANG)
        return look_at_stacks(*arguments)

    monkeypatch.setattr("ezmsg.control.process.stacks.look_at_stacks", slow)
    monkeypatch.setitem(operations, ProcessControlOperation.GET_PROCESS_STACKS, noted)
    try:
        for _ in range(3):
            with pytest.raises((ProcessRequestFailed, DeadlineExceeded)):
                await process_stacks(client, "A", 0.1)
            await asyncio.wait_for(arrivals.get(), HANG)
        last = asyncio.create_task(process_stacks(client, "A", HANG))
        await asyncio.wait_for(arrivals.get(), HANG)
    finally:
        over.set()
    stacks = await last
    assert len(looks) == 1
    assert not any("ProcessControlClient._handle" in functions(task.frames) for task in stacks.tasks)
    await process_stacks(client, "A", HANG)
    assert len(looks) == 2


async def test_a_process_of_an_earlier_release_fails_as_for_any_name(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    assert process._answers is not None
    del process._answers.operations[ProcessControlOperation.GET_PROCESS_STACKS]
    with pytest.raises(ProcessRequestFailed, match="control operation: GET_PROCESS_STACKS") as failure:
        await process_stacks(client, "A", HANG)
    assert failure.value.error_code == "HANDLER_NOT_CONFIGURED"
