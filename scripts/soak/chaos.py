"""Real processes under kills, stops and restarts of any of them: what must hold for those that were left alone.

A server, sources over shared memory and TCP, and sinks. One source and one sink are never touched: between them
nothing may be lost, come twice or out of order, whatever happens to everybody else. Of the others, what is missing
must have been told. At the end nothing is left.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil
from promises import Figure

PROGRAM = Path(__file__).with_name("chaos_program.py")
KINDS = {
    "source-0": ("source",),
    "source-1": ("source",),
    "source-2": ("source", "tcp"),
    "source-3": ("source", "tcp"),
    "sink-0": ("sink",),
    "sink-1": ("sink",),
    "sink-2": ("sink",),
    "sink-3": ("sink",),
}
UNTOUCHED = ("source-0", "source-3", "sink-0")
SERVER = "server"
STOPS_S = (0.05, 0.5, 2.0, 7.0)
PAUSES_S = (0.1, 0.3, 1.0, 2.0)
READY_S, END_S, SETTLE_S = 60.0, 30.0, 8.0
WARM_UP_S = 10.0
DESCRIPTORS_MORE, THREADS_MORE, MEMORY_MORE = 4, 1, 48 * 2**20
"""What a survivor may have more at the end than after its warm-up: of all but memory, nothing that grows."""


_started: list[subprocess.Popen[str]] = []


def kill_everybody() -> None:
    """Leave nobody behind when the soak is ended from outside; safe to call in a signal handler."""
    for process in _started:
        if process.returncode is None:
            process.kill()


class Member:
    """One process and what it has said."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], errors: Any) -> None:
        self.name = name
        self.process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        _started.append(self.process)
        self.said: list[dict[str, Any]] = []
        self.ready = threading.Event()
        self.stopped_until_s = 0.0
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.said.append(json.loads(line))
                self.ready.set()

    def end(self) -> dict[str, Any]:
        """Ask for the end; return the last that it said."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(END_S)
        self._reading.join(END_S)
        return self.said[-1] if self.said else {}


class Chaos:
    """All of them, and what was done."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  nothing secret is made of it
        self.members: dict[str, Member] = {}
        self.done = dict.fromkeys(("killed", "stopped"), 0)
        self._errors = (folder / "errors.log").open("w+")
        self._state = folder / "state.sqlite"
        self._environment = {
            **os.environ,
            "EZMSG_RUNTIME_DIR": str(folder),
            "EZMSG_TOKEN": "chaos",
            "EZMSG_LOGLEVEL": "ERROR",
        }
        self._port = _free_port()

    @property
    def address(self) -> str:
        """Where the server is."""
        return f"127.0.0.1:{self._port}"

    def start(self, name: str) -> None:
        """Start a process, the first time or again."""
        if name == SERVER:
            command = ["-m", "ezmsg.graphserver", "--address", self.address, "--state", str(self._state)]
        else:
            kind, *options = KINDS[name]
            command = [str(PROGRAM), kind, self.address, *options]
        self.members[name] = Member(name, [sys.executable, *command], self._environment, self._errors)

    def disturb(self) -> None:
        """Do something to somebody."""
        name = self.random.choice([SERVER, *(name for name in KINDS if name not in UNTOUCHED)])
        member = self.members[name]
        if self.random.random() < 0.5:
            member.process.kill()
            member.process.wait()
            self.done["killed"] += 1
            self.start(name)
        else:
            member.process.send_signal(signal.SIGSTOP)
            member.stopped_until_s = time.monotonic() + self.random.choice(STOPS_S)
            self.done["stopped"] += 1

    def go_on(self, *, all_of_them: bool = False) -> None:
        """Let those go on whose time is over."""
        for member in self.members.values():
            if member.stopped_until_s and (all_of_them or member.stopped_until_s <= time.monotonic()):
                member.stopped_until_s = 0.0
                member.process.send_signal(signal.SIGCONT)

    def last_words(self) -> str:
        """Return the end of what all of them wrote to standard error."""
        self._errors.seek(0)
        return self._errors.read()[-4000:]

    def kill_all(self) -> None:
        """Leave nobody behind."""
        for member in self.members.values():
            if member.process.poll() is None:
                member.process.kill()
                member.process.wait()
        self._errors.close()


def run_chaos(minutes: float, seed: int) -> list[Figure]:
    """Run; return what was measured."""
    with tempfile.TemporaryDirectory(prefix="ezmsg-chaos-") as folder:
        chaos = Chaos(Path(folder), seed)
        try:
            return _run(chaos, minutes, Path(folder))
        finally:
            chaos.kill_all()


def _run(chaos: Chaos, minutes: float, folder: Path) -> list[Figure]:
    for name in (SERVER, *KINDS):
        chaos.start(name)
    for name in KINDS:
        if not chaos.members[name].ready.wait(READY_S):
            raise RuntimeError(f"{name} was not ready within {READY_S:g} s")
    time.sleep(WARM_UP_S)
    survivors = {name: psutil.Process(chaos.members[name].process.pid) for name in UNTOUCHED}
    before = {name: _held(process) for name, process in survivors.items()}
    until_s = time.monotonic() + 60 * minutes
    while time.monotonic() < until_s:
        time.sleep(chaos.random.choice(PAUSES_S))
        chaos.go_on()
        chaos.disturb()
    chaos.go_on(all_of_them=True)
    for name in KINDS:
        chaos.members[name].ready.wait(READY_S)
    time.sleep(SETTLE_S)
    grown = [line for name, process in survivors.items() for line in _grown(name, before[name], _held(process))]
    sent = {name: chaos.members[name].end() for name in KINDS if name.startswith("source")}
    time.sleep(1.0)
    heard = {name: chaos.members[name].end() for name in KINDS if name.startswith("sink")}
    chaos.members[SERVER].end()
    what = f"{minutes:g} minutes of kills ({chaos.done['killed']}) and stops ({chaos.done['stopped']})"
    figures = [_losses(what, sent, heard), _leaks(what, grown), _residue(what, folder, chaos)]
    if not all(figure.held for figure in figures):
        print(chaos.last_words(), flush=True)
    return figures


def _losses(what: str, sent: dict[str, Any], heard: dict[str, Any]) -> Figure:
    """See that nothing came twice, that what lacks was told, and that those left alone lost nothing."""
    problems: list[str] = []
    messages = 0
    for name, told in heard.items():
        if "came" not in told:
            problems.append(f"{name} said nothing at its end")
            continue
        problems += [f"{name}: {each}" for each in told["wrong"]]
        lacking = sum(lack for _, _, lack in told["came"].values())
        messages += sum(last - first + 1 - lack for first, last, lack in told["came"].values())
        if lacking > told["missed"]:
            problems.append(f"{name} lacks {lacking} messages, and was told of {told['missed']}")
        for source, end in sent.items():
            known = told["came"].get(end.get("publisher"))
            if end.get("undelivered"):
                problems.append(f"{source} did not deliver {end['undelivered']} messages")
            if known is None or known[1] != end["published"] - 1:
                problems.append(f"{name} has {known} of {source}, which sent {end.get('published')}")
            if known is not None and known[2] and {name, source} <= set(UNTOUCHED):
                problems.append(f"{name} lacks {known[2]} messages of {source}, and nothing was done to them")
    for problem in problems:
        print(f"    {problem}", flush=True)
    measured = f"{messages} messages, {len(problems)} violations"
    promise = "survivors lose nothing, nothing comes twice, and what others miss is told"
    return Figure(what, promise, measured, held=not problems)


def _held(process: psutil.Process) -> tuple[int, int, int, int]:
    """Return how many descriptors, threads and children a process has, and its resident memory."""
    return (
        process.num_fds(),
        process.num_threads(),
        len(process.children(recursive=True)),
        process.memory_info().rss,
    )


def _grown(name: str, before: tuple[int, ...], after: tuple[int, ...]) -> list[str]:
    limits = DESCRIPTORS_MORE, THREADS_MORE, 0, MEMORY_MORE
    kinds = "descriptors", "threads", "children", "bytes"
    return [
        f"{name}: {kind} {old} -> {new}"
        for kind, old, new, limit in zip(kinds, before, after, limits, strict=True)
        if new - old > limit
    ]


def _leaks(what: str, grown: list[str]) -> Figure:
    for line in grown:
        print(f"    {line}", flush=True)
    promise = "survivors keep no descriptor, thread, child or memory of those who are gone"
    return Figure(what, promise, "; ".join(grown) or "nothing has grown", held=not grown)


def _residue(what: str, folder: Path, chaos: Chaos) -> Figure:
    """See what is left when all have ended."""
    left = [str(path.name) for path in folder.iterdir() if path.name.startswith(("server-", "segment"))]
    left += [path.name for path in Path("/dev/shm").glob("*ezmsg*")]
    left += [name for name, member in chaos.members.items() if member.process.poll() is None]
    left += [
        f"{name} ended with {m.process.returncode}" for name, m in chaos.members.items() if m.process.returncode
    ]
    for line in left:
        print(f"    left: {line}", flush=True)
    return Figure(what, "no process, file or shared memory is left", ", ".join(left) or "nothing", held=not left)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
