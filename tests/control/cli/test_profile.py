"""``ezmsg profile`` where there is nothing to be had: it says so, and leaves files as they were."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.control.cli.test_cli import ezmsg

from ezmsg.control import ProcessControlClient

Ran = subprocess.CompletedProcess[str]


@pytest.fixture
async def silent(server: Any) -> AsyncIterator[str]:
    """A server with one process, which does not answer."""

    async def hang(_: object) -> Any:
        await asyncio.Event().wait()

    client = ProcessControlClient(server.address)
    client.set_request_handler(hang)
    await client.register(["A"])
    yield str(server.address)
    await client.close()


async def profile(address: str, *arguments: str) -> Ran:
    return await asyncio.to_thread(ezmsg, "profile", *arguments, "--address", address, "--timeout", "0.3")


async def trace(address: str, file: Path) -> Ran:
    return await profile(address, "trace", "--seconds", "0.1", "--format", "chrome", "-o", str(file))


async def test_a_trace_of_nobody_destroys_no_file(silent: str, tmp_path: Path) -> None:
    file = tmp_path / "earlier"
    file.write_text("an earlier trace")
    done = await trace(silent, file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("! process ")
    assert f"ezmsg: No process has told what it traced. {file} was not written.\n" in done.stderr
    assert file.read_text() == "an earlier trace"


async def test_without_a_process_nothing_is_written(server: Any, tmp_path: Path) -> None:
    file = tmp_path / "new"
    done = await trace(str(server.address), file)
    said = f"ezmsg: No process owns a unit, so there is nothing to trace. {file} was not written.\n"
    assert (done.returncode, done.stderr) == (1, said)
    assert not file.exists()


async def test_where_it_cannot_write_it_does_not_trace(tmp_path: Path) -> None:
    file = tmp_path / "no" / "file"
    done = await trace("127.0.0.1:1", file)  # where nobody is, which it does not find out
    assert (done.returncode, done.stderr) == (1, f"ezmsg: {file} cannot be written: No such file or directory.\n")


async def test_a_snapshot_that_nobody_answers_timed_out(silent: str, server: Any) -> None:
    done = await profile(silent, "snapshot")
    assert done.returncode == 5
    assert done.stderr.endswith("ezmsg: No process has answered. A longer --timeout may help.\n")
