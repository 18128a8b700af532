"""Measure one workload once, in fresh processes of one interpreter, and print the result as JSON.

This process imports neither package, so it can drive both. Every wait ends at one deadline, and no child
survives the measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from workloads import LOOPS, QUICK, WORKLOADS, Effort, Loop, Workload

WORKER = Path(__file__).with_name("worker.py")
LEAVE_S = 8.0
"""How long a process may take to leave after its input has ended, before it is killed."""
TAIL_CHARS = 2000

Result = dict[str, Any]


class MeasurementError(RuntimeError):
    """A workload could not be run. The text holds what the processes said."""


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

    def complaint(self) -> str:
        """Return the end of what the process wrote to standard error."""
        self.errors.seek(0)
        text = self.errors.read().decode(errors="replace").strip()
        return f"--- {self.name} (status {self.process.returncode})\n{text[-TAIL_CHARS:]}"


@dataclass(frozen=True)
class Measurement:
    """Where and how one workload runs."""

    python: str
    work: Workload
    loop: Loop
    effort: Effort

    def command(self, role: str, address: str | None) -> list[str]:
        arguments = [
            *("--workload", self.work.name),
            *("--loop", self.loop),
            *("--seconds", str(self.effort.seconds)),
            *("--edges", str(self.effort.edges)),
            *("--deadline", str(self.effort.deadline)),
        ]
        if address is not None:
            arguments += ["--address", address]
        return [self.python, str(WORKER), role, *arguments]


class Cast:
    """The processes of one measurement, in the order in which they were started."""

    def __init__(self, measurement: Measurement) -> None:
        self._measurement = measurement
        self._roles: list[Role] = []
        self.unclean: list[str] = []

    async def start(self, role: str, address: str | None = None) -> Role:
        errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the cast
        process = await asyncio.create_subprocess_exec(
            *self._measurement.command(role, address),
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
    cast = Cast(measurement)
    try:
        yield cast
    except (MeasurementError, TimeoutError) as error:
        await cast.leave()
        reason = str(error) or f"not done after {measurement.effort.deadline:g} s"
        raise MeasurementError(f"{measurement.work.name}: {reason}\n{cast.complaints()}") from error
    else:
        await cast.leave()
    finally:
        cast.close()


def environment() -> dict[str, str]:
    """Return the environment without settings that would change what is measured."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
    return kept | {"EZMSG_LOGLEVEL": "ERROR", "PYTHONUNBUFFERED": "1"}


async def measure(measurement: Measurement) -> Result:
    """Run one workload once and return its numbers.

    `unclean_exit` in the result says which processes had to be killed, or left with an error, after the
    numbers were in.
    """
    async with casting(measurement) as cast:
        async with asyncio.timeout(measurement.effort.deadline):
            address = (await (await cast.start("server")).hear("ready"))["address"]
            if measurement.work.processes == "two":
                await (await cast.start("follow", address)).hear("ready")
            result = await cast.hear_first(await cast.start("lead", address), "result")
    del result["event"]
    return {"workload": measurement.work.name, **result, "unclean_exit": cast.unclean}


def main() -> int:
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__.partition("\n")[0] if __doc__ else None
    )
    parser.add_argument("workload", choices=WORKLOADS, metavar="WORKLOAD", help=", ".join(WORKLOADS))
    parser.add_argument("--python", default=sys.executable, help="the interpreter under test (this one)")
    parser.add_argument("--loop", choices=LOOPS, default="asyncio")
    parser.add_argument("--quick", action="store_true", help="a shorter window and chain")
    options = parser.parse_args()
    effort = QUICK if options.quick else Effort()
    try:
        result = asyncio.run(
            measure(Measurement(options.python, WORKLOADS[options.workload], options.loop, effort))
        )
    except MeasurementError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
