"""Logs: files with a message in each line, and when it was logged."""

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

from ezmsg.util.codec.decoder import MessageDecoder
from ezmsg.util.codec.encoder import MessageEncoder
from ezmsg.util.codec.types import LogStart
from ezmsg.util.errors import InvalidLine

__all__ = ["log_object", "message_log", "read_line"]

STAMP: Final = "ts"
MESSAGE: Final = "obj"


def log_object(obj: Any) -> str:
    """Return a message as a line of a log, stamped with the present time; the line does not end here.

    :raises UnloggableMessage: if there is something in it that neither JSON nor pickle can carry.
    """
    return json.dumps({STAMP: time.time(), MESSAGE: obj}, cls=MessageEncoder)


def read_line(line: str, file: object, number: int) -> dict[str, Any]:
    """Return a line of a log as its stamp ``ts`` and its message ``obj``.

    :raises InvalidLine: if it is none.
    :raises UnknownType: if the class of the message cannot be found.
    """
    try:
        entry = json.loads(line, cls=MessageDecoder)
    except json.JSONDecodeError as error:
        raise InvalidLine(file=str(file), line=number, reason=f"it is no JSON ({error})") from error
    if not isinstance(entry, dict) or MESSAGE not in entry or STAMP not in entry:
        raise InvalidLine(file=str(file), line=number, reason=f"it has no {STAMP!r} and {MESSAGE!r}")
    return entry


def message_log(fname: Path, return_object: bool = True) -> Generator[Any, None, None]:
    """Yield the messages of a log.

    :param return_object: yield messages alone; else each as ``{"ts": seconds, "obj": message}``.
    :raises InvalidLine: at a line that is no message; those before it have been yielded.
    :raises UnknownType: at a message whose class cannot be found.
    """
    with Path(fname).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            entry = read_line(line, fname, number)
            if not isinstance(entry[MESSAGE], LogStart):
                yield entry[MESSAGE] if return_object else entry
