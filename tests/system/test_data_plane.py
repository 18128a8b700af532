"""Channels between real processes, and what becomes of messages when these are closed, slow or killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import ezmsg.core as ez
from ezmsg.core.transports import records

PROGRAM = Path(__file__).parent / "programs" / "data_plane.py"


class Graph:
    """A graph server, publishers and subscribers in processes of their own, joined in one way."""

    def __init__(self, start: Any, way: str, loop: str = "asyncio") -> None:
        self.tcp = way.startswith("tcp")
        self.portable = way.endswith("portable")
        self.server: Any = None
        self.options: list[str] = []
        self._start = start
        self._loop = loop
        self._more = {"EZMSG_PORTABLE": "1"} if self.portable else {}
        self._thread = ez.GraphServer()
        self._programs: list[Any] = []

    def serve(self) -> "Graph":
        """Let the server be a thread of this process, which is the quickest."""
        self._thread.start(("127.0.0.1", 0))
        self.address = str(self._thread.address)
        return self

    def serve_apart(self) -> "Graph":
        """Let the server be a process, so that it can be killed."""
        self.server = self._start.command(sys.executable, "-m", "ezmsg.graphserver", "--address", "127.0.0.1:0")
        with self.server._changed:
            assert self.server._changed.wait_for(lambda: "ready at" in self.server.errors, 30), self.server.story()
        self.address = self.server.errors.split("ready at")[1].split()[0]
        return self

    def join(
        self, publishers: int = 1, subscribers: int = 1, num_buffers: int = 32, *, leaky: bool = False
    ) -> list[Any]:
        """Start publishers, then subscribers, all at once; return when each hears or is heard."""
        tcp = ["--tcp"] if self.tcp else []
        publisher = ["publisher", "--num-buffers", str(num_buffers), *tcp, *self.options]
        common = ["--address", self.address, "--loop", self._loop]
        programs = [
            self._start.command(sys.executable, str(PROGRAM), *role, *common, stdin=subprocess.PIPE, **self._more)
            for role in [publisher] * publishers + [["subscriber", *(["--leaky"] if leaky else [])]] * subscribers
        ]
        for program in programs:
            program.ready = program.says("ready")[1:]
        self._programs += programs
        return programs

    def end(self) -> None:
        """Let everybody leave, and see that nobody complained."""
        programs = [program for program in self._programs if program.process.poll() is None]
        for program in programs:
            tell(program, "end")
        for program in programs:
            program.says("ended")
            try:
                program.process.wait(30)
            except subprocess.TimeoutExpired:
                pytest.fail(f"it does not end\n{program.story()}")
        for program in programs:
            assert program.ends() == 0
            assert "Traceback" not in program.errors, program.story()
        if self.server is not None and self.server.process.poll() is None:
            self.server.signal(signal.SIGTERM)
            assert self.server.ends() == 0

    def close(self) -> None:
        for program in self._programs:
            program.process.stdin.close()
        self._thread.stop()


def tell(program: Any, *words: object) -> None:
    program.process.stdin.write(" ".join(map(str, words)) + "\n")
    program.process.stdin.flush()


def ask(program: Any, *words: object) -> list[str]:
    """Tell a program to do something and wait for its answer."""
    before = sum(line.startswith(str(words[0])) for line in program.out)
    tell(program, *words)
    return answer(program, str(words[0]), before)


def answer(program: Any, word: str, before: int = 0) -> list[str]:
    return list(program.says(word, before + 1)[1:])


def numbers(first: int, count: int) -> list[str]:
    return [str(number) for number in range(first, first + count)]


@pytest.fixture
def graph(start: Any, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Graph]:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    graph = Graph(start, way)
    yield graph
    graph.close()


def ways(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", names)


every_way = ways("shm", "shm, portable", "tcp", "tcp, portable")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A pipe on which a program can be made to stand still, and what lets it go on."""
    path = tmp_path / "gate"
    os.mkfifo(path)
    descriptor = os.open(path, os.O_RDWR)
    yield path, lambda: os.write(descriptor, b"!") and None
    os.close(descriptor)


def in_shared_memory() -> set[str]:
    folder = Path("/dev/shm")
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


# --- closing, growing -------------------------------------------------------------------------------------------


@every_way
def test_a_publisher_that_closes_at_once_delivers_everything(
    graph: Graph, gate: tuple[Path, Callable[[], None]]
) -> None:
    publisher, subscriber = graph.serve().join()
    ask(publisher, "send", 0, 20, 5000)
    assert ask(publisher, "close") == ["0"]
    tell(publisher, "end")
    assert publisher.ends() == 0
    assert ask(subscriber, "take", 20) == numbers(0, 20)

    (publisher,) = graph.join(subscribers=0)
    ask(subscriber, "block", gate[0])
    ask(publisher, "send", 20, 20, 5000)
    tell(publisher, "end")
    if graph.tcp or graph.portable:  # these wait until it was read, or until their patience ends
        gate[1]()
    assert publisher.ends() == 0
    gate[1]()
    assert ask(subscriber, "take", 20) == numbers(20, 20)
    graph.end()


@every_way
def test_a_burst_of_growing_messages(graph: Graph) -> None:
    publisher, *subscribers = graph.serve().join(subscribers=2)
    for num_buffers in (2, 4, 32):
        counts = [subscriber.out.count("burst\n") for subscriber in subscribers]
        for subscriber in subscribers:
            tell(subscriber, "burst")
        ask(publisher, "burst", num_buffers)
        for subscriber, count in zip(subscribers, counts, strict=True):
            answer(subscriber, "burst", count)
    graph.end()


@ways("shm")
def test_what_cannot_be_sent_harms_nobody(graph: Graph) -> None:
    publisher, subscriber = graph.serve().join()
    ask(publisher, "send", 0, 5)
    assert ask(publisher, "send_bad") == ["UnencodableMessage"]
    ask(publisher, "send", 5, 5)
    assert ask(subscriber, "take", 10) == numbers(0, 10)
    graph.end()


@ways("shm", "shm, portable")
def test_a_view_that_is_kept_outlives_lease_subscriber_and_publisher(graph: Graph) -> None:
    publisher, subscriber = graph.serve().join(num_buffers=4)
    ask(publisher, "send", 0, 3, 5000)
    assert ask(subscriber, "hold", 3) == numbers(0, 3)
    ask(subscriber, "let_go")
    ask(subscriber, "close")
    assert ask(subscriber, "look") == numbers(0, 3)
    tell(publisher, "end")
    assert publisher.ends() == 0
    assert ask(subscriber, "look") == numbers(0, 3)
    graph.end()


# --- somebody is killed -----------------------------------------------------------------------------------------


@ways("shm", "tcp")
def test_messages_flow_on_without_the_server(graph: Graph) -> None:
    publisher, subscriber = graph.serve_apart().join(num_buffers=4)
    tell(subscriber, "take", 5000)
    tell(publisher, "send", 0, 5000)
    graph.server.signal(signal.SIGKILL)
    graph.server.process.wait(30)
    assert answer(subscriber, "take") == numbers(0, 5000)
    answer(publisher, "send")
    ask(publisher, "send", 5000, 3)
    assert ask(subscriber, "take", 3) == numbers(5000, 3)
    graph.end()


@ways("shm", "tcp")
def test_a_killed_subscriber_that_held_everything_stops_nobody(graph: Graph) -> None:
    publisher, survivor, victim = graph.serve().join(subscribers=2, num_buffers=4)
    ask(publisher, "send", 0, 4)
    assert ask(victim, "hold", 4) == numbers(0, 4)
    assert ask(survivor, "take", 4) == numbers(0, 4)
    tell(publisher, "send", 4, 96)
    victim.signal(signal.SIGKILL)
    victim.process.wait(30)
    assert ask(survivor, "take", 96) == numbers(4, 96)
    answer(publisher, "send", 1)
    graph.end()


@every_way
def test_what_a_killed_publisher_sent_can_still_be_read(
    graph: Graph, gate: tuple[Path, Callable[[], None]]
) -> None:
    publisher, subscriber = graph.serve().join()
    ask(publisher, "send", 0, 1)  # the channel is in use
    ask(subscriber, "block", gate[0])
    # Larger ones, so that a new segment is among what is found; over TCP, no more than the sockets take.
    ask(publisher, "send", 1, 10, 100 if graph.tcp else 5000)
    publisher.signal(signal.SIGKILL)
    publisher.process.wait(30)
    gate[1]()
    assert ask(subscriber, "take", 11) == numbers(0, 11)
    (again,) = graph.join(subscribers=0)
    ask(again, "send", 11, 5)
    assert ask(subscriber, "take", 5) == numbers(11, 5)
    graph.end()


@every_way
def test_a_killed_publisher_is_told_once_after_its_last_message(
    graph: Graph, gate: tuple[Path, Callable[[], None]]
) -> None:
    publisher, subscriber = graph.serve().join()
    ask(publisher, "send", 0, 1)
    ask(subscriber, "block", gate[0])
    ask(publisher, "send", 1, 19)
    publisher.signal(signal.SIGKILL)
    publisher.process.wait(30)
    gate[1]()
    topic, last, _, *taken = ask(subscriber, "take_until_lost")
    assert (topic, last, taken) == ("OUT", "19", numbers(0, 20))
    # Another one comes, and is lost while it is waited for: one error for each, and at once.
    (again,) = graph.join(subscribers=0)
    ask(again, "send", 20, 5)
    tell(subscriber, "take_until_lost")
    killed_s = time.monotonic()
    again.signal(signal.SIGKILL)
    again.process.wait(30)
    _, last, told_s, *taken = answer(subscriber, "take_until_lost", 1)
    assert (last, taken) == ("4", numbers(20, 5))
    assert float(told_s) - killed_s < 5.0
    graph.join(subscribers=0)  # which sweeps, where segments have names
    graph.end()


@ways("shm", "shm, portable")
def test_killing_every_process_leaves_nothing(graph: Graph, tmp_path: Path) -> None:
    before = in_shared_memory()
    publisher, subscriber = graph.serve_apart().join(num_buffers=4)
    ask(publisher, "send", 0, 3, 5000)
    ask(subscriber, "hold", 3)
    for program in [graph.server, publisher, subscriber]:
        program.signal(signal.SIGKILL)
    for program in [graph.server, publisher, subscriber]:
        program.process.wait(30)
        assert not program.processes()
    assert in_shared_memory() <= before
    left = list((tmp_path / "run").rglob("*.segment"))
    assert len(left) == (1 if graph.portable else 0)
    if left:  # the next one to start clears up
        graph.serve().join(subscribers=0)
        assert not left[0].exists()
        graph.end()


@ways("shm", "tcp")
def test_who_joins_says_which_publisher_does_not_answer(
    graph: Graph, gate: tuple[Path, Callable[[], None]]
) -> None:
    (publisher,) = graph.serve().join(subscribers=0)
    ask(publisher, "block", gate[0])
    (subscriber,) = graph.join(publishers=0)
    told = subscriber.complains("cannot be heard here yet: its publisher, in ")
    if not graph.tcp:
        assert f"process {publisher.pid} of this host" in told
    gate[1]()
    publisher.says("unblocked")
    graph.end()


# --- somebody has no time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_buffers", [1, 4])
@every_way
def test_nobody_waits_for_a_leaky_subscriber_whose_loop_is_blocked(
    graph: Graph, gate: tuple[Path, Callable[[], None]], num_buffers: int
) -> None:
    publisher, witness = graph.serve().join(num_buffers=num_buffers)
    (leaky,) = graph.join(publishers=0, leaky=True)
    ask(leaky, "block", gate[0])
    tell(publisher, "send", 0, 300, 2000)
    tell(publisher, "send", 300, 700)
    assert ask(witness, "take", 1000) == numbers(0, 1000)
    publisher.says("send", 2)
    gate[1]()
    taken, dropped = ask(leaky, "until", 999)
    assert int(taken) + int(dropped) == 1000
    assert int(taken) < 1000
    graph.end()


# --- somebody does not answer -----------------------------------------------------------------------------------

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of stopped processes")


@linux
@every_way
def test_a_stopped_subscriber_is_cut_off_and_learns_what_it_missed(graph: Graph) -> None:
    graph.options = ["--max-block", "0.5"]
    publisher, witness, frozen = graph.serve().join(subscribers=2, num_buffers=8)
    ask(publisher, "send", 0, 5)
    for subscriber in (witness, frozen):
        assert ask(subscriber, "take", 5) == numbers(0, 5)
    frozen.signal(signal.SIGSTOP)
    tell(publisher, "send", 5, 100)
    assert ask(witness, "take", 100) == numbers(5, 100)
    answer(publisher, "send", 1)
    assert publisher.complains("is stopped")
    assert publisher.errors.count("is stopped") == 1, publisher.story()
    frozen.signal(signal.SIGCONT)
    (missed,) = map(int, ask(frozen, "missed", 1))
    under_way = 100 - missed  # as many as there are buffers, but for those that it was not known to have let go of
    assert 3 <= under_way <= 8
    assert ask(frozen, "take", under_way) == numbers(5, under_way)  # as it was
    assert frozen.complains(f"missed {missed} message")
    ask(publisher, "send", 105, 5)
    for subscriber in (witness, frozen):
        assert ask(subscriber, "take", 5) == numbers(105, 5)
    graph.end()


@linux
@ways("shm", "tcp")
def test_a_busy_subscriber_is_waited_for(graph: Graph, gate: tuple[Path, Callable[[], None]]) -> None:
    graph.options = ["--max-block", "0.2"]
    publisher, subscriber = graph.serve().join(num_buffers=4)
    ask(publisher, "send", 0, 1)
    ask(subscriber, "block", gate[0])
    tell(publisher, "send", 1, 50)
    time.sleep(1.5)  # several times as long as it would wait for a stopped one
    gate[1]()
    assert ask(subscriber, "take", 51) == numbers(0, 51)
    assert "cut off" not in publisher.errors, publisher.story()
    graph.end()


# --- many, on another loop --------------------------------------------------------------------------------------


@ways("shm", "tcp")
def test_several_of_each_on_another_loop(graph: Graph) -> None:
    pytest.importorskip("uvloop")
    graph._loop = "uvloop"
    *publishers, first, second = graph.serve().join(publishers=2, subscribers=2, num_buffers=3)
    for subscriber in (first, second):
        tell(subscriber, "take", 400)
    for position, publisher in enumerate(publishers):
        tell(publisher, "send", 1000 * position, 200)
    for publisher in publishers:
        answer(publisher, "send")
    for subscriber in (first, second):
        heard = [int(number) for number in answer(subscriber, "take")]
        assert [number for number in heard if number < 1000] == list(range(200))
        assert [number for number in heard if number >= 1000] == list(range(1000, 1200))
    graph.end()


# --- strangers at the doors -------------------------------------------------------------------------------------


def doors(program: Any, transport: str) -> Callable[[], socket.socket]:
    """How anybody on this machine can connect to a process's data plane."""
    link, host, port = program.ready[2:5]
    kind, _, name = link.partition(":")

    def knock() -> socket.socket:
        if transport == "tcp":
            return socket.create_connection((host, int(port)), 30)
        if kind == "tcp":
            return socket.create_connection(("127.0.0.1", int(name.rpartition(":")[2])), 30)
        door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        door.settimeout(30)
        door.connect("\0" + (name if transport == "link" else f"{name}-segments"))
        return door

    return knock


NOISE = [
    b"",
    b"GET / HTTP/1.1\r\n\r\n" * 10,
    os.urandom(10_000),
    records.pack(records.CONTROL, 0, size=2**62),
    records.pack(records.DATA, 1, size=2**34),
    records.pack(records.CONTROL, 0, size=60_000) + bytes(60_000),
]


@ways("shm", "shm, portable", "tcp")
def test_strangers_get_nothing_and_harm_nobody(graph: Graph) -> None:
    publisher, subscriber = graph.serve().join(num_buffers=4)
    tell(subscriber, "take", 300)
    tell(publisher, "send", 0, 100)
    transports = ["tcp", "link"] + ([] if graph.portable else ["segments"])
    kept = []
    for program in (publisher, subscriber):
        for transport in transports:
            knock = doors(program, transport)
            for noise in NOISE:
                door = knock()
                kept.append(door)
                with contextlib.suppress(ConnectionError):
                    door.sendall(noise)
                if noise and transport != "segments":
                    assert heard(door) == b""
    answer(publisher, "send")
    ask(publisher, "send", 100, 200)
    assert answer(subscriber, "take") == numbers(0, 300)
    assert psutil.Process(publisher.pid).memory_info().rss < 500e6
    for door in kept:
        door.close()
    graph.end()


def heard(door: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    came = b""
    with contextlib.suppress(ConnectionError):
        while chunk := door.recv(65536):
            came += chunk
    return came
