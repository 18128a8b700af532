"""The commands of ezmsg 3, as a terminal and as a program use them: real servers, real signals."""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import types
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control.errors import ServerNotStarted
from ezmsg.core.commands import dashboards
from ezmsg.core.commands.command_line import COMMANDS, build_parser, cmdline, main, run_command
from ezmsg.core.commands.dashboards import dashboard_address
from ezmsg.core.errors import PackageMissing, UnknownCommand
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import AddressInUse, AuthenticationFailed, ServerUnreachable

HANG = 30.0


@pytest.fixture
def server() -> Iterator[ez.GraphServer]:
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@pytest.fixture
def free() -> Address:
    """An address where nobody listens."""
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    server.stop()
    return server.address


async def answers(address: Address) -> bool:
    try:
        await ez.GraphService(address).dag()
    except (ServerUnreachable, AuthenticationFailed):  # it listens a moment before it says its token
        return False
    return True


async def answering(address: Address) -> None:
    async with asyncio.timeout(HANG):
        while not await answers(address):  # noqa: ASYNC110  it is another process that comes up
            await asyncio.sleep(0.01)


def ezmsg(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-m", "ezmsg.core", *arguments]
    return subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=HANG, check=False
    )


def test_a_server_is_started_asked_and_ended(free: Address, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"
    started = ezmsg("start", "--address", str(free), "--log-file", str(log))
    try:
        assert (started.returncode, started.stdout) == (0, "")
        assert f"Started a graph server at {free} in process" in started.stderr
        again = ezmsg("start", "--address", str(free))
        assert again.returncode == 4
        assert again.stderr.startswith(f"EZ-3004  Cannot listen on {free}: a graph server answers there already.")
        assert ezmsg("graphviz", EZMSG_GRAPHSERVER_ADDR=str(free)).stdout.startswith("digraph ezmsg {\n")
    finally:
        ended = ezmsg("shutdown", "--address", str(free))
    assert (ended.returncode, ended.stdout) == (0, "")
    assert f"The graph server at {free} has ended." in ended.stderr
    assert not asyncio.run(answers(free))
    assert f"Started GraphServer at {free}" in log.read_text(encoding="utf-8")


def test_a_server_that_is_not_there_needs_no_shutdown(free: Address) -> None:
    done = ezmsg("shutdown", "--address", str(free))
    assert done.returncode == 0
    assert f"There is no graph server at {free} to shut down." in done.stderr


def test_a_drawing_of_no_graph_is_a_sentence(free: Address) -> None:
    done = ezmsg("mermaid", "-n", "--address", str(free))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"EZ-3001  No graph server answers at {free}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_server_in_good_order(free: Address, number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "ezmsg.core", "serve", "--address", str(free)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            asyncio.run(answering(free))
            process.send_signal(number)
            _, told = process.communicate(timeout=HANG)
        finally:
            process.kill()
    assert process.returncode == 0
    assert f"The graph server at {free} has ended" in told
    assert "Traceback" not in told


async def test_a_program_serves_until_it_cancels(free: Address, tmp_path: Path, monkeypatch) -> None:
    log = tmp_path / "server.log"
    monkeypatch.setenv("EZMSG_LOG_FILE", str(log))
    serving = asyncio.create_task(ez.run_command("serve", free))
    await answering(free)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert not await answers(free)
    told = log.read_text(encoding="utf-8")
    assert f"Started GraphServer at {free}" in told
    assert f"The graph server at {free} has ended" in told


async def test_a_program_serves_until_a_client_asks_for_the_end(free: Address) -> None:
    serving = asyncio.create_task(run_command("serve", free))
    await answering(free)
    await run_command("shutdown", free)
    async with asyncio.timeout(HANG):
        await serving


async def test_a_place_that_is_taken_is_refused(server: ez.GraphServer) -> None:
    with pytest.raises(AddressInUse):
        await run_command("serve", server.address)
    with pytest.raises(AddressInUse):
        await run_command("start", server.address)


async def test_a_log_file_that_cannot_be_written_is_refused(free: Address, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"log_file='.*' is not possible"):
        await run_command("serve", free, log_file=str(tmp_path / "file" / "server.log"))
    assert not await answers(free)


async def test_a_server_that_cannot_start_is_told(free: Address, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerNotStarted, match="it ended with status 4: EZ-5003  log_file="):
        await run_command("start", free, log_file=str(tmp_path / "file" / "server.log"))


async def test_a_drawing_that_the_output_cannot_hold_is_escaped(server: ez.GraphServer) -> None:
    await ez.GraphService(server.address).connect("A/\u2192", "B")
    done = await asyncio.to_thread(ezmsg, "graphviz", "--address", str(server.address), PYTHONIOENCODING="ascii")
    assert (done.returncode, r"\u2192" in done.stdout) == (0, True)


async def test_drawings(server: ez.GraphServer, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    service = ez.GraphService(server.address)
    await service.connect("A/OUT", "B/IN")
    await run_command("graphviz", server.address)
    assert capsys.readouterr().out == await service.get_formatted_graph("graphviz")
    await run_command("mermaid", server.address, compact=1, nobrowser=True)
    drawing = await service.get_formatted_graph("mermaid", compact_level=1)
    assert capsys.readouterr().out == drawing
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: shown.append(url) or len(shown) < 3)
    await run_command("mermaid", server.address, compact=1)
    await run_command("mermaid", server.address, "play", 1)
    assert capsys.readouterr().out == ""
    await run_command("mermaid", server.address, "ink", 1)
    assert capsys.readouterr().out == drawing, "there is no browser"
    pages = [url.rpartition("pako:")[::2] for url in shown]
    assert [page.partition("//")[2].partition("/")[0] for page, _ in pages] == [
        "mermaid.live",
        "www.mermaidchart.com",
        "mermaid.ink",
    ]
    assert {json.loads(zlib.decompress(urlsafe_b64decode(state)))["code"] for _, state in pages} == {drawing}


@pytest.mark.parametrize(("cmd", "target"), [("nonsense", "live"), ("dashboard", "live"), ("mermaid", "paper")])
async def test_unknown_words_are_named_with_those_there_are(cmd: str, target: str, free: Address) -> None:
    with pytest.raises(UnknownCommand, match=r"EZ-6302  There is no '(nonsense|dashboard|paper)' here\.") as caught:
        await run_command(cmd, free, target)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("serve", {"address": None, "log_file": None, "dashboard": None}),
        ("serve --dashboard", {"dashboard": True}),
        ("start --address 127.0.0.1:3 --dashboard 5", {"address": "127.0.0.1:3", "dashboard": 5}),
        ("graphviz", {"compact": None}),
        ("mermaid -ccn --target ink", {"compact": 2, "nobrowser": True, "target": "ink"}),
        ("mermaid", {"compact": None, "nobrowser": False, "target": "live"}),
        ("dashboard --port 5 --open-browser", {"command": "dashboard"}),
    ],
)
def test_what_the_parser_makes_of_a_line(line: str, expected: dict[str, Any]) -> None:
    options = vars(build_parser().parse_args(line.split()))
    assert callable(options.pop("_handler"))
    assert expected.items() <= options.items()


def test_the_parser_knows_all_commands(capsys: pytest.CaptureFixture[str]) -> None:
    (action,) = [each for each in build_parser()._actions if isinstance(each, argparse._SubParsersAction)]
    assert sorted(action.choices) == list(COMMANDS)


def test_a_command_line_as_a_function(server: ez.GraphServer, capsys: pytest.CaptureFixture[str]) -> None:
    cmdline(["graphviz", "--address", str(server.address)])
    assert capsys.readouterr().out.startswith("digraph ezmsg {\n")
    cmdline(["graph", "--address", str(server.address)])
    assert f"0 edges at {server.address}" in capsys.readouterr().err, "a verb of today's command"
    for arguments in ([], ["mermaid", "--nonsense"], ["no-such-verb"]):
        with pytest.raises(SystemExit) as caught:
            cmdline(arguments)
        assert caught.value.code == 2
    assert "usage: ezmsg.core" in capsys.readouterr().err


def test_today_s_verbs_without_their_extra_are_a_sentence(monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    with pytest.raises(SystemExit) as caught:
        cmdline(["graph"])
    assert caught.value.code == 2
    assert "pip install 'ezmsg-control[cli]'" in capsys.readouterr().err


# --- the dashboard, a package of its own --------------------------------------------------------------------


@pytest.mark.parametrize("line", ["dashboard --port 5", "serve --dashboard", "start --dashboard 5"])
def test_a_dashboard_that_is_not_installed_is_named(line: str, free: Address, capsys) -> None:
    arguments = [*line.split(), *([] if "dashboard --" in line else ["--address", str(free)])]
    assert main(arguments) == 4
    assert capsys.readouterr().err == (
        "EZ-6301  The dashboard needs ezmsg-dashboard, which is not installed. "
        "Run: pip install 'ezmsg[dashboard]>=4'\n"
    )
    assert not asyncio.run(answers(free))


def test_what_the_dashboard_itself_lacks_is_not_hidden(monkeypatch) -> None:
    def lacking(_: str) -> None:
        raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    monkeypatch.setattr(dashboards.importlib, "import_module", lacking)
    with pytest.raises(ModuleNotFoundError, match="uvicorn"):
        dashboards.find_dashboard()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A dashboard that notes what is asked of it."""
    asked: list[Any] = []

    def start(**where: Any) -> Any:
        asked.append(where)
        return types.SimpleNamespace(url="http://here", stop=lambda: asked.append("stop"))

    def set_up(commands: Any) -> None:
        commands.add_parser("dashboard").set_defaults(_handler=lambda _: asked.append("command"))

    module = types.SimpleNamespace(start_dashboard_server=start, setup_dashboard_cmdline=set_up)
    monkeypatch.setattr(dashboards, "find_dashboard", lambda: module)
    return asked


async def test_a_dashboard_is_served_with_the_graph(free: Address, installed: list[Any]) -> None:
    serving = asyncio.create_task(run_command("serve", free, dashboard=4711))
    await answering(free)
    await run_command("shutdown", free)
    await serving
    assert installed == [{"graph_address": free, "host": "127.0.0.1", "port": 4711}, "stop"]


def test_the_dashboard_brings_its_own_command(installed: list[Any]) -> None:
    assert main(["dashboard"]) == 0
    assert installed == ["command"]


def test_where_the_dashboard_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = Address("10.0.0.1", 5)
    monkeypatch.delenv("EZMSG_DASHBOARD_ADDR", raising=False)
    assert dashboard_address(graph, None) == ("10.0.0.1", 6)
    assert dashboard_address(graph, 7) == ("10.0.0.1", 7)
    assert dashboard_address(Address.from_string("zenoh:lab"), None) == ("127.0.0.1", 25979)
    monkeypatch.setenv("EZMSG_DASHBOARD_ADDR", "10.0.0.2:8")
    assert dashboard_address(graph, None) == ("10.0.0.2", 8)
    assert dashboard_address(graph, 7) == ("10.0.0.2", 7)


def test_a_missing_package_is_an_import_error() -> None:
    with pytest.raises(ImportError):
        raise PackageMissing(feature="This", package="that")
