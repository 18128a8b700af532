"""The folder that a server makes for its announcement is its user's alone, whatever the umask."""

import os
from pathlib import Path

import pytest

from ezmsg.graphserver.announcement_file import AnnouncementFile
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import Announcement


def test_every_folder_made_is_ours_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "run"
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    before = os.umask(0o002)
    try:
        AnnouncementFile(Announcement(Address("127.0.0.1", 1), "token", 1, 0.0)).write()
    finally:
        os.umask(before)
    for made in (folder, folder.parent):
        assert made.stat().st_mode & 0o777 == 0o700
