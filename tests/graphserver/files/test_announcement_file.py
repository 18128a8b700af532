"""The folder that a server makes for its announcement is its user's alone, whatever the umask."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ezmsg.graphserver.files.announcement import AnnouncementFile
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement


def test_every_folder_made_is_ours_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    before = os.umask(0o002)
    try:
        file = AnnouncementFile(Announcement(Address("127.0.0.1", 1), "token", 1, 0.0))
        file.write()
    finally:
        os.umask(before)
    for made in (folder, folder.parent):
        assert made.stat().st_mode & 0o777 == 0o700
    file.remove()


def file_of(port: int = 1, **more: Any) -> AnnouncementFile:
    return AnnouncementFile(Announcement(Address("127.0.0.1", port), "token", os.getpid(), 1.0, "first.py", **more))


def test_it_is_kept_true_and_there(runtime: Path) -> None:
    file = file_of()
    file.write()
    path = runtime / "server-1.json"
    before = path.stat().st_mtime_ns
    file.keep([])
    assert path.stat().st_mtime_ns == before, "nothing has changed"
    file.keep(["C", "A", *(f"U{number}" for number in range(8)), "B"])
    told = Announcement.from_json(path.read_bytes())
    assert (told.units, told.unit_count) == (("A", "B", "C", "U0", "U1"), 11)
    shutil.rmtree(runtime)
    file.keep([])
    assert Announcement.from_json(path.read_bytes()).unit_count == 0
    file.remove()
    assert not path.exists()


def test_that_of_another_server_is_left(runtime: Path) -> None:
    ours, theirs = file_of(), AnnouncementFile(Announcement(Address("127.0.0.1", 1), "other", 1, 5.0))
    ours.write()
    theirs.write()
    ours.keep(["A"])
    assert Announcement.from_json((runtime / "server-1.json").read_bytes()) == theirs.announcement
    ours.remove()
    theirs.remove()


def test_a_server_is_announced_again_when_its_folder_comes_back(server: Any, announced: Any, runtime: Path) -> None:
    before = announced(server.address.port)
    shutil.rmtree(runtime)
    deadline_s = time.monotonic() + 30.0
    while not list(runtime.glob("server-*.json")):
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert announced(server.address.port) == before


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["-c", "{code}"], "python -c"),
        (["{file}"], "first.py"),
        (["-m", "first"], "python -m first"),
        (["-m", "whole"], "python -m whole"),
    ],
)
def test_a_program_is_named_as_people_name_it(tmp_path: Path, command: list[str], name: str) -> None:
    code = "from ezmsg.graphserver.files.announcement import program_name; print(program_name())"
    (tmp_path / "first.py").write_text(code, encoding="utf-8")
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "__main__.py").write_text(code, encoding="utf-8")
    words = [each.format(code=code, file=tmp_path / "first.py") for each in command]
    ran = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == name


def test_whoever_only_looks_whether_somebody_listens_is_no_news(
    server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "ezmsg.graphserver.server")
    socket.create_connection(server.address, 30.0).close()
    deadline_s = time.monotonic() + 30.0
    while "said nothing" not in caplog.text:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
