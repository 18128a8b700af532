"""Where a unit is stuck is seen from outside, at the line of its code, whatever it is stuck in."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.core.graphmeta import ProcessStacks, StackFrame, TaskStack

HANG = 30.0

PROGRAM = """
    class Sleeper(ez.Unit):
        @ez.task
        async def doze(self) -> None:
            say("dozes", os.getpid())
            time.sleep(3600)

    class Looper(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def count(self) -> Output:
            yield self.OUTPUT, 1
            say("counts", os.getpid())
            number = 0
            while True:
                number += 1

    class Waiter(ez.Unit):
        INPUT = ez.InputStream(int)
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def begin(self) -> Output:
            yield self.OUTPUT, 1

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def wait_on(self, number: int) -> Output:
            say("waits", os.getpid())
            await asyncio.Event().wait()
            yield self.OUTPUT, number

    class Starter(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def begin(self) -> Output:
            yield self.OUTPUT, 1

    if __name__ == "__main__":
        sleeper, looper, waiter, starter = Sleeper(), Looper(), Waiter(), Starter()
        ez.run(
            SLEEPER=sleeper, LOOPER=looper, WAITER=waiter, STARTER=starter,
            connections=((starter.OUTPUT, waiter.INPUT),),
            process_components=(sleeper, looper, waiter), graph_address=sys.argv[1],
        )
"""


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@asynccontextmanager
async def stuck(start: Callable[..., Any], server: Any, word: str) -> AsyncIterator[tuple[ez.GraphContext, int]]:
    """A context beside units that are stuck, and the number of the process that has said the word."""
    program = start(PROGRAM, str(server.address))
    pid = int((await asyncio.to_thread(program.says, word))[1])
    async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(HANG):
        yield context, pid


def users(frames: list[StackFrame]) -> list[tuple[str, str]]:
    """The function and the text of those frames that are in the program itself."""
    return [(frame.function, frame.text) for frame in frames if Path(frame.file).name == "program_0.py"]


def task_of(stacks: ProcessStacks, name: str) -> TaskStack:
    (task,) = [task for task in stacks.tasks if task.name == name]
    return task


async def stacks_in(context: ez.GraphContext, unit: str, task: str) -> ProcessStacks:
    """The stacks of a process as soon as one of its tasks has come to where it is stuck."""
    while True:
        stacks = await context.process_stacks(unit, timeout=HANG)
        if not users(task_of(stacks, task).frames)[-1][1].startswith("say("):
            return stacks


@pytest.mark.parametrize(
    ("word", "unit", "task", "function", "lines"),
    [
        ("dozes", "SLEEPER", "SLEEPER:doze", "Sleeper.doze", {"time.sleep(3600)"}),
        ("counts", "LOOPER", "LOOPER:count", "Looper.count", {"while True:", "number += 1", "number = 0"}),
    ],
)
async def test_a_unit_that_blocks_its_loop(
    start: Callable[..., Any], server: Any, word: str, unit: str, task: str, function: str, lines: set[str]
) -> None:
    async with stuck(start, server, word) as (context, pid):
        stacks = await stacks_in(context, unit, task)
        assert (stacks.pid, stacks.gaps, stacks.tasks[0].name) == (pid, [], task)
        told = task_of(stacks, task)
        (thread,) = [thread for thread in stacks.threads if thread.ident == told.thread]
        for frames in (told.frames, thread.frames):
            name, text = users(frames)[-1]
            assert name == function
            assert text in lines
        assert told.frames[-1].line is not None
        assert told.frames[-1].file.endswith("program_0.py")


async def test_a_unit_that_awaits(start: Callable[..., Any], server: Any) -> None:
    async with stuck(start, server, "waits") as (context, pid):
        stacks = await context.process_stacks("WAITER", timeout=HANG)
        while (told := task_of(stacks, "WAITER/INPUT")).awaits is None:  # it is on the way there
            stacks = await context.process_stacks("WAITER", timeout=HANG)
        assert (stacks.pid, told.thread, told.awaits) == (pid, None, "Future")
        assert users(told.frames) == [("Waiter.wait_on", "await asyncio.Event().wait()")]
        assert told.frames[-1].function == "Event.wait"
        assert stacks.threads[0].name == "MainThread"
        with pytest.raises(RuntimeError, match="UNROUTABLE_UNIT"):
            await context.process_stacks("NOBODY")
    with pytest.raises(RuntimeError, match="session"):
        await context.process_stacks("WAITER")


async def test_the_command_says_it(start: Callable[..., Any], server: Any) -> None:
    async with stuck(start, server, "dozes") as (context, pid):
        await stacks_in(context, "SLEEPER", "SLEEPER:doze")
        said = await asyncio.to_thread(ezmsg, server, "stacks", str(pid), "--all")
        assert (said.returncode, said.stderr) == (0, "")
        head, _, task, *lines = said.stdout.splitlines()
        assert head.startswith(f"pid {pid} on ")
        assert task == "task SLEEPER:doze   runs now, in thread TaskThread"
        assert lines.count("    time.sleep(3600)") == 2
        said = await asyncio.to_thread(ezmsg, server, "stacks", "SLEEP", "--json")
        told = json.loads(said.stdout)
        assert (told["pid"], told["tasks"][0]["name"]) == (pid, "SLEEPER:doze")


def ezmsg(server: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from ezmsg.control.cli import main; sys.exit(main())"
    options = ["--address", str(server.address), "--timeout", "20"]
    command = [sys.executable, "-c", code, "process", *arguments, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
