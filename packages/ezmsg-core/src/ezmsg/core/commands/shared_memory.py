"""What the core adds to ``ezmsg doctor``: how much shared memory is in use, is nobody's any more, and is left."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

from ezmsg.control.doctor.examination import Examination, Surroundings
from ezmsg.control.doctor.findings import Finding, ok, warn
from ezmsg.control.rendering.quantities import counted, size
from ezmsg.core.transports.segments import MEMORY_NAME, owner_is_gone
from ezmsg.protocol.announcement import runtime_folder

_LITTLE_BYTES = 256 * 10**6
_BLOCK_BYTES = 512


@frozen
class SegmentSeen:
    """One segment: how much memory it occupies; ``path`` if it has a name, ``orphaned`` if its owner is gone."""

    occupied: int
    path: str = ""
    orphaned: bool = False


@frozen
class SharedMemoryRecord:
    """The segments of this user, and how much memory is left; ``None`` where that cannot be told."""

    segments: tuple[SegmentSeen, ...]
    free: int | None


def judge(record: SharedMemoryRecord) -> Iterator[Finding]:
    """Yield how much there is of everything, and what nobody will take away."""
    orphans = [each for each in record.segments if each.orphaned]
    occupied = size(sum(each.occupied for each in record.segments))
    left = "" if record.free is None else f", {size(record.free)} free"
    told = f"shared memory: {occupied} in {counted(len(record.segments), 'segment')}, {len(orphans)} orphaned{left}"
    if orphans:
        folder = os.path.dirname(orphans[0].path)  # noqa: PTH120  a path of any system, as data
        advice = f"start any program, which sweeps, or rm the files of dead processes in {folder}"
        yield warn(told, advice)
    elif record.free is not None and record.free < _LITTLE_BYTES:
        yield warn(f"{told}: a publisher that needs more is told that there is none", "end what else uses memory")
    else:
        yield ok(told)


# --- the look -----------------------------------------------------------------------------------------------------


def take_record() -> SharedMemoryRecord:
    """Look at this user's processes and runtime folder."""
    return SharedMemoryRecord((*_unnamed(), *_named()), _free())


def _unnamed() -> Iterator[SegmentSeen]:
    """Yield the segments without a name that processes of this user have open; they go with the processes."""
    seen = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if not str(link.readlink()).startswith(f"/memfd:{MEMORY_NAME} "):
                continue
            status = link.stat()
        except OSError:  # somebody else's, or gone by now
            continue
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            yield SegmentSeen(status.st_blocks * _BLOCK_BYTES)


def _named() -> Iterator[SegmentSeen]:
    uid = os.getuid() if hasattr(os, "getuid") else None
    folder = runtime_folder(os.environ, uid, tempfile.gettempdir()) / "segments"
    for path in sorted(folder.glob("*.segment")):
        try:
            status = path.stat()
        except OSError:
            continue
        occupied = getattr(status, "st_blocks", 0) * _BLOCK_BYTES or status.st_size
        yield SegmentSeen(occupied, str(path), owner_is_gone(path))


def _free() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):  # this is no Linux
        return None


async def _gather(_: Surroundings) -> SharedMemoryRecord:
    return await asyncio.to_thread(take_record)


SHARED_MEMORY = Examination("shared memory", _gather, judge)
