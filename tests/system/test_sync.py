"""Programs without asyncio as their users run them: across processes, interrupted, forked, never closed."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ezmsg.core as ez

PROGRAM = Path(__file__).parent / "programs" / "sync_ends.py"
HANG = 30.0

Run = Callable[..., Any]


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Iterator[str]:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", environment["EZMSG_RUNTIME_DIR"])
    for name in ("EZMSG_TOKEN", "EZMSG_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield str(server.address)
    server.stop()


@pytest.fixture
def run(start: Any, address: str) -> Run:
    def run_one(name: str, stdin: int = subprocess.DEVNULL, **more: str) -> Any:
        environment = {"EZMSG_GRAPHSERVER_ADDR": address, **more}
        return start.command(sys.executable, str(PROGRAM), name, stdin=stdin, **environment)

    return run_one


@pytest.fixture
def context(address: str) -> Iterator[ez.SyncContext]:
    with ez.sync.init(address) as context:
        yield context


@pytest.mark.parametrize("options", [{}, {"force_tcp": True}], ids=["shm", "tcp"])
@pytest.mark.parametrize("other", ["echo", "echo_views"])
def test_messages_go_there_and_back(run: Run, context: ez.SyncContext, other: str, options: dict[str, Any]) -> None:
    there, back = context.publisher("THERE", num_buffers=2, **options), context.subscriber("BACK")
    program = run(other)
    program.says("ready")
    for number in range(100):
        there.publish(np.full(1 + 100 * number, number), HANG)
        answer = back.recv(HANG)
        assert answer.flags.writeable
        np.testing.assert_array_equal(answer, np.full(1 + 100 * number, number))
    there.publish(None, HANG)
    assert program.says("ended")
    assert program.ends() == 0
    assert "Traceback" not in program.errors


def test_back_pressure_comes_from_the_other_process(run: Run, context: ez.SyncContext) -> None:
    there = context.publisher("THERE", num_buffers=2)
    program = run("slow", stdin=subprocess.PIPE)
    program.says("ready")
    there.publish(0, HANG)
    there.publish(1, HANG)
    for number in range(2, 10):
        with pytest.raises(TimeoutError, match="held by subscribers"):
            there.publish("too early", 0.001)
        program.process.stdin.write("\n")
        program.process.stdin.flush()
        assert program.says("got", number - 1)[1] == str(number - 2)
        there.publish(number, HANG)
    program.process.stdin.close()
    assert program.ends() == 0


def test_sigint_ends_recv_and_the_next_message_is_not_lost(run: Run) -> None:
    program = run("waits_in_recv")
    program.says("ready")
    program.signal(signal.SIGINT)
    program.says("interrupted")
    assert program.says("got")[1] == "1"
    assert program.ends() == 0


def test_sigint_ends_spin_without_a_traceback(run: Run) -> None:
    program = run("waits_in_spin")
    program.says("ready")
    program.signal(signal.SIGINT)
    program.says("ended")
    assert program.ends() == 0
    assert "Traceback" not in program.errors


@pytest.mark.parametrize("where", ["waits_in_publish", "waits_in_shutdown"])
def test_sigint_ends_other_waits(run: Run, where: str) -> None:
    program = run(where)
    program.says("ready")
    program.signal(signal.SIGINT)
    assert program.ends() == 128 + signal.SIGINT
    assert program.errors.rstrip().endswith("KeyboardInterrupt"), program.story()


@pytest.mark.parametrize("name", ["never_leaves", "dies_waiting"])
def test_a_context_that_nobody_leaves_ends_with_its_program(run: Run, context: ez.SyncContext, name: str) -> None:
    back = context.subscriber("BACK")
    program = run(name)
    assert program.ends() == 0, program.story()
    if name == "never_leaves":
        assert back.recv(HANG) == "the last words"


def test_leaving_by_an_exception_keeps_the_exit_status(run: Run) -> None:
    program = run("raises")
    assert program.ends() == 3
    assert program.errors == ""


def test_a_forked_process_is_told_and_harms_nobody(run: Run) -> None:
    program = run("forks")
    assert program.ends() == 0, program.story()
    refused = [line for line in program.out if line.startswith("refused")]
    assert len(refused) == 3
    assert all("from which this one was forked" in line for line in refused)
    said = [line.strip() for line in program.out if not line.startswith("refused")]
    assert said == ["child 5", "got before", "got from the child", "got after"]
    assert program.errors == ""


def test_the_page_shows_the_example_as_it_is() -> None:
    docs = Path(__file__).parents[2] / "docs"
    example = (docs / "examples" / "without_asyncio.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```\n" in (docs / "how-to" / "without-asyncio.md").read_text(encoding="utf-8")
