"""A unit that writes what passes it to files, as lines of JSON."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import field
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import ezmsg.core as ez
from ezmsg.util.codec.log import log_object
from ezmsg.util.codec.types import LogStart
from ezmsg.util.errors import UnloggableMessage

__all__ = ["MessageLogger", "MessageLoggerSettings", "MessageLoggerState"]


class MessageLoggerSettings(ez.Settings):
    """Where messages go.

    :param output: the file to begin with; a file of that name that is there already is overwritten.
    :param write_period: collect lines for so many seconds before they are written; at zero each is written at once.
    """

    output: Path | None = None
    write_period: float = 0.0


class MessageLoggerState(ez.State):
    """The files that are open, and the lines that are still to be written to each."""

    output_files: dict[Path, TextIOWrapper] = field(default_factory=dict)
    write_buffer: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)


class MessageLogger(ez.Unit):
    """Writes each message to all files that are open, and passes it on.

    A message that cannot be written is passed on all the same, and the log says so once for its type.
    """

    SETTINGS = MessageLoggerSettings
    STATE = MessageLoggerState

    INPUT_START = ez.InputStream(Path)
    INPUT_STOP = ez.InputStream(Path)
    INPUT_MESSAGE = ez.InputStream(Any)
    OUTPUT_MESSAGE = ez.OutputStream(Any)
    OUTPUT_START = ez.OutputStream(Path)
    OUTPUT_STOP = ez.OutputStream(Path)

    async def initialize(self) -> None:
        """Open the file of the settings."""
        if self.SETTINGS.output is not None:
            self.open_file(self.SETTINGS.output)

    def open_file(self, filepath: Path) -> Path | None:
        """Open another file and return its path, or `None` if it is open already.

        :raises OSError: if that is not possible.
        """
        filepath = Path(filepath)
        if filepath in self.STATE.output_files:
            return None
        self._write_out()
        filepath.parent.mkdir(parents=True, exist_ok=True)
        # Whole lines leave at once, so a program that is killed leaves what it has logged.
        file = filepath.open("w", encoding="utf-8", buffering=1)
        file.write(f"{log_object(LogStart())}\n")
        self.STATE.output_files[filepath] = file
        return filepath

    def close_file(self, filepath: Path) -> Path | None:
        """Close a file and return its path, or `None` if it is not open."""
        filepath = Path(filepath)
        if filepath not in self.STATE.output_files:
            return None
        self._write_out()
        self.STATE.output_files.pop(filepath).close()
        return filepath

    def _write_out(self) -> None:
        """Write the lines that are waiting."""
        lines, self.STATE.write_buffer = self.STATE.write_buffer, []
        if lines:
            text = "".join(f"{line}\n" for line in lines)
            for file in self.STATE.output_files.values():
                file.write(text)

    @ez.subscriber(INPUT_START)
    @ez.publisher(OUTPUT_START)
    async def start_file(self, message: Path) -> AsyncGenerator[Any, None]:
        """Open another file, and say so."""
        opened = self.open_file(message)
        if opened is not None:
            yield self.OUTPUT_START, opened

    @ez.subscriber(INPUT_STOP)
    @ez.publisher(OUTPUT_STOP)
    async def stop_file(self, message: Path) -> AsyncGenerator[Any, None]:
        """Close a file, and say so."""
        closed = self.close_file(message)
        if closed is not None:
            yield self.OUTPUT_STOP, closed

    @ez.subscriber(INPUT_MESSAGE)
    @ez.publisher(OUTPUT_MESSAGE)
    async def on_message(self, message: Any) -> AsyncGenerator[Any, None]:
        """Write a message, and pass it on."""
        if self.STATE.output_files:
            self._log(message)
        yield self.OUTPUT_MESSAGE, message

    def _log(self, message: Any) -> None:
        try:
            self.STATE.write_buffer.append(log_object(message))
        except UnloggableMessage as error:
            if error.type_name not in self.STATE.refused:
                self.STATE.refused.add(error.type_name)
                ez.logger.error("%s: %s Further ones of its type are left out without a word.", self.address, error)
        if self.SETTINGS.write_period <= 0:
            self._write_out()

    @ez.task
    async def buffered_write(self) -> None:
        """Write what was collected, once in each period."""
        while self.SETTINGS.write_period > 0:
            await asyncio.sleep(self.SETTINGS.write_period)
            self._write_out()

    async def shutdown(self) -> None:
        """Close all files."""
        for filepath in list(self.STATE.output_files):
            self.close_file(filepath)
