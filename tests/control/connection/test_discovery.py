"""Where the server is and which token opens it: the order of the places, and what is not believed."""

import os
from pathlib import Path
from typing import Any

import pytest

from ezmsg.control import ControlConnection, find_address, find_running, find_token
from ezmsg.control.connection.discovery import running_servers
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


# --- what runs here, for who only looks -------------------------------------------------------------------


def announce(folder: Path, port: int, pid: int) -> Address:
    address = Address("127.0.0.1", port)
    path = folder / announcement_name(port)
    path.write_text(Announcement(address, "", pid, 0.0).to_json(), encoding="utf-8")
    path.chmod(0o600)
    return address


def test_the_only_server_that_runs_is_meant(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = find_address()
    assert find_running() == default
    (folder / "server-nonsense.json").touch()
    announce(folder, 1, 2**22 + 1)  # larger than any process's number: it was killed
    assert running_servers() == []
    only = announce(folder, 10_000, os.getpid())
    assert find_running() == only
    announce(folder, 10_001, os.getpid())
    with pytest.raises(SeveralServers, match=r"127\.0\.0\.1:10000, 127\.0\.0\.1:10001"):
        find_running()
    assert find_running("127.0.0.1:7") == Address("127.0.0.1", 7)
    announce(folder, default.port, os.getpid())
    assert find_running() == default
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", "example.org:7")
    assert find_running() == Address("example.org", 7)
