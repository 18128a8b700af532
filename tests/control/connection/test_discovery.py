"""Where the server is and which token opens it: the order of the places, and what is not believed."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ports import unused_port

from ezmsg.control import ControlConnection, find_address, find_running, find_token
from ezmsg.control.connection import discovery
from ezmsg.control.errors import SeveralServers
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement, announcement_name
from ezmsg.protocol.errors import AuthenticationFailed, InvalidAddress, UnreadableToken

HERE = Address("127.0.0.1", 4321)


@pytest.fixture
def folder() -> Path:
    return Path(os.environ["EZMSG_RUNTIME_DIR"])


@pytest.fixture
def announced(folder: Path) -> Path:
    path = folder / announcement_name(HERE.port)
    path.write_text(Announcement(HERE, "from the file", 1, 0.0).to_json(), encoding="utf-8")
    path.chmod(0o600)
    return path


def test_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_address() == Address("127.0.0.1", 25978)
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "")
    assert find_address() == Address("127.0.0.1", 25978)
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "example.org:7")
    assert find_address() == Address("example.org", 7)
    assert find_address(("localhost", 8)) == Address("localhost", 8)
    assert find_address("[::1]:9") == Address("::1", 9)
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "nonsense")
    with pytest.raises(InvalidAddress, match="nonsense"):
        find_address()


@pytest.fixture(autouse=True)
def _no_insecure_server_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EZMSG_INSECURE")


def test_a_server_that_lets_everybody_in_is_accepted_if_it_is_ours_or_somebody_said_so(
    announced: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announced.write_text(Announcement(HERE, "", 1, 0.0).to_json(), encoding="utf-8")
    assert find_token(HERE) == b""
    announced.unlink()
    assert find_token(HERE) is None
    monkeypatch.setenv("EZMSG_INSECURE", "1")
    assert find_token(HERE) == b""
    monkeypatch.setenv("EZMSG_INSECURE", "0")
    assert find_token(HERE) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
@pytest.mark.usefixtures("announced")
def test_the_announcement_is_for_this_machine_only(host: str) -> None:
    assert find_token(Address(host, HERE.port)) == b"from the file"
    assert find_token(Address("192.0.2.1", HERE.port)) is None
    assert find_token(Address(host, HERE.port + 1)) is None


@pytest.mark.usefixtures("announced")
def test_the_variables_come_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(" schlüssel\n", encoding="utf-8")
    monkeypatch.setenv("EZMSG_TOKEN_FILE", str(file))
    assert find_token(HERE) == "schlüssel".encode()
    monkeypatch.setenv("EZMSG_TOKEN", "\tvariable ")
    assert find_token(HERE) == b"variable"
    monkeypatch.setenv("EZMSG_TOKEN", " ")
    assert find_token(HERE) == "schlüssel".encode()


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe"])
def test_a_token_file_that_holds_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("EZMSG_TOKEN_FILE", str(file))
    with pytest.raises(UnreadableToken, match=str(file)):
        find_token(HERE)


def test_a_token_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_TOKEN", "\udcff")
    with pytest.raises(UnreadableToken):
        find_token(HERE)


def test_nothing_is_announced(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert find_token(HERE) is None
    folder.rmdir()
    assert find_token(HERE) is None
    assert not caplog.records


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_file_open_to_others_is_ignored(announced: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    announced.chmod(mode)
    assert find_token(HERE) is None
    assert "0600" in caplog.text


def test_a_file_of_somebody_else_is_ignored(
    announced: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stranger = os.getuid() + 1
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[4] = stranger
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", fstat)
    assert find_token(HERE) is None
    assert f"user {stranger}" in caplog.text


def test_a_link_is_not_followed(announced: Path, caplog: pytest.LogCaptureFixture) -> None:
    announced.rename(announced.with_name("elsewhere"))
    announced.symlink_to("elsewhere")
    assert find_token(HERE) is None
    assert "ignored" in caplog.text


def test_what_is_no_plain_file_is_ignored(announced: Path, caplog: pytest.LogCaptureFixture) -> None:
    announced.unlink()
    os.mkfifo(announced, 0o600)
    assert find_token(HERE) is None
    assert "plain file" in caplog.text


@pytest.mark.usefixtures("announced")
def test_a_folder_that_others_can_write_to_is_ignored(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.chmod(0o777)
    assert find_token(HERE) is None
    assert "other users can write to it" in caplog.text


@pytest.mark.parametrize("content", ["", "{}", "[1", '{"address": 5}'])
def test_a_file_that_is_no_announcement_is_ignored(
    announced: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    announced.write_text(content, encoding="utf-8")
    assert find_token(HERE) is None
    assert "ignored" in caplog.text


async def test_the_token_of_a_running_server_is_found(server: Any) -> None:
    assert len(find_token(server.address) or b"") == 64
    connection = await ControlConnection.open(server.address)
    await connection.close()


async def test_a_server_of_somebody_else(server: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "another"))
    with pytest.raises(AuthenticationFailed, match="this client has none"):
        await ControlConnection.open(server.address)
    monkeypatch.setenv("EZMSG_TOKEN", "guessed")
    with pytest.raises(AuthenticationFailed, match="another token"):
        await ControlConnection.open(server.address)


# --- where nobody names a graph ---------------------------------------------------------------------------


@pytest.fixture
def listening() -> Iterator[Callable[[], int]]:
    """Return a function that opens a port of this machine, on which somebody listens until the test ends."""
    sockets: list[socket.socket] = []

    def listen() -> int:
        sockets.append(socket.create_server(("127.0.0.1", 0)))
        return int(sockets[-1].getsockname()[1])

    yield listen
    for each in sockets:
        each.close()


def announce(folder: Path, port: int, pid: int = os.getpid(), **more: Any) -> Address:
    address = Address("127.0.0.1", port)
    path = folder / announcement_name(port)
    path.write_text(Announcement(address, "", pid, time.time() - 3.0, **more).to_json(), encoding="utf-8")
    path.chmod(0o600)
    return address


@pytest.fixture
def no_default(monkeypatch: pytest.MonkeyPatch, listening: Callable[[], int]) -> Address:
    """A default address of this test's own, at which nobody listens."""
    address = Address("127.0.0.1", unused_port())
    monkeypatch.setattr(discovery, "DEFAULT_ADDRESS", address)
    return address


def test_the_only_graph_that_runs_is_meant_and_told_once(
    folder: Path, no_default: Address, listening: Callable[[], int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert find_address() == no_default, "there is none"
    (folder / "server-nonsense.json").touch()
    announce(folder, listening(), 2**22 + 1)  # larger than any process's number: it was killed
    announce(folder, 1)  # nobody listens there: its number is another process's by now
    assert find_address() == no_default
    only = announce(folder, listening(), program="first.py")
    assert find_address() == find_running() == only
    assert caplog.text.count(f"that of first.py (pid {os.getpid()}) at {only} is used") == 1


def test_one_of_several_has_to_be_named(
    folder: Path, no_default: Address, listening: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = announce(folder, listening(), program="first.py", units=("A", "B"), unit_count=7)
    two = announce(folder, listening())
    with pytest.raises(SeveralServers) as raised:
        find_address()
    sentence = raised.value.sentence()
    assert f"{one} is first.py (pid {os.getpid()}, 3 s old, units A, B and 5 more)" in sentence
    assert f"{two} is a program (pid {os.getpid()}, 3 s old, no units)" in sentence
    assert find_address("127.0.0.1:7") == Address("127.0.0.1", 7)
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "example.org:7")
    assert find_address() == Address("example.org", 7)


def test_a_server_at_the_default_address_comes_first(
    folder: Path, listening: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(folder, listening())
    announce(folder, listening())
    default = Address("127.0.0.1", listening())
    monkeypatch.setattr(discovery, "DEFAULT_ADDRESS", default)
    with pytest.raises(SeveralServers):
        find_address()  # whoever listens there, we hold no token for it
    monkeypatch.setenv("EZMSG_TOKEN", "known")
    assert find_address() == default
    monkeypatch.delenv("EZMSG_TOKEN")
    announce(folder, default.port)
    assert find_address() == default


def test_an_announcement_of_an_older_server_is_read() -> None:
    old = Announcement.from_json('{"address": "127.0.0.1:5", "token": "", "pid": 1, "start_time": 2}')
    assert (old.program, old.units, old.unit_count) == ("", (), 0)
    odd = Announcement.from_json(
        '{"address": "127.0.0.1:5", "token": "", "pid": 1, "start_time": 2, "program": 3, "units": "AB"}'
    )
    assert odd == old
