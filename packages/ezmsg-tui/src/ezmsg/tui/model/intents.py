"""What somebody at a screen wants done, as data: a screen says it, `operating` performs it."""

from typing import Any
from uuid import UUID

from attrs import field

from ezmsg.protocol.declared import declared


@declared
class Connect:
    """Set an edge that outlives every session."""

    from_topic: str
    to_topic: str


@declared
class Disconnect:
    """Remove a persistent edge."""

    from_topic: str
    to_topic: str


@declared
class ChangeSettings:
    """Set fields of a running component, all or none; ``expect`` is the revision that was seen."""

    address: str
    values: dict[str, Any]
    expect: int | None = None


@declared
class DropSession:
    """End somebody's session."""

    session_id: UUID


@declared
class Ping:
    """Ask a unit's process for a sign of life."""

    unit: str


@declared
class TakeStacks:
    """Ask a unit's process where it is in its own code."""

    unit: str


@declared
class MeasureBlame:
    """Watch the publishers of a topic for a while, and say whom they waited for; this traces meanwhile."""

    topic: str
    seconds: float


@declared
class Trace:
    """Have every process trace everything for some seconds."""

    seconds: float


@declared
class StopTrace:
    """End the trace that is on, and keep what it has brought."""


@declared
class Write:
    """Write a file; ``data`` is all that it is to hold."""

    path: str
    data: bytes = field(repr=False)


Intent = (
    Connect
    | Disconnect
    | ChangeSettings
    | DropSession
    | Ping
    | TakeStacks
    | MeasureBlame
    | Trace
    | StopTrace
    | Write
)


@declared
class Outcome:
    """What became of an intent: a sentence, and of what was asked for its answer.

    ``path`` is the field that a refusal is about.
    """

    ok: bool
    text: str
    answer: Any = None
    path: str | None = None


def command_for(intent: Intent) -> str | None:
    """Return the command line that does the same, ``None`` if none does."""
    from ezmsg.control.rendering.settings import text_of

    match intent:
        case Connect(from_topic, to_topic):
            return _words("ezmsg graph connect", from_topic, to_topic)
        case Disconnect(from_topic, to_topic):
            return _words("ezmsg graph disconnect", from_topic, to_topic)
        case ChangeSettings(address, values, expect):
            changes = [f"{path}={text_of(value)}" for path, value in values.items()]
            expected = [] if expect is None else ["--expect", str(expect)]
            return _words("ezmsg settings set", address, *changes, *expected)
        case DropSession(session_id):
            return _words("ezmsg session drop", str(session_id))
        case Ping(unit):
            return _words("ezmsg process ping", unit)
        case TakeStacks(unit):
            return _words("ezmsg process stacks", unit)
        case MeasureBlame(topic, seconds):
            return _words("ezmsg profile blame", topic, "--window", f"{seconds:g}")
        case Trace(seconds):
            return _words("ezmsg profile trace -o trace.json --format chrome --seconds", f"{seconds:g}")
    return None


def _words(verb: str, *words: str) -> str:
    from shlex import quote

    return " ".join((verb, *map(quote, words)))
