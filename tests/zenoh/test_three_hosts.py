"""A graph over three hosts, each a network of its own: its router goes and comes back, a host is cut off."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.zenoh.conftest import Program, routed
from tests.zenoh.hosts import DESK, LAB, STORE, Hosts
from tests.zenoh.test_processes import _config

SECONDS = float(os.environ.get("EZMSG_TEST_SECONDS", "6"))
"""How long messages flow; a minute where there is time for it."""

RATE_HZ = 1000.0
COUNT = int(SECONDS * RATE_HZ)

pytestmark = pytest.mark.timeout(300)


class Graph:
    """A router and a graph server on the first host, and a program on each of the three."""

    def __init__(self, hosts: Hosts, start: Callable[..., Program], folder: Path) -> None:
        self.hosts = hosts
        self._start = start
        self._config = _config(folder / "host.json", "client", connect=f"tcp/{LAB}:7447", lease_ms=3000)
        self._environ = {"EZMSG_TOKEN": "of the three", "EZMSG_RUNTIME_DIR": str(folder / "run")}
        (folder / "run").mkdir(mode=0o700)
        self.start_router()
        server = self.start(LAB, "ezmsg-graphserver")
        while "is ready at" not in server.says():
            pass

    def start_router(self) -> None:
        self.router = routed(self._start, "--listen", f"{LAB}:7447", on=self.hosts.on(LAB))

    def start(self, host: str, *arguments: str) -> Program:
        return self._start(
            *arguments, config=self._config, server="zenoh:three", on=self.hosts.on(host), environ=self._environ
        )

    def run(self, host: str, part: str, *more: str) -> Program:
        program = self.start(host, "chain.py", part, str(COUNT), *more)
        assert program.says() == "ready"
        return program


@pytest.fixture
def graph(hosts: Hosts, start: Callable[..., Program], tmp_path: Path) -> Graph:
    return Graph(hosts, start, tmp_path)


def last(program: Program, word: str) -> int:
    """Return the number that a program says behind a word, whatever it says before."""
    while not (line := program.says()).startswith(f"{word} "):
        pass
    return int(line.split()[1])


def heard(sink: Program, number: int) -> None:
    while last(sink, "heard") < number:
        pass


def test_a_router_that_is_killed_and_started_again_costs_no_message(graph: Graph) -> None:
    middle, sink = graph.run(STORE, "middle"), graph.run(DESK, "sink")
    graph.run(LAB, "source", str(RATE_HZ)).go()
    heard(sink, 1000)
    graph.router.kill()
    graph.start_router()
    assert last(sink, "lost") == 0
    assert last(sink, "missed") == 0
    assert last(middle, "missed") == 0


@pytest.mark.parametrize("host", [STORE, DESK])
@pytest.mark.parametrize("one_way", [False, True])
def test_a_host_that_is_cut_off_for_less_than_a_lease_misses_nothing(
    graph: Graph, host: str, one_way: bool
) -> None:
    middle, sink = graph.run(STORE, "middle"), graph.run(DESK, "sink")
    graph.run(LAB, "source", str(RATE_HZ)).go()
    heard(sink, 1000)
    cut, mend = (graph.hosts.mute, graph.hosts.unmute) if one_way else (graph.hosts.cut, graph.hosts.mend)
    cut(host)
    time.sleep(2.0)  # for how long it is cut off is what this is about
    mend(host)
    assert last(sink, "lost") == 0
    assert last(sink, "missed") == 0
    assert last(middle, "missed") == 0


def test_a_host_that_is_cut_off_for_long_knows_what_it_missed(graph: Graph) -> None:
    """The others go on without it."""
    middle, sink = graph.run(STORE, "middle"), graph.run(DESK, "sink")
    witness = graph.run(LAB, "sink")
    graph.run(LAB, "source", str(RATE_HZ / 4)).go()
    heard(witness, 500)
    graph.hosts.cut(DESK)
    time.sleep(20.0)  # longer than the lease of Zenoh's session and ours
    graph.hosts.mend(DESK)
    lost = last(sink, "lost")
    assert lost > 0
    assert last(sink, "missed") == lost
    assert last(witness, "lost") == 0
    assert last(middle, "missed") == 0
