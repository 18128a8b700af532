"""Shared memory is what its publisher said, cannot shrink under a reader, and leaves nothing behind."""

import gc
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ezmsg.core.errors import SegmentRefused
from ezmsg.core.messages.codec import Codec
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports import segments
from ezmsg.core.transports.segments import Segment, SegmentForm, map_name, segment_folder, sweep
from ezmsg.core.transports.shared_memory import Slots

FORM = SegmentForm(slots=4, slot_bytes=4096)
nameless = pytest.mark.skipif(not PASSES_DESCRIPTORS, reason="memory without a name is Linux's")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    return segment_folder()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Iterator[Segment]:
    monkeypatch.setattr(segments, "PASSES_DESCRIPTORS", False)
    segment = Segment(0, FORM)
    yield segment
    segment.close()


def ours() -> list[str]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if "memfd:ezmsg" in target or ".segment" in target:
            found.append(target)
    return found


# --- without a name -----------------------------------------------------------------------------------------------


@nameless
def test_a_reader_sees_what_is_written_and_cannot_write() -> None:
    segment = Segment(0, FORM)
    view = segments.map_descriptor(segment.descriptor, FORM)
    assert len(view) == len(segment.memory) == FORM.size
    segment.memory[4096:4100] = b"here"
    assert bytes(view[4096:4100]) == b"here"
    assert view.readonly


@nameless
def test_a_view_outlives_the_segment_and_then_nothing_is_left() -> None:
    segment = Segment(0, FORM)
    view = segments.map_descriptor(segment.descriptor, FORM)[10:14]
    segment.memory[10:14] = b"kept"
    segment.close()
    del segment
    gc.collect()
    assert bytes(view) == b"kept"
    del view
    gc.collect()
    assert ours() == []


@nameless
@pytest.mark.parametrize("size", [0, 1, FORM.size - 1, FORM.size + 1, 2 * FORM.size])
def test_nobody_can_change_the_size(size: int) -> None:
    segment = Segment(0, FORM)
    with pytest.raises(PermissionError):
        os.ftruncate(segment.descriptor, size)
    segment.close()


@nameless
@pytest.mark.parametrize("seals", [0, 2, 4])
def test_memory_that_could_shrink_is_refused(seals: int) -> None:
    import fcntl

    descriptor = os.memfd_create("hostile", os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, FORM.size)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    with pytest.raises(SegmentRefused, match="change its size"):
        segments.map_descriptor(descriptor, FORM)
    os.close(descriptor)


@nameless
@pytest.mark.parametrize(
    "form",
    [
        SegmentForm(4, 4097),
        SegmentForm(5, 4096),
        SegmentForm(0, 4096),
        SegmentForm(2**32 - 1, 2**63),
        SegmentForm(1, 0),
    ],
)
def test_memory_of_another_size_is_refused(form: SegmentForm) -> None:
    segment = Segment(0, FORM)
    with pytest.raises(SegmentRefused):
        segments.map_descriptor(segment.descriptor, form)
    segment.close()


@nameless
def test_what_is_no_memory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(FORM.size))
    reading, writing = os.pipe()
    for descriptor in (os.open(tmp_path / "file", os.O_RDONLY), os.open(tmp_path, os.O_RDONLY), reading, writing):
        with pytest.raises(SegmentRefused):
            segments.map_descriptor(descriptor, FORM)
        os.close(descriptor)


@nameless
@pytest.mark.parametrize("form", [SegmentForm(2**16, 2**40), SegmentForm(1, 0), SegmentForm(2**20, 2**60)])
def test_memory_that_cannot_be_had_leaves_nothing(form: SegmentForm) -> None:
    with pytest.raises((OSError, ValueError, OverflowError)):
        Segment(0, form)
    gc.collect()
    assert ours() == []


# --- with a name --------------------------------------------------------------------------------------------------


def test_a_named_segment_is_read_by_its_name(named: Segment, folder: Path) -> None:
    assert named.path is not None
    assert named.path.parent == folder
    assert named.path.stat().st_mode & 0o777 == 0o600
    named.memory[:3] = b"abc"
    view = map_name(named.path.name, FORM)
    assert bytes(view[:3]) == b"abc"
    assert view.readonly
    named.close()
    assert list(folder.iterdir()) == []
    assert bytes(view[:3]) == b"abc"
    with pytest.raises(SegmentRefused):
        map_name("gone", FORM)


@pytest.mark.parametrize("name", ["", ".", "..", "/", "/etc/hostname", "../../etc/hostname", "x" * 5000, "a\0b"])
def test_a_name_leads_nowhere_else(named: Segment, name: str) -> None:
    for form in FORM, SegmentForm(1, Path("/etc/hostname").stat().st_size), SegmentForm(1, 4096):
        with pytest.raises(SegmentRefused):
            map_name(name, form)


def test_a_pipe_does_not_make_a_reader_wait(folder: Path) -> None:
    os.mkfifo(folder / "pipe.segment")
    with pytest.raises(SegmentRefused):
        map_name("pipe.segment", FORM)


def test_a_file_of_another_size_is_refused(named: Segment) -> None:
    assert named.path is not None
    os.truncate(named.path, 4096)
    with pytest.raises(SegmentRefused):
        map_name(named.path.name, FORM)
    os.truncate(named.path, 0)
    with pytest.raises(SegmentRefused):
        map_name(named.path.name, SegmentForm(1, 0))
    os.truncate(named.path, FORM.size)


def test_the_sweep_takes_what_the_dead_left_and_nothing_else(named: Segment, folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait(30)
    parent = multiprocessing.parent_process()
    alive = [os.getpid(), os.getppid() if parent is None else parent.pid, 1]
    keep = [f"{pid}-abc.segment" for pid in alive] + ["notes.txt", "abc-1.segment", f"{gone.pid}-abc.other"]
    for name in [*keep, f"{gone.pid}-abc.segment", f"{gone.pid}-def.segment"]:
        (folder / name).touch()
    assert sweep() == 2
    assert named.path is not None
    assert sorted(path.name for path in folder.iterdir()) == sorted([*keep, named.path.name])
    assert sweep() == 0


def test_a_name_that_is_no_number_is_left_alone(folder: Path) -> None:
    for name in ["-1-a.segment", "²-a.segment", f"{10**30}-a.segment", "0-a.segment"]:
        (folder / name).touch()
    sweep()
    assert (folder / "-1-a.segment").exists()
    assert (folder / "0-a.segment").exists()


# --- slots --------------------------------------------------------------------------------------------------------


def _segments_of(slots: Slots, sizes: list[int]) -> list[Any]:
    codec = Codec()
    return [slots.write(token, codec.encode(bytes(size))) for token, size in enumerate(sizes)]


def test_slots_grow_and_old_segments_stay_until_released() -> None:
    slots = Slots(4, 100)
    small, same, large, last = _segments_of(slots, [10, 400, 10_000, 100_000])
    assert small is same
    assert small.number < large.number < last.number
    assert small.form.slots == last.form.slots == 4
    small_memory = bytes(small.memory[:64])
    slots.write(2, Codec().encode(bytes(200_000)))
    assert bytes(small.memory[:64]) == small_memory
    del large
    gc.collect()  # its only message was replaced; the first two are still held
    assert PASSES_DESCRIPTORS or len(list(segment_folder().iterdir())) == 2
    del small, same, last
    gc.collect()
    assert ours()
    for token in range(4):
        slots.free(token)
    slots.close()
    gc.collect()
    assert ours() == []
    assert list(segment_folder().iterdir()) == []


def test_slots_begin_with_a_message_larger_than_they_were_meant_for() -> None:
    slots = Slots(2, 16)
    (segment,) = _segments_of(slots, [5_000_000])
    assert segment.number == 0
    assert segment.form.slot_bytes >= 5_000_000
    slots.close()


def test_memory_is_not_touched_before_it_is_used() -> None:
    slots = Slots(32, 2**30)
    (segment,) = _segments_of(slots, [10])
    assert segment.form.size > 2**34
    slots.close()
