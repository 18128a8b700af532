"""Eight processes, what is done to them by a plan, and how the simulation goes on from one event to the next."""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from tests.simulation import invariants
from tests.simulation.network import Network
from tests.simulation.plan import EVERYBODY, OWNERS, SERVER, SINKS, SOURCES, Step
from tests.simulation.processes import Disk, Process, ServerProcess
from tests.simulation.programs import Owner, Program, Sink, Source, Watcher
from tests.simulation.surroundings import simulated
from tests.simulation.virtual_time import Clock

CALM_S = 45.0
"""How long it may take until everything is as it should be, after the last fault, in virtual seconds."""

TURNS_LIMIT = 20_000
"""So often loops may turn without that time goes on."""


class Violation(AssertionError):
    """Something did not hold that must."""


class World:
    """The processes by name, and the account of the simulation."""

    def __init__(self, seed: int) -> None:
        self.clock = Clock()
        self.network = Network(self.clock, seed)
        self.seed = seed
        self.disk = Disk()
        self.faults: list[str] = []
        self.disturbed: set[frozenset[str]] = set()  # pairs of hosts between which messages may be lost
        self.trace = sha256()
        for name in EVERYBODY:
            self.network.add(name)

    @property
    def server(self) -> ServerProcess | None:
        """The server, if it is there."""
        process = self.process(SERVER)
        return process if isinstance(process, ServerProcess) else None

    def process(self, name: str) -> Process | None:
        """Return a process, if it is there."""
        process: Process | None = self.network.hosts[name].process
        return process

    def programs(self, kind: type[Any] = Program) -> list[Any]:
        """Return the programs of a kind that are there."""
        return [each for name in EVERYBODY if isinstance(each := self.process(name), kind)]

    def fail(self, what: str) -> None:
        """Note that something does not hold."""
        self.faults.append(f"at {self.clock.now_s:.3f} s: {what}")

    def check(self, problems: Sequence[str] = ()) -> None:
        """Raise what was noted, and these."""
        for problem in problems:
            self.fail(problem)
        if self.faults:
            raise Violation("\n".join(self.faults))

    # --- time ---------------------------------------------------------------------------------------------

    def run_until(self, end_s: float) -> None:
        """Let everything happen until a time."""
        turns = 0
        agenda = self.network.agenda
        while True:
            due_s = end_s
            for host in self.network.hosts.values():
                process = host.process
                if process is None or process.is_frozen:
                    continue
                while (process_due_s := process.loop.due_s()) <= self.clock.now_s:
                    process.loop.turn()
                    turns += 1
                    if turns > TURNS_LIMIT:
                        raise Violation(f"{process.host.name} turns in circles at {self.clock.now_s:.3f} s")
                due_s = min(due_s, process_due_s)
            next_s = min(due_s, agenda.next_time())
            if next_s >= end_s:
                self.clock.now_s = end_s
                return
            if next_s > self.clock.now_s:
                self.clock.now_s, turns = next_s, 0
                self.trace.update(f"{next_s:.9f}".encode())
            while agenda.next_time() <= next_s:
                agenda.happen()

    # --- what is done -------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a process that is not there."""
        host = self.network.hosts[name]
        if host.process is not None:
            return
        if name == SERVER:
            ServerProcess(host, self.clock, self.fail, self.disk)
            return
        kind = Source if name in SOURCES else Sink if name in SINKS else Owner if name in OWNERS else Watcher
        kind(host, self.network.hosts[SERVER], self.clock, self.fail)

    def kill(self, name: str) -> None:
        """Kill a process."""
        process = self.process(name)
        if process is not None:
            process.kill()
            self._disturb(name, *(() if name == SERVER else EVERYBODY))

    def do(self, step: Step) -> None:
        """Do one step of a plan; one that makes no sense now does nothing."""
        process, host = self.process(step.whom), self.network.hosts[step.whom]
        match step.action:
            case "start":
                self.start(step.whom)
            case "kill":
                self.kill(step.whom)
            case "freeze" | "thaw":
                if process is not None:
                    process.is_frozen = step.action == "freeze"
            case "cut":
                self.network.cut(host, self.network.hosts[step.what])
                self._disturb(step.whom, step.what)
            case "join":
                self.network.join(host, self.network.hosts[step.what])
            case "forget":
                self.network.forget(host, self.network.hosts[SERVER])
                self._disturb(step.whom, SERVER)
            case "slow":
                host.slow_until_s = self.clock.now_s + step.what
            case action:
                if isinstance(process, Program):
                    process.order(lambda: getattr(process, action)(step.what))

    def _disturb(self, name: str, *others: str) -> None:
        for other in others:
            self.disturbed.add(frozenset((name, other)))

    def end_faults(self) -> None:
        """Let everybody be there, run and be reached."""
        for pair in list(self.network.cuts):
            one, other = sorted(pair)
            self.network.join(self.network.hosts[one], self.network.hosts[other])
        for host in self.network.hosts.values():
            host.slow_until_s = 0.0
            if host.process is not None:
                host.process.is_frozen = False
        self.start(SERVER)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Have nothing logged: what is simulated would fill the log."""
    logger = logging.getLogger("ezmsg")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def run(seed: int, plan: Sequence[Step]) -> str:
    """Run a plan; return a digest of everything that happened.

    :raises Violation: if something does not hold.
    """
    world = World(seed)
    with simulated(world.network, seed), _silent():
        try:
            _run(world, plan)
        finally:
            for name in EVERYBODY:
                if (process := world.process(name)) is not None:
                    process.kill()
    return world.trace.hexdigest()


def _run(world: World, plan: Sequence[Step]) -> None:
    for name in EVERYBODY:
        world.start(name)
    for step in plan:
        world.run_until(max(step.at_s, world.clock.now_s))
        world.do(step)
        world.check(invariants.always(world))
    world.end_faults()
    _calm_down(world, invariants.calm)
    for source in world.programs(Source):
        source.order(lambda source=source: source.publish([0]))
    _calm_down(world, invariants.complete)


def _calm_down(world: World, problems_of: Any) -> None:
    """Give it time, and see that everything becomes as it should be."""
    until_s = world.clock.now_s + CALM_S
    while True:
        world.run_until(world.clock.now_s + 1.0)
        world.check(invariants.always(world))
        problems = problems_of(world)
        if not problems:
            return
        if world.clock.now_s >= until_s:
            world.check(problems)
