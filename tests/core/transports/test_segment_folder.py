"""The folder of named segments is this user's alone, whatever the umask, and nothing else in it is believed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ezmsg.core.errors import SegmentRefused
from ezmsg.core.transports.segments import SegmentForm, map_name, segment_folder
from ezmsg.protocol.errors import UnsafeFolder

FORM = SegmentForm(slots=1, slot_bytes=4096)


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    folder = tmp_path / "new" / "run"
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture
def _open_umask() -> Iterator[None]:
    before = os.umask(0o002)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_umask")
def test_every_folder_made_is_ours_alone(runtime: Path) -> None:
    folder = segment_folder()
    assert folder == segment_folder()
    for made in (folder, runtime, runtime.parent):
        assert made.stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_a_folder_is_refused(runtime: Path, tmp_path: Path) -> None:
    runtime.mkdir(parents=True, mode=0o700)
    (runtime / "segments").symlink_to(tmp_path)
    with pytest.raises(UnsafeFolder):
        segment_folder()
    with pytest.raises(SegmentRefused):
        map_name("any", FORM)


def test_a_folder_that_others_can_write_to_is_refused(runtime: Path) -> None:
    runtime.mkdir(parents=True)
    runtime.chmod(0o770)
    with pytest.raises(UnsafeFolder):
        segment_folder()


def test_a_link_in_place_of_a_segment_is_refused(tmp_path: Path) -> None:
    (tmp_path / "memory").write_bytes(bytes(FORM.size))
    (segment_folder() / "1-x.segment").symlink_to(tmp_path / "memory")
    with pytest.raises(SegmentRefused):
        map_name("1-x.segment", FORM)


def test_a_segment_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    (segment_folder() / "1-x.segment").write_bytes(bytes(FORM.file_bytes))
    assert len(map_name("1-x.segment", FORM)) == FORM.size
    real = os.fstat

    def fstat(descriptor: int) -> os.stat_result:
        fields = list(real(descriptor))
        fields[4] = os.getuid() + 1
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(SegmentRefused, match="another user"):
        map_name("1-x.segment", FORM)
