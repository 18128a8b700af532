"""``ezmsg process stacks``: of which process, as text and as data, and what is said where there are none."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from tests.control.cli.test_cli import ezmsg

from ezmsg.control import ProcessControlClient
from ezmsg.control.cli.targets import resolved_process
from ezmsg.control.errors import UnknownTarget
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
)
from ezmsg.protocol.model.snapshot import SnapshotProcess

Ran = subprocess.CompletedProcess[str]


@pytest.fixture
async def process(server: Any) -> AsyncIterator[ProcessControlClient]:
    process = ProcessControlClient(server.address)
    await process.register(["SYSTEM/A", "SYSTEM/B"])
    yield process
    await process.close()


async def stacks(server: Any, *arguments: str) -> Ran:
    return await asyncio.to_thread(ezmsg, "process", "stacks", *arguments, "--address", str(server.address))


@pytest.mark.parametrize("target", [str(os.getpid()), "SYSTEM/B"], ids=["number", "unit"])
async def test_a_process_is_named_by_its_number_or_a_unit(
    server: Any, process: ProcessControlClient, target: str
) -> None:
    done = await stacks(server, target)
    assert (done.returncode, done.stderr) == (0, "")
    head, empty, task, *others = done.stdout.splitlines()
    assert head.startswith(f"pid {os.getpid()} on ")
    assert empty == ""
    assert task.startswith("task ")
    assert any(line.startswith("thread MainThread   ") for line in others)
    assert any(line.startswith(f'  File "{__file__}", line ') for line in others)


async def test_as_json(server: Any, process: ProcessControlClient) -> None:
    done = await stacks(server, "SYSTEM/A", "--json")
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert list(told)[:3] == ["$schema", "process_id", "pid"]
    assert (told["$schema"], told["process_id"]) == ("ezmsg.process.stacks/1", str(process.process_id))
    assert {"name", "awaits", "thread", "frames", "frames_left_out"} == set(told["tasks"][0])
    frames = [frame for thread in told["threads"] for frame in thread["frames"]]
    assert {"file", "line", "function", "text"} == set(frames[0])


async def test_what_the_output_cannot_hold_is_escaped(server: Any, process: ProcessControlClient) -> None:
    me = asyncio.current_task()
    assert me is not None
    me.set_name("SYSTEM/A:\u2192\U0001f40d")
    where = ("--address", str(server.address))
    done = await asyncio.to_thread(ezmsg, "process", "stacks", "SYSTEM/A", *where, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert r"task SYSTEM/A:\u2192\U0001f40d   " in done.stdout
    done = await asyncio.to_thread(ezmsg, "process", "stacks", "SYSTEM/A", *where, PYTHONIOENCODING="ascii:replace")
    assert (done.returncode, "task SYSTEM/A:??   " in done.stdout) == (0, True)


async def test_nobody_is_meant(server: Any, process: ProcessControlClient) -> None:
    done = await stacks(server, "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ezmsg: EZ-4008  No process or unit has a number or an address that is '0' or")


async def test_a_process_of_an_earlier_release_is_said_to_be_one(
    server: Any, process: ProcessControlClient
) -> None:
    assert process._answers is not None
    del process._answers.operations[ProcessControlOperation.GET_PROCESS_STACKS]
    done = await stacks(server, "SYSTEM/A")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        "ezmsg: The process of SYSTEM/A does not tell its stacks: it is of a release of ezmsg that does not know "
        "how to. Start it again with a newer one.\n"
    )

    def refuse(request: ProcessControlRequest) -> ProcessControlResponse:
        code = ProcessControlErrorCode.UNSUPPORTED_OPERATION
        return ProcessControlResponse(request.request_id, False, error="what is that?", error_code=code)

    process.set_request_handler(refuse)
    assert (await stacks(server, "SYSTEM/A")).stderr == done.stderr


async def test_a_process_that_does_not_answer_timed_out(server: Any, process: ProcessControlClient) -> None:
    async def hang(*_: object) -> Any:
        await asyncio.Event().wait()

    assert process._answers is not None
    process._answers.operations[ProcessControlOperation.GET_PROCESS_STACKS] = hang
    done = await stacks(server, "SYSTEM/A", "--timeout", "2")
    assert (done.returncode, done.stdout) == (5, "")
    assert "TIMEOUT" in done.stderr


def test_which_process_is_meant() -> None:
    def of(pid: int | None, host: str, *units: str) -> SnapshotProcess:
        return SnapshotProcess(UUID(int=0), pid, host, list(units))

    processes = [of(41, "a", "X"), of(4121, "a", "A/B", "A/C"), of(7, "a", "D"), of(7, "b", "E"), of(9, "a")]
    processes += [of(None, "c", "F"), of(10, "c", "GA", "GB"), of(11, "c", "GC")]
    named = {"41": "X", "4121": "A/B", "A/C": "A/C", "D": "D", "A/": "A/B", "A": "A/B"}
    assert {target: resolved_process(target, processes) for target in named} == named
    for target in ("4", "412", "9", "G", "None"):
        with pytest.raises(UnknownTarget):
            resolved_process(target, processes)
    with pytest.raises(UnknownTarget, match=r"No single process has a number that is '7'.*these meant: D, E\?"):
        resolved_process("7", processes)
