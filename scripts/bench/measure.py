"""The processes of one measurement: started, listened to, ended. This process imports no package under test.

Every wait ends at one deadline, and no child survives its measurement.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sides import Side
from workloads import Workload

HERE = Path(__file__).parent
LEAVE_S = 8.0
"""How long a process may take to leave after its input has ended, before it is killed."""
TAIL_CHARS = 2000

Result = dict[str, Any]


class MeasurementError(RuntimeError):
    """A workload could not be run. The text holds what the processes said."""


# --- one process ----------------------------------------------------------------------------------------------


@dataclass
class Role:
    """A child process and what it has written to standard error."""

    name: str
    process: asyncio.subprocess.Process
    errors: IO[bytes]

    async def hear(self, event: str) -> Result:
        """Read lines until the one that announces `event`."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            with contextlib.suppress(json.JSONDecodeError):
                message: Result = json.loads(line)
                if isinstance(message, dict) and message.get("event") == event:
                    return message
        raise MeasurementError(f"{self.name} ended before it said {event!r}")

    async def leave(self) -> str | None:
        """End the process; return what was wrong with the way it went, if anything."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(LEAVE_S):
                status = await self.process.wait()
        except TimeoutError:
            self.kill()
            await self.process.wait()
            return f"{self.name} had to be killed"
        return f"{self.name} left with status {status}" if status else None

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    def memory_bytes(self) -> int | None:
        """Return the most memory that the process has had resident, where the system tells."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        except OSError:
            return None
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])

    def complaint(self) -> str:
        """Return the end of what the process wrote to standard error."""
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        return f"--- {self.name} (status {self.process.returncode})\n{text[-TAIL_CHARS:]}"


# --- the processes of a measurement ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Measurement:
    """What is run once, on which side, and for how long."""

    side: Side
    work: Workload
    seconds: float
    prefix: tuple[str, ...] = ()
    """A command that watches lead and followers, with ``{role}`` where their names go."""

    def command(self, role: str, number: int, address: str) -> list[str]:
        watched = self.prefix if role in ("lead", "follow") else ()
        return [
            *(part.format(role=role) for part in watched),
            *(self.side.python, str(HERE / self.side.worker), role),
            *("--parameters", json.dumps(self.work.parameters)),
            *("--number", str(number), "--address", address, "--loop", self.side.loop),
            *("--seconds", str(self.seconds), "--deadline", str(self.work.deadline_s)),
        ]


class Cast:
    """The processes of one measurement, in the order in which they were started."""

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement
        self._roles: list[Role] = []
        self.unclean: list[str] = []

    async def start(self, role: str, number: int = 0, address: str = "") -> Role:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the cast
        process = await asyncio.create_subprocess_exec(
            *self._measurement.command(role, number, address),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            env=environment(),
        )
        self._roles.append(Role(role, process, errors))
        return self._roles[-1]

    async def hear_first(self, speaker: Role, event: str) -> Result:
        """Wait for what `speaker` has to say; fail as soon as any process dies instead."""
        hearing = asyncio.create_task(speaker.hear(event))
        deaths = [asyncio.create_task(role.process.wait()) for role in self._roles if role is not speaker]
        try:
            await asyncio.wait([hearing, *deaths], return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                raise MeasurementError(f"a process died before {speaker.name} said {event!r}")
            return hearing.result()
        finally:
            for task in (hearing, *deaths):
                task.cancel()

    async def leave(self) -> None:
        """Let them go, the last started first: nobody loses the server while it still needs it."""
        for role in reversed(self._roles):
            if (wrong := await role.leave()) is not None:
                self.unclean.append(wrong)

    def complaints(self) -> str:
        return "\n".join(role.complaint() for role in self._roles)

    def close(self) -> None:
        for role in self._roles:
            role.kill()
            role.errors.close()


@contextlib.asynccontextmanager
async def casting(measurement: Measurement) -> AsyncIterator[Cast]:
    cast, work = Cast(measurement), measurement.work
    try:
        yield cast
    except (MeasurementError, TimeoutError) as error:
        await cast.leave()
        reason = str(error) or f"not done after {work.deadline_s:g} s"
        raise MeasurementError(f"{work.path}: {reason}\n{cast.complaints()}") from error
    else:
        await cast.leave()
    finally:
        cast.close()


def environment(folder: str | None = None) -> dict[str, str]:
    """Return the environment without settings that would change what is measured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    if folder is not None:
        kept["PYTHONPYCACHEPREFIX"] = folder
    return kept | {"EZMSG_LOGLEVEL": "ERROR", "EZMSG_DISABLE_BACKPRESSURE_WARNING": "1", "PYTHONUNBUFFERED": "1"}


async def measure_roles(measurement: Measurement) -> Result:
    """Run a workload that has a lead once, and return its numbers.

    `unclean_exit` in the result says which processes had to be killed, or left with an error, after the numbers
    were in.
    """
    work = measurement.work
    async with casting(measurement) as cast, asyncio.timeout(work.deadline_s):
        server = await cast.start("server")
        address = (await server.hear("ready"))["address"]
        roles = [await cast.start(role, number, address) for number, role in enumerate(work.cast)]
        for role in roles:
            await role.hear("ready")
        result = await cast.hear_first(await cast.start("lead", 0, address), "result")
        result["server_memory_bytes"] = server.memory_bytes()
    del result["event"]
    return {**result, "unclean_exit": cast.unclean}


# --- system calls ---------------------------------------------------------------------------------------------

WATCHERS = {
    "strace": ("strace", "-c", "-f", "-qq", "-o", "{folder}/{{role}}"),
    "perf": ("perf", "stat", "-x,", "-e", "raw_syscalls:sys_enter", "-o", "{folder}/{{role}}", "--"),
}


async def measure_system_calls(measurement: Measurement) -> Result:
    """Count the system calls of few and of many messages; the difference is that of the messages alone."""
    watcher = next((words for name, words in WATCHERS.items() if watches(name)), None)
    if watcher is None:
        return {"skipped": "neither strace nor perf can be used here"}
    few, many = measurement.work.parameters["few"], measurement.work.parameters["many"]
    calls = []
    for messages in (few, many):
        with tempfile.TemporaryDirectory() as folder:
            prefix = tuple(word.format(folder=folder) for word in watcher)
            work = measurement.work.with_parameters(messages=messages)
            result = await measure_roles(Measurement(measurement.side, work, measurement.seconds, prefix))
            calls.append(sum(map(calls_in, Path(folder).iterdir())))  # noqa: ASYNC240  nothing else waits
    return result | {"calls": (calls[1] - calls[0]) / (many - few)}


def watches(name: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        words = [word.format(folder=folder).format(role="trial") for word in WATCHERS[name]]
        try:
            done = subprocess.run([*words, "true"], capture_output=True, timeout=20, check=False)
        except OSError:
            return False
        return done.returncode == 0


def calls_in(path: Path) -> int:
    """Return the number of calls in a summary of strace's or perf's."""
    text = path.read_text(encoding="utf-8")
    strace = re.search(r"^\s*100\.00\s+\S+\s+\d+\s+(\d+)\s.*total$", text, re.MULTILINE)
    perf = re.search(r"^(\d+),[^,]*,raw_syscalls", text, re.MULTILINE)
    found = strace or perf
    if found is None:
        raise MeasurementError(f"no number of system calls in {text[-300:]!r}")
    return int(found[1])


# --- whole programs -------------------------------------------------------------------------------------------


async def measure_program(measurement: Measurement, folder: str) -> Result:
    """Run a program to its end; what it says as JSON, its time on the wall, and all of its processor time."""
    words = list(measurement.work.parameters["words"])
    async with contextlib.AsyncExitStack() as stack:
        if "{address}" in words:
            cast = await stack.enter_async_context(casting(measurement))
            address = (await (await cast.start("server")).hear("ready"))["address"]
            words = [address if word == "{address}" else word for word in words]
        running: list[subprocess.Popen[bytes]] = []
        try:
            return await asyncio.to_thread(_run, measurement, words, folder, running)
        except asyncio.CancelledError:
            for process in running:
                end_group(process.pid)
            raise


def end_group(pid: int) -> None:
    """Kill a program with all of its processes, if it is there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _run(
    measurement: Measurement, words: Sequence[str], folder: str, running: list[subprocess.Popen[bytes]]
) -> Result:
    side, work = measurement.side, measurement.work
    known = {"programs": str(HERE / "programs"), "loop": side.loop, "seconds": f"{measurement.seconds:g}"}
    arguments = [command_of(side.python) if word == "{command}" else word.format(**known) for word in words]
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began_ns, began = time.time_ns(), time.perf_counter()
        process = subprocess.Popen(
            [side.python, *arguments],
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        running.append(process)
        late = threading.Timer(work.deadline_s, end_group, (process.pid,))
        late.start()
        _, status, used = os.wait4(process.pid, 0)
        late.cancel()
        end_group(process.pid)  # whoever outlives its program
        process.returncode = os.waitstatus_to_exitcode(status)
        whole_ns = (time.perf_counter() - began) * 1e9
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            tail = errors.read().strip()[-TAIL_CHARS:]
            raise MeasurementError(f"{work.path}: ended with {process.returncode} (-9: it was too late)\n{tail}")
        said = [json.loads(line) for line in output if line.startswith("{")]
    processor_ns = (used.ru_utime + used.ru_stime) * 1e9
    return {"whole_ns": whole_ns, "processor_ns": processor_ns} | gathered(said, began_ns)


def gathered(said: Sequence[Result], began_ns: int) -> Result:
    """Return what the parts of a program have said, together: processor times add up, one for each process."""
    result: Result = {}
    by_process: dict[int, float] = {}
    by_part: dict[str, float] = {}
    for each in said:
        if "part" in each:
            by_process[each["process"]] = by_part[each["part"]] = each["cpu_ns"]
        else:
            result |= each
    if by_process:
        result["cpu_ns"] = sum(by_process.values())
        result["ends_cpu_ns"] = by_part["source"] + by_part["sink"]
    if "first_at_ns" in result:
        result["first_ns"] = result["first_at_ns"] - began_ns
    return result


def command_of(python: str) -> str:
    """Return the code that an environment's own ``ezmsg`` script runs."""
    script = Path(python).with_name("ezmsg")
    found = re.search(r"^from (\S+) import (\w+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise MeasurementError(f"{script} is no script of a Python package")
    return f"import sys; from {found[1]} import {found[2]}; sys.exit({found[2]}())"
