"""Shared memory: a publisher's segment of slots, and a subscriber's read-only map of it.

On Linux a segment has no name: it lives as long as somebody maps it, so that killing every process leaves nothing
behind. Elsewhere it is a mapped file in the runtime folder; see :func:`sweep` for those whose owner was killed.

No map is ever closed by hand. A view that somebody kept holds its map, and the map goes with the last view.
"""

import contextlib
import mmap
import os
import struct
from pathlib import Path

from ezmsg.core.errors import SegmentRefused, SharedMemoryFull
from ezmsg.core.support.platform import PASSES_DESCRIPTORS
from ezmsg.protocol.announcement import FOLDER_MODE, check_folder, runtime_folder
from ezmsg.protocol.declared import declared

if PASSES_DESCRIPTORS:
    import fcntl

    # The reader can rely on the size for ever: nobody, the owner included, can cut the memory from under it.
    _SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


MEMORY_NAME = "ezmsg"
"""What the system shows of a segment that has no name."""

WORD = struct.Struct("<Q")
PAGE_BYTES = 4096


@declared
class SegmentForm:
    """How a segment is divided."""

    slots: int
    slot_bytes: int

    @property
    def size(self) -> int:
        """The bytes of all slots together."""
        return self.slots * self.slot_bytes

    @property
    def file_bytes(self) -> int:
        """The bytes of the segment: its slots, and behind them a word for each."""
        return self.size + words_bytes(self.slots) if self.size else 0


def words_bytes(slots: int) -> int:
    """Return how many bytes are behind the slots of a segment, for what was taken back of each.

    The word of a slot is the number of the first message in it that still counts.
    """
    return -(-slots * WORD.size // PAGE_BYTES) * PAGE_BYTES


class Segment:
    """Memory that this process writes and others read; memory is taken when a slot is first written."""

    def __init__(self, number: int, form: SegmentForm) -> None:
        self.number = number
        self.form = form
        self.descriptor = -1
        self.path: Path | None = None
        self._claimed = [0] * form.slots  # bytes of each slot that the operating system has promised
        self._words_claimed = False
        if PASSES_DESCRIPTORS:
            self.descriptor = os.memfd_create(MEMORY_NAME, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:
            self.descriptor, self.path = _named_file()
        try:
            os.ftruncate(self.descriptor, form.file_bytes)
            self._map = mmap.mmap(self.descriptor, form.file_bytes)
            self.memory = memoryview(self._map)[: form.size]
            self._words = memoryview(self._map)[form.size :]
            if PASSES_DESCRIPTORS:
                fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, _SEALS)
        except OSError:
            self.close()
            raise

    def claim(self, slot: int, size: int) -> None:
        """Make sure that a slot can be written, before it is: else a full file system would end the process.

        :raises SharedMemoryFull: if there is no room.
        """
        if size <= self._claimed[slot]:
            return
        self._claim(slot * self.form.slot_bytes, size)
        self._claimed[slot] = size

    def declare_void(self, slot: int, number: int) -> bool:
        """Say to readers that message ``number`` of a slot counts no more; return whether there was room for it."""
        if not self._words_claimed:
            try:
                self._claim(self.form.size, words_bytes(self.form.slots))
            except SharedMemoryFull:
                return False
            self._words_claimed = True
        WORD.pack_into(self._words, slot * WORD.size, number + 1)
        return True

    def _claim(self, start: int, size: int) -> None:
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            os.posix_fallocate(self.descriptor, start, size)
        except OSError as error:
            place = "memory" if self.path is None else str(self.path.parent)
            raise SharedMemoryFull(size=size, place=place, reason=os.strerror(error.errno or 0)) from error

    @property
    def claimed(self) -> int:
        """How many bytes its slots occupy."""
        return sum(self._claimed)

    def give_back(self, slot: int, kept: int, most: int) -> int:
        """Let a slot occupy no more than ``kept`` bytes; return how many it gave back, at most ``most`` at once."""
        kept = -(-kept // PAGE_BYTES) * PAGE_BYTES
        size = min(-(-(self._claimed[slot] - kept) // PAGE_BYTES) * PAGE_BYTES, most)
        if size <= 0:
            return 0
        end = -(-self._claimed[slot] // PAGE_BYTES) * PAGE_BYTES
        self._map.madvise(mmap.MADV_REMOVE, slot * self.form.slot_bytes + end - size, size)
        self._claimed[slot] = end - size
        return size

    def close(self) -> None:
        """Give up the descriptor or the name; maps of the memory stay good."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()
            self.path = None

    def __del__(self) -> None:
        self.close()


def map_descriptor(descriptor: int, form: SegmentForm) -> memoryview:
    """Map a segment that was passed as a descriptor, read-only.

    :raises SegmentRefused: if it is not what its publisher said, or could shrink later.
    """
    try:
        seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError as error:
        raise SegmentRefused(reason=f"the segment is no sealed memory ({error})") from error
    if seals & _SEALS != _SEALS:
        raise SegmentRefused(reason="the segment could still change its size")
    return _map(descriptor, form)


def map_name(name: str, form: SegmentForm) -> memoryview:
    """Map a segment that has a name, read-only.

    :raises SegmentRefused: if it is not there, or not what its publisher said.
    """
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe would make us wait
    try:
        path = segment_folder() / Path(name).name  # never outside the folder, whatever the peer sent
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise SegmentRefused(reason=f"the segment cannot be opened ({error})") from error
    try:
        if os.fstat(descriptor).st_uid != (_uid() or 0):
            raise SegmentRefused(reason="the segment belongs to another user")
        return _map(descriptor, form)
    finally:
        os.close(descriptor)


def _map(descriptor: int, form: SegmentForm) -> memoryview:
    if form.size <= 0 or os.fstat(descriptor).st_size != form.file_bytes:
        raise SegmentRefused(reason=f"the segment does not have the {form.file_bytes} bytes announced")
    try:
        return memoryview(mmap.mmap(descriptor, form.file_bytes, access=mmap.ACCESS_READ))[: form.size]
    except OSError as error:
        raise SegmentRefused(reason=f"the segment cannot be mapped ({error})") from error


# --- segments with names --------------------------------------------------------------------------------------


def segment_folder() -> Path:
    """Return the folder of named segments, made if it is not there.

    :raises UnsafeFolder: if it, or the runtime folder that it is in, is not ours alone.
    """
    import tempfile

    runtime = runtime_folder(os.environ, _uid(), tempfile.gettempdir())
    folder = runtime / "segments"
    for made in (*reversed(runtime.parents), runtime, folder):  # not parents=True: that heeds the umask and no mode
        if not made.exists():
            with contextlib.suppress(FileExistsError):
                made.mkdir(mode=FOLDER_MODE)
    for checked in (runtime, folder):
        status = checked.lstat()
        check_folder(checked, status.st_mode, status.st_uid, _uid())
    return folder


def _uid() -> int | None:
    return os.getuid() if hasattr(os, "getuid") else None


def _named_file() -> tuple[int, Path]:
    import tempfile

    descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", suffix=".segment", dir=segment_folder())
    return descriptor, Path(name)


def sweep() -> int:
    """Remove named segments whose owner is gone; return how many there were."""
    removed = 0
    for path in segment_folder().glob("*.segment"):
        if owner_is_gone(path):
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
    return removed


def owner_is_gone(path: Path) -> bool:
    """Return whether the process that made a named segment is gone."""
    owner = path.name.partition("-")[0]
    return owner.isascii() and owner.isdigit() and not _is_alive(int(owner))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to somebody else, or is no process's number at all
        return True
    return True
