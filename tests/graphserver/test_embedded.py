"""The embedded server: a thread that comes and goes without a trace."""

import inspect
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from ezmsg.graphserver import GraphServer
from ezmsg.protocol import errors
from ezmsg.protocol.addresses import DEFAULT_PORT, Address
from ezmsg.protocol.announcement import Announcement, announcement_name
from ezmsg.protocol.messages.sessions import Connect, EdgeChanged

DEADLINE_S = 30.0


def test_it_starts_and_stops_again_and_again(runtime: Path) -> None:
    for _ in range(20):
        server = GraphServer()
        server.start(("127.0.0.1", 0))
        socket.create_connection(server.address, timeout=DEADLINE_S).close()
        assert (runtime / announcement_name(server.address.port)).exists()
        server.stop()
        assert not server.is_alive()
        assert list(runtime.iterdir()) == []


def test_its_port_is_free_at_once_when_it_has_stopped(connect: Any, server: GraphServer) -> None:
    connect().open()
    server.stop()
    again = GraphServer()
    again.start(server.address)
    assert again.address == server.address
    again.stop()


def test_stop_is_idempotent_and_needs_no_start(server: GraphServer) -> None:
    GraphServer().stop()
    server.stop()
    server.stop()
    assert not server.is_alive()


def test_many_may_stop_it_at_the_same_time(server: GraphServer) -> None:
    threads = [threading.Thread(target=server.stop) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert not server.is_alive()


def test_without_an_address_it_takes_the_first_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_SERVER_PORT_START", "20100")
    one, two = GraphServer(), GraphServer()
    one.start()
    two.start()
    try:
        assert one.address.host == "127.0.0.1"
        assert 20100 <= one.address.port < two.address.port
    finally:
        one.stop()
        two.stop()


def test_without_an_address_it_never_takes_the_default_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_SERVER_PORT_START", str(DEFAULT_PORT))
    server = GraphServer()
    server.start()
    server.stop()
    assert server.address.port > DEFAULT_PORT


def test_a_taken_port_is_a_sentence_in_the_caller(server: GraphServer) -> None:
    other = GraphServer()
    with pytest.raises(errors.AddressInUse, match=str(server.address)) as caught:
        other.start(server.address)
    assert isinstance(caught.value, OSError)
    assert not other.is_alive()
    with pytest.raises(errors.ServerUnreachable):
        _ = other.address


@pytest.mark.parametrize("address", [("nowhere.invalid", 0), ("192.0.2.1", 0)])
def test_an_address_that_is_not_ours_is_a_sentence_too(address: tuple[str, int]) -> None:
    with pytest.raises(errors.AddressInUse):
        GraphServer(token="secret").start(address)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(errors.InvalidAddress):
        GraphServer().start(("127.0.0.1", 99999))


def test_beyond_loopback_it_needs_a_token(runtime: Path) -> None:
    with pytest.raises(errors.InsecureBind):
        GraphServer().start(("0.0.0.0", 0))
    assert not runtime.exists() or list(runtime.iterdir()) == []


@pytest.mark.parametrize(("options", "token"), [({"insecure": True}, ""), ({"token": "secret"}, "secret")])
def test_beyond_loopback_with_a_token_or_leave_to_do_without(
    options: dict[str, Any], token: str, announced: Any, raw: Any
) -> None:
    server = GraphServer(**options)
    server.start(("0.0.0.0", 0))
    try:
        announcement = announced(server.address.port)
        assert announcement.token == token
        assert announcement.address == Address("127.0.0.1", server.address.port)
        client = raw(announcement.address, token).open()
        assert client.ask(Connect("A", "B")) == EdgeChanged(topology_changed=True)
        client.close()
    finally:
        server.stop()


def test_the_environment_may_give_the_token(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, announced: Any
) -> None:
    monkeypatch.setenv("EZMSG_TOKEN_FILE", str(tmp_path / "token"))
    server = GraphServer()
    with pytest.raises(errors.UnreadableToken, match="token"):
        server.start(("127.0.0.1", 0))
    (tmp_path / "token").write_text(" from file\n")
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    assert announced(server.address.port).token == "from file"
    server.stop()
    monkeypatch.setenv("EZMSG_TOKEN", "from variable")
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    assert announced(server.address.port).token == "from variable"
    server.stop()


def test_the_announcement_is_for_its_user_alone(server: GraphServer, runtime: Path, announced: Any) -> None:
    path = runtime / announcement_name(server.address.port)
    assert path.stat().st_mode & 0o777 == 0o600
    assert runtime.stat().st_mode & 0o777 == 0o700
    announcement = announced(server.address.port)
    assert (announcement.address, announcement.pid) == (server.address, os.getpid())
    assert len(announcement.token) == 64


def test_an_announcement_of_somebody_else_is_left_alone(server: GraphServer, runtime: Path) -> None:
    path = runtime / announcement_name(server.address.port)
    other = Announcement(server.address, "other", 1, 1.0).to_json()
    path.write_text(other)
    server.stop()
    assert path.read_text() == other
    path.unlink()


def test_an_unsafe_folder_stops_a_server_whose_token_nobody_could_learn(runtime: Path) -> None:
    runtime.mkdir()
    runtime.chmod(0o777)
    with pytest.raises(errors.UnsafeFolder, match="other users"):
        GraphServer().start(("127.0.0.1", 0))
    with_token = GraphServer(token="secret")
    with_token.start(("127.0.0.1", 0))
    with_token.stop()
    assert list(runtime.iterdir()) == []


def test_a_linked_folder_is_not_trusted(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.UnsafeFolder, match="symbolic link"):
        GraphServer().start(("127.0.0.1", 0))


def test_it_is_a_daemon_thread_with_the_public_signature() -> None:
    server = GraphServer(name="mine")
    assert isinstance(server, threading.Thread)
    assert (server.daemon, server.name) == (True, "mine")
    assert list(inspect.signature(GraphServer.start).parameters) == ["self", "address"]


def test_it_does_not_keep_the_interpreter_alive() -> None:
    program = (
        "from ezmsg.graphserver import GraphServer\n"
        "server = GraphServer()\n"
        "server.start(('127.0.0.1', 0))\n"
        "print(server.address)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0
    assert done.stdout.startswith("127.0.0.1:")
    assert done.stderr == ""


def test_it_needs_neither_numpy_nor_the_rest_of_ezmsg() -> None:
    program = (
        "import sys, ezmsg.graphserver.__main__\n"
        "names = ['numpy', 'ezmsg.core', 'ezmsg.control', 'pickle']\n"
        "print([name for name in names if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.stdout.strip() in ("[]", "['pickle']"), done.stderr  # the standard library may import it
