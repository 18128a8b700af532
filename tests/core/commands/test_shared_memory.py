"""What the core tells the doctor of shared memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ezmsg.control.doctor.findings import Verdict, ok
from ezmsg.core.commands.shared_memory import SegmentSeen, SharedMemoryRecord, judge, take_record
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.core.transports.segments import Segment, SegmentForm

GIGABYTE = 10**9


def test_segments_in_use() -> None:
    record = SharedMemoryRecord((SegmentSeen(2_000_000), SegmentSeen(22_000_000, "/run/1-a.segment")), 2 * GIGABYTE)
    assert list(judge(record)) == [ok("shared memory: 24.0 MB in 2 segments, 0 orphaned, 2.0 GB free")]


def test_segments_that_nobody_owns() -> None:
    (finding,) = judge(SharedMemoryRecord((SegmentSeen(4096, "/run/segments/1-a.segment", True),), None))
    assert (finding.verdict, finding.text) == (Verdict.WARN, "shared memory: 4.1 kB in 1 segment, 1 orphaned")
    assert "/run/segments" in finding.advice


def test_little_memory() -> None:
    (finding,) = judge(SharedMemoryRecord((), 10**6))
    assert finding.verdict is Verdict.WARN


@pytest.mark.skipif(not PASSES_DESCRIPTORS, reason="segments have names here")
def test_a_look_at_a_segment_without_a_name() -> None:
    occupied = 337 * 4096  # as nobody else's is likely to
    segment = Segment(0, SegmentForm(2, occupied))
    segment.claim(0, occupied)
    assert SegmentSeen(occupied) in take_record().segments
    segment.close()


def test_a_look_at_a_segment_whose_owner_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    folder = tmp_path / "segments"
    folder.mkdir()
    for pid in (gone.pid, os.getpid()):
        (folder / f"{pid}-abc.segment").write_bytes(bytes(4096))
    named = {Path(each.path).name: each.orphaned for each in take_record().segments if each.path}
    assert named == {f"{gone.pid}-abc.segment": True, f"{os.getpid()}-abc.segment": False}
