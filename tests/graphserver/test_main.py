"""The command, as a process of its own."""

import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from tests.ports import unused_port

from ezmsg.graphserver.__main__ import main
from ezmsg.protocol import errors
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import announcement_name
from ezmsg.protocol.messages.service import Shutdown
from ezmsg.protocol.messages.sessions import Connect, Done, EdgeChanged

ANY_PORT = "127.0.0.1:0"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(
    spawn: Any, raw: Any, announced: Any, runtime: Path, number: signal.Signals
) -> None:
    server = spawn("--address", ANY_PORT)
    address = server.wait_ready()
    client = raw(address, announced(address.port).token).open()
    silent = socket.create_connection(address, timeout=30)
    try:
        started = time.monotonic()
        server.signal(number)
        with pytest.raises(errors.ConnectionLost, match="stopped"):
            client.pump_until(lambda: False)
        status, log = server.wait()
        assert status == 0
        assert time.monotonic() - started < 5.0
        assert "has ended" in log
        assert "Traceback" not in log
        assert not (runtime / announcement_name(address.port)).exists()
    finally:
        client.close()
        silent.close()


def test_a_client_may_end_it(spawn: Any, raw: Any, announced: Any) -> None:
    server = spawn("--address", ANY_PORT)
    address = server.wait_ready()
    client = raw(address, announced(address.port).token).open()
    assert client.ask(Shutdown()) == Done()
    client.close()
    status, log = server.wait()
    assert "Traceback" not in log
    assert status == 0


def test_a_taken_port_is_a_sentence(spawn: Any, server: Any) -> None:
    status, log = spawn("--address", str(server.address)).wait()
    assert status == 1
    assert log.startswith(f"EZ-3004  Cannot listen on {server.address}:")
    assert "Traceback" not in log


def test_beyond_loopback_without_a_token_is_a_sentence(spawn: Any) -> None:
    status, log = spawn("--address", "0.0.0.0:0").wait()
    assert status == 1
    assert log.startswith("EZ-3005")
    assert "Traceback" not in log


def test_insecure_lets_everybody_in(spawn: Any, raw: Any) -> None:
    address = spawn("--address", "0.0.0.0:0", "--insecure").wait_ready()
    client = raw(Address("127.0.0.1", address.port), "").open()
    assert client.ask(Connect("A", "B")) == EdgeChanged(topology_changed=True)
    client.close()


def test_a_token_file_is_what_clients_need(spawn: Any, raw: Any, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    address = spawn("--address", ANY_PORT, "--token-file", str(tmp_path / "token")).wait_ready()
    raw(address, "secret").open().close()
    stranger = raw(address, "guess")
    with pytest.raises(errors.AuthenticationFailed):
        stranger.open()
    stranger.close()


def test_a_stale_announcement_is_replaced(spawn: Any, raw: Any, announced: Any, runtime: Path) -> None:
    first = spawn("--address", ANY_PORT)
    address = first.wait_ready()
    first.signal(signal.SIGKILL)
    first.wait()
    stale = announced(address.port)
    assert stale.pid == first.process.pid
    second = spawn("--address", str(address))
    assert second.wait_ready() == address
    fresh = announced(address.port)
    assert fresh.pid == second.process.pid
    assert fresh.token != stale.token
    raw(address, fresh.token).open().close()
    assert [path.name for path in runtime.iterdir() if str(address.port) in path.name] == [
        announcement_name(address.port)
    ]


def test_damaged_announcements_are_replaced_too(spawn: Any, runtime: Path, announced: Any) -> None:
    port = unused_port()
    runtime.mkdir(mode=0o700, exist_ok=True)
    (runtime / announcement_name(port)).write_bytes(b"\xff not json")
    server = spawn("--address", f"127.0.0.1:{port}")
    server.wait_ready()
    assert announced(port).pid == server.process.pid


def test_the_environment_names_the_address_and_the_token(spawn: Any, raw: Any) -> None:
    environ = {"EZMSG_GRAPHSERVER_ADDR": ANY_PORT, "EZMSG_TOKEN": "secret"}
    address = spawn(environ=environ).wait_ready()
    raw(address, "secret").open().close()


def test_the_log_may_go_to_a_file(spawn: Any, tmp_path: Path, runtime: Path) -> None:
    log = tmp_path / "log.txt"
    server = spawn("--address", ANY_PORT, "--log-file", str(log), "--log-level", "debug")
    end = time.monotonic() + 30
    while not (log.exists() and "ready at" in log.read_text()):
        assert time.monotonic() < end
        os.sched_yield()
    server.signal(signal.SIGTERM)
    assert server.wait() == (0, "")
    assert "has ended" in log.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--address", "nonsense"],
        ["--address", "host:99999"],
        ["--log-level", "LOUD"],
        ["--log-file", "/no/such/folder/log"],
        ["--unknown"],
    ],
)
def test_a_wrong_command_line_is_a_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_missing_token_file_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--address", ANY_PORT, "--token-file", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("EZ-3011")


def test_without_file_descriptors_it_goes_on(spawn: Any, raw: Any, announced: Any) -> None:
    resource = pytest.importorskip("resource")
    server = spawn("--address", ANY_PORT)
    address = server.wait_ready()
    token = announced(address.port).token
    friend = raw(address, token).open()
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (24, 24))
    crowd = [socket.create_connection(address, timeout=30) for _ in range(40)]
    try:
        assert friend.ask(Connect("A", "B")) == EdgeChanged(topology_changed=True)
    finally:
        for sock in crowd:
            sock.close()
    client = raw(address, token).open()
    assert client.ask(Connect("B", "C")) == EdgeChanged(topology_changed=True)
    client.close()
    friend.close()
    server.signal(signal.SIGTERM)
    status, log = server.wait()
    assert status == 0
    assert "could not be let in: Too many open files" in log
