"""A unit that sends the messages of logs again."""

import asyncio
import math
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ezmsg.core as ez
from ezmsg.util.codec.log import MESSAGE, read_line
from ezmsg.util.codec.types import LogStart
from ezmsg.util.units.progress import shown_progress
from ezmsg.util.units.rate import Rate

__all__ = [
    "FileReplayMessage",
    "MessageReplay",
    "MessageReplaySettings",
    "MessageReplayState",
    "ReplayStatusMessage",
]

PUBLIC_MODULE = "ezmsg.util.messagereplay"
"""What logs call the module of the messages here."""


@dataclass
class ReplayStatusMessage:
    """How far a file is: line ``idx`` of ``total``; ``done`` when it ended or was stopped."""

    __module__ = PUBLIC_MODULE

    filename: Path
    idx: int
    total: int
    done: bool = False


@dataclass(frozen=True)
class FileReplayMessage:
    """A file to be replayed.

    :param rate: how many messages to send in a second; as fast as they can be, if `None`.
    """

    __module__ = PUBLIC_MODULE

    filename: Path | None = None
    rate: float | None = None


class MessageReplaySettings(ez.Settings, FileReplayMessage):
    """The file to begin with, if any.

    :param progress: show how far each file is, with `tqdm` if that is installed.
    """

    progress: bool = False


class MessageReplayState(ez.State):
    """The files that wait their turn; whether messages are sent; whether the present file is to end."""

    replay_files: "asyncio.Queue[FileReplayMessage]"
    running: asyncio.Event
    stop: asyncio.Event


class MessageReplay(ez.Unit):
    """Sends the messages of one log after the other.

    A line that is no message is left out with a warning, and so is a file that cannot be read.
    """

    SETTINGS = MessageReplaySettings
    STATE = MessageReplayState

    INPUT_FILE = ez.InputStream(FileReplayMessage)
    INPUT_PAUSED = ez.InputStream(bool)
    INPUT_STOP = ez.InputStream(bool)
    OUTPUT_MESSAGE = ez.OutputStream(Any)
    OUTPUT_TOTAL = ez.OutputStream(int)
    OUTPUT_REPLAY_STATUS = ez.OutputStream(ReplayStatusMessage)

    async def initialize(self) -> None:
        """Begin with the file of the settings."""
        self.STATE.replay_files = asyncio.Queue()
        self.STATE.running = asyncio.Event()
        self.STATE.running.set()
        self.STATE.stop = asyncio.Event()
        if self.SETTINGS.filename is not None:
            self.STATE.replay_files.put_nowait(FileReplayMessage(self.SETTINGS.filename, self.SETTINGS.rate))

    @ez.subscriber(INPUT_FILE)
    async def queue_file(self, msg: FileReplayMessage) -> None:
        """Replay another file when the others are done."""
        self.STATE.replay_files.put_nowait(FileReplayMessage(msg.filename, msg.rate))

    @ez.subscriber(INPUT_PAUSED)
    async def set_paused(self, paused: bool) -> None:
        """Pause, or go on."""
        if paused:
            self.STATE.running.clear()
        else:
            self.STATE.running.set()

    @ez.subscriber(INPUT_STOP)
    async def stop(self, clear_queue: bool) -> None:
        """End the present file, paused or not, and forget those that wait if that is wished."""
        while clear_queue and not self.STATE.replay_files.empty():
            self.STATE.replay_files.get_nowait()
        self.STATE.stop.set()

    @ez.publisher(OUTPUT_MESSAGE)
    @ez.publisher(OUTPUT_TOTAL)
    @ez.publisher(OUTPUT_REPLAY_STATUS)
    async def replay(self) -> AsyncGenerator[Any, None]:
        """Send the messages of each file, where it is, and at its end how many there were."""
        while True:
            wanted = await self.STATE.replay_files.get()
            self.STATE.stop.clear()
            if wanted.filename is None:
                continue
            try:
                total = await asyncio.to_thread(_count_lines, wanted.filename)
            except OSError as error:
                ez.logger.error("%s leaves out %s: %s.", self.address, wanted.filename, error)
                continue
            async for each in self._replay(wanted.filename, wanted.rate, total):
                yield each

    async def _replay(self, filename: Path, rate: float | None, total: int) -> AsyncGenerator[Any, None]:
        # The pace begins with the first message; a rate that is no rate means as fast as it goes.
        hz = rate if rate is not None and 0 < rate < math.inf else None
        pace: Rate | None = None
        idx = sent = 0
        yield self.OUTPUT_REPLAY_STATUS, ReplayStatusMessage(filename, idx, total)
        progress = shown_progress(self.address, filename, total, self.SETTINGS.progress)
        with _lines(filename) as lines, progress as advance:
            for line in lines:
                message = self._read(line, filename, idx + 1)
                if pace is not None and message is not _NO_MESSAGE:
                    await pace.sleep()
                if not await self._may_go_on():
                    break
                idx += 1
                advance()
                yield self.OUTPUT_REPLAY_STATUS, ReplayStatusMessage(filename, idx, total)
                if message is not _NO_MESSAGE:
                    yield self.OUTPUT_MESSAGE, message
                    sent += 1
                    pace = pace or (None if hz is None else Rate(hz))
        yield self.OUTPUT_REPLAY_STATUS, ReplayStatusMessage(filename, idx, total, done=True)
        yield self.OUTPUT_TOTAL, sent

    def _read(self, line: str, filename: Path, number: int) -> Any:
        """Return the message of a line, or that there is none."""
        if line.isspace():
            return _NO_MESSAGE
        try:
            message = read_line(line, filename, number)[MESSAGE]
        except Exception as error:  # noqa: BLE001 - what a log names is made here, and raises what it likes
            ez.logger.warning("%s leaves out line %d of %s. %s", self.address, number, Path(filename).name, error)
            return _NO_MESSAGE
        return _NO_MESSAGE if isinstance(message, LogStart) else message

    async def _may_go_on(self) -> bool:
        """Wait while it is paused, and return whether the file is not to end."""
        running, stop = self.STATE.running, self.STATE.stop
        while not (running.is_set() or stop.is_set()):
            waits = [asyncio.ensure_future(each.wait()) for each in (running, stop)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
        return not stop.is_set()


_NO_MESSAGE = object()
"""What a line gives that is none: the start of the log, or something that cannot be read."""


@contextmanager
def _lines(filename: Path) -> Iterator[Iterable[str]]:
    """Lend the lines of a file; a line is read when its turn comes, which is quick enough for an event loop."""
    with Path(filename).open(encoding="utf-8") as file:
        yield file


def _count_lines(filename: Path) -> int:
    with Path(filename).open("rb") as file:
        return sum(1 for _ in file)
