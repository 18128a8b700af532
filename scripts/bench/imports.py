"""What it costs to begin: imports, the shortest run, help and a look at a graph, in processor time, side by side.

Every process of a run pays for the import, and a person at a terminal for help. Times are the user and system time
of a process and of its children, as the operating system counts it, so that other programs disturb them less than
they disturb a clock; the sides take turns, and each figure is a median.

    hatch run python scripts/bench/imports.py                  # fifteen turns, about three minutes
    hatch run python scripts/bench/imports.py --only help --turns 31
    hatch run python scripts/bench/imports.py --peer-python PATH
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from peers import PeerError, probe, public_peer

RUN = """
import multiprocessing
import sys
import ezmsg.core as ez

class Once(ez.Unit):
    @ez.task
    async def end(self) -> None:
        raise ez.NormalTermination

if __name__ == "__main__":
    unit = Once()
    if sys.argv[1:]:
        multiprocessing.set_start_method(sys.argv[1])
    ez.run(ONCE=unit, process_components=[unit] if sys.argv[1:] else [])
"""

SERVER = """
import sys
import ezmsg.core as ez

server = ez.GraphServer()
server.start()
print(":".join(map(str, server.address)), flush=True)
sys.stdin.read()
server.stop()
"""


class Workload(NamedTuple):
    """What each side runs, as arguments of its interpreter; ``None`` where a side has nothing like it."""

    name: str
    ours: list[str]
    public: list[str] | None
    bar: str


def workloads(program: str, command: dict[str, str], at: str) -> list[Workload]:
    """Return what is measured; ``command`` is the code by which each side's command begins."""
    ours = ["-c", command["ours"]]
    bare, numpy, run = ["-c", "pass"], ["-c", "import numpy"], ["-c", "import ezmsg.core as ez; ez.run"]
    verbs = [["graph"], ["settings"], ["process"], ["snapshot"]]
    return [
        Workload("interpreter", bare, bare, ""),
        Workload("numpy", numpy, numpy, ""),
        Workload("import", run, run, "at most 1.2 of the public package's"),
        Workload("help", [*ours, "--help"], ["-c", command["public"], "-h"], "under 0.15 s"),
        *(Workload(verb[0], [*ours, *verb, "--address", at], None, "under 0.3 s") for verb in verbs),
        Workload("run", [program], [program], ""),
        Workload("run/fork", [program, "fork"], [program, "fork"], ""),
        Workload("run/spawn", [program, "spawn"], [program, "spawn"], ""),
    ]


def processor_s(command: list[str], environment: dict[str, str]) -> float:
    """Run a command to its end; return its processor time with that of its children, in seconds."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise PeerError(f"{' '.join(command)[:200]} ended with {process.returncode}: {said.strip()[-800:]}")
    return used.ru_utime + used.ru_stime


@contextmanager
def server(python: str, environment: dict[str, str]) -> Iterator[str]:
    """Have a graph server of our own in a process beside; yield its address."""
    with subprocess.Popen(
        [python, "-c", SERVER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.communicate()


def command_of(python: str) -> str:
    """Return the code that an environment's own ``ezmsg`` script runs."""
    script = Path(python).with_name("ezmsg")
    found = re.search(r"^from (\S+) import (\w+)$", script.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise PeerError(f"{script} is no script of a Python package")
    return f"import sys; from {found[1]} import {found[2]}; sys.exit({found[2]}())"


def measure(only: str, turns: int, sides: dict[str, str]) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "once.py"
        program.write_text(RUN, encoding="utf-8")
        # Byte code is what users have; the first turn makes it, and is not counted.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "EZMSG_LOGLEVEL": "ERROR"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        command = {side: command_of(python) for side, python in sides.items()}
        with server(sides["ours"], environment) as at:
            print(f"{'':14}{'ours':>10}{'public':>10}{'ratio':>8}  bar       (ms of processor time, {turns} turns)")
            for each in workloads(str(program), command, at):
                if only in each.name:
                    _print(each, _take_turns(each, turns, sides, environment))


def _take_turns(
    workload: Workload, turns: int, sides: dict[str, str], environment: dict[str, str]
) -> dict[str, float]:
    times: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(turns + 1):
        for side in sorted(sides, reverse=turn % 2 == 1):
            arguments = workload.ours if side == "ours" else workload.public
            if arguments is not None:
                times[side].append(processor_s([sides[side], *arguments], environment))
    return {side: statistics.median(taken[1:]) * 1000 for side, taken in times.items() if taken}


def _print(workload: Workload, medians: dict[str, float]) -> None:
    ours, public = medians["ours"], medians.get("public")
    beside = f"{'':18}" if public is None else f"{public:10.0f}{ours / public:8.2f}"
    print(f"{workload.name:14}{ours:10.0f}{beside}  {workload.bar}", flush=True)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        allow_abbrev=False, description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="workloads whose name has this in it")
    parser.add_argument("--turns", type=int, default=15, help="how often each side takes its turn (15)")
    parser.add_argument("--ours-python", default=sys.executable, metavar="PATH", help="the interpreter of our side")
    parser.add_argument("--peer-python", metavar="PATH", help="one with the public package")
    asked = parser.parse_args()
    try:
        peer = asked.peer_python or public_peer(probe(asked.ours_python))
        measure(asked.only, asked.turns, {"ours": asked.ours_python, "public": peer})
    except PeerError as error:
        print(f"imports: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
