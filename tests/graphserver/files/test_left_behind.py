"""What killed servers leave is removed by the next one that starts; what is a living one's never is."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ezmsg.graphserver.files.announcement import AnnouncementFile
from ezmsg.graphserver.files.left_behind import sweep
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement, announcement_name


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def folder(runtime: Path) -> Path:
    runtime.mkdir(mode=0o700, exist_ok=True)
    return runtime


def left(folder: Path, port: int, pid: int) -> Path:
    path = folder / announcement_name(port)
    path.write_text(Announcement(Address("127.0.0.1", port), "token", pid, 0.0).to_json())
    return path


def test_the_next_server_sweeps_after_killed_ones(spawn: Any, runtime: Path) -> None:
    killed, living = spawn("--address", "127.0.0.1:0"), spawn("--address", "127.0.0.1:0")
    gone, there = killed.wait_ready(), living.wait_ready()
    killed.signal(signal.SIGKILL)
    killed.wait()
    half = runtime / f".server-1.json.{killed.process.pid}"
    half.write_text("token")
    assert (runtime / announcement_name(gone.port)).exists()
    last = spawn("--address", "127.0.0.1:0").wait_ready()
    assert {path.name for path in runtime.iterdir()} == {announcement_name(each.port) for each in (there, last)}


def test_a_held_file_stays_though_no_such_process_is_seen(folder: Path) -> None:
    # As it is for a server in another container that shares the folder.
    file = AnnouncementFile(Announcement(Address("127.0.0.1", 1), "token", dead_pid(), 0.0))
    file.write()
    assert sweep(folder) == []
    assert file._held is not None
    file._held.release()
    assert sweep(folder) == [folder / announcement_name(1)]


def test_a_server_of_an_earlier_release_stays(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        path = left(folder, port, os.getpid())
        assert sweep(folder) == []
    assert sweep(folder) == [path], "its number is another process's by now"


def test_what_is_no_announcement_stays(folder: Path) -> None:
    (folder / "server-1.json").write_text("{}")
    (folder / ".server-1.json.x").write_text("token")
    (folder / "notes").write_text("mine")
    (folder / "server-2.json").symlink_to(folder / "notes")
    assert sweep(folder) == []
    assert len(list(folder.iterdir())) == 4


def test_a_child_does_not_hold_it_for_its_dead_parent(folder: Path) -> None:
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")
    code = (
        "import os, sys\n"
        "from ezmsg.graphserver.files.announcement import AnnouncementFile\n"
        "from ezmsg.protocol.addresses import Address\n"
        "from ezmsg.protocol.announcement import Announcement\n"
        "file = AnnouncementFile(Announcement(Address('127.0.0.1', 1), 'token', os.getpid(), 0.0))\n"
        "file.write()\n"
        "if os.fork() == 0:\n"
        "    print('child', flush=True)\n"
        "    sys.stdin.read()\n"
        "    os._exit(0)\n"
        "import signal\n"
        "signal.pause()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdin is not None
    assert parent.stdout is not None
    assert parent.stdout.readline() == "child\n"
    assert sweep(folder) == []
    parent.kill()
    parent.wait()
    assert sweep(folder) == [folder / announcement_name(1)]
    parent.stdin.close()
    parent.stdout.close()


def test_it_is_held_also_after_it_was_written_anew(folder: Path) -> None:
    file = AnnouncementFile(Announcement(Address("127.0.0.1", 1), "token", dead_pid(), 0.0))
    file.write()
    file.keep(["A"])
    shutil.rmtree(folder)
    file.keep([])
    assert sweep(folder) == []
    file.remove()
    assert list(folder.iterdir()) == []
