"""The errors of what programs use beside the core (7xxx), a branch of `ezmsg.protocol.errors`.

Each has a stable code, typed fields and its own sentence. Where the public package raises a built-in exception,
ours is a subclass of it.

::

    EzmsgError
    └── UtilError
        ├── ArrayError             70xx  arrays whose axes have names
        │   ├── InvalidArray             also a ValueError
        │   ├── NotAnArray               also an AttributeError
        │   ├── UnknownDimension         also a ValueError
        │   ├── InvalidIndexer           also a ValueError
        │   │   └── IndexBeyond          also an IndexError
        │   ├── IncompatibleArrays       also a ValueError
        │   ├── NothingToConcatenate     also an IndexError
        │   ├── InvalidWindow            also a ValueError
        │   └── ExtraMissing             also an ImportError
        ├── LogError               71xx  messages as lines of JSON
        │   ├── UnknownType              also an ImportError
        │   ├── InvalidLine              also a ValueError
        │   └── UnloggableMessage        also a TypeError
        ├── GeneratorError         72xx  units made of generators
        │   ├── NoGenerator              also a ValueError
        │   └── MissingAttribute         also an AttributeError
        └── PerfError              73xx  measuring how fast messages go
            ├── MessageMissing           also a TimeoutError
            ├── SideFailed
            └── BenchmarkUnreadable      also a ValueError
"""

from typing import ClassVar

from attrs import define

from ezmsg.protocol.errors import EzmsgError


class UtilError(EzmsgError):
    """Something that programs use beside the core failed."""


# --- 70xx: arrays whose axes have names -----------------------------------------------------------------------


class ArrayError(UtilError):
    """An array, one of its axes, or what was asked of them is not as it must be."""


@define(kw_only=True, slots=False, eq=False)
class InvalidArray(ArrayError, ValueError):
    """The parts of an array with named axes contradict each other; ``owner`` is its class."""

    code: ClassVar[str] = "EZ-7001"
    owner: str
    reason: str

    def sentence(self) -> str:
        return f"This cannot be {self.owner}: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class NotAnArray(ArrayError, AttributeError):
    """Something was given for an array that has no dimensions."""

    code: ClassVar[str] = "EZ-7002"
    owner: str
    type_name: str

    def sentence(self) -> str:
        return f"The data of {self.owner} must be an array, and this is {self.type_name}. Use numpy.asarray(...)."


@define(kw_only=True, slots=False, eq=False)
class UnknownDimension(ArrayError, ValueError):
    """A dimension was named that the array does not have."""

    code: ClassVar[str] = "EZ-7003"
    dim: str
    dims: list[str]

    def sentence(self) -> str:
        there = ", ".join(map(repr, self.dims)) or "none"
        return f"There is no dimension {self.dim} here. Name one of the array's own: {there}."


@define(kw_only=True, slots=False, eq=False)
class InvalidIndexer(ArrayError, ValueError):
    """A part of an array was asked for in a way that is not possible; ``indexer`` is its repr."""

    code: ClassVar[str] = "EZ-7004"
    method: str
    dim: str
    indexer: str
    reason: str

    def sentence(self) -> str:
        return f"{self.method} cannot take {self.indexer} of {self.dim}: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class IndexBeyond(InvalidIndexer, IndexError):
    """An index reaches beyond the array."""

    code: ClassVar[str] = "EZ-7009"


@define(kw_only=True, slots=False, eq=False)
class IncompatibleArrays(ArrayError, ValueError):
    """Arrays cannot be joined."""

    code: ClassVar[str] = "EZ-7005"
    dim: str
    reason: str

    def sentence(self) -> str:
        return f"These arrays cannot be joined along {self.dim!r}: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class NothingToConcatenate(ArrayError, IndexError):
    """No array is left to be joined; ``filter_key`` is the only key that was wanted."""

    code: ClassVar[str] = "EZ-7006"
    dim: str
    filter_key: str | None

    def sentence(self) -> str:
        if self.filter_key is None:
            return f"There is nothing to join along {self.dim!r}. Give at least one array."
        return f"There is nothing to join along {self.dim!r}: none of the arrays has the key {self.filter_key!r}."


@define(kw_only=True, slots=False, eq=False)
class InvalidWindow(ArrayError, ValueError):
    """Windows cannot have this many samples."""

    code: ClassVar[str] = "EZ-7007"
    nwin: int

    def sentence(self) -> str:
        return f"A window of {self.nwin} samples is not possible. Give it at least one."


@define(kw_only=True, slots=False, eq=False)
class ExtraMissing(ArrayError, ImportError):
    """Something needs a package that is not installed."""

    code: ClassVar[str] = "EZ-7008"
    what: str
    package: str
    extra: str

    def sentence(self) -> str:
        return f"{self.what} needs {self.package}, which is not installed: pip install 'ezmsg-util[{self.extra}]'."


# --- 71xx: messages as lines of JSON --------------------------------------------------------------------------


class LogError(UtilError):
    """A message cannot be written to a log, or not be read from one."""


@define(kw_only=True, slots=False, eq=False)
class UnknownType(LogError, ImportError):
    """A log names a class that is none, or cannot be found here."""

    code: ClassVar[str] = "EZ-7101"
    type_name: str
    reason: str

    def sentence(self) -> str:
        return f"The type {self.type_name!r} of a logged message cannot be used: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class InvalidLine(LogError, ValueError):
    """A line of a log is not a logged message."""

    code: ClassVar[str] = "EZ-7102"
    file: str
    line: int
    reason: str

    def sentence(self) -> str:
        return (
            f"Line {self.line} of {self.file} is no logged message: {self.reason}. "
            "What stands before it was read; remove the line to read the rest."
        )


@define(kw_only=True, slots=False, eq=False)
class UnloggableMessage(LogError, TypeError):
    """A message cannot be written as JSON."""

    code: ClassVar[str] = "EZ-7103"
    type_name: str
    reason: str

    def sentence(self) -> str:
        return f"A message with {self.type_name} in it cannot be logged: {self.reason}."


# --- 72xx: units made of generators ---------------------------------------------------------------------------


class GeneratorError(UtilError):
    """A function cannot be made a unit, or not be used as one."""


@define(kw_only=True, slots=False, eq=False)
class NoGenerator(GeneratorError, ValueError):
    """A function does not say what its generators yield and are sent."""

    code: ClassVar[str] = "EZ-7201"
    function: str
    returned: str

    def sentence(self) -> str:
        return (
            f"{self.function} cannot be made a unit, as it says that it returns {self.returned}. "
            "Annotate it as -> Generator[yielded, sent, None]."
        )


@define(kw_only=True, slots=False, eq=False)
class MissingAttribute(GeneratorError, AttributeError):
    """``msg_to_state`` names an attribute that is not there."""

    code: ClassVar[str] = "EZ-7202"
    unit: str
    attribute: str
    owner: str

    def sentence(self) -> str:
        return f"{self.unit}: msg_to_state names {self.attribute!r}, and {self.owner} has none. Name what is there."


# --- 73xx: measuring how fast messages go -----------------------------------------------------------------------


class PerfError(UtilError):
    """A measurement could not be made, or not be read."""


@define(kw_only=True, slots=False, eq=False)
class MessageMissing(PerfError, TimeoutError):
    """A message did not arrive in a measurement; ``case`` says what was measured."""

    code: ClassVar[str] = "EZ-7301"
    case: str
    seconds: float

    def sentence(self) -> str:
        return f"{self.case}: no message arrived within {self.seconds:g} s. See: ezmsg doctor"


@define(kw_only=True, slots=False, eq=False)
class SideFailed(PerfError):
    """One side of a comparison could not be measured."""

    code: ClassVar[str] = "EZ-7302"
    side: str
    reason: str

    def sentence(self) -> str:
        return f"{self.side} cannot be measured: {self.reason}."


@define(kw_only=True, slots=False, eq=False)
class BenchmarkUnreadable(PerfError, ValueError):
    """A file is none that a benchmark wrote."""

    code: ClassVar[str] = "EZ-7303"
    file: str
    reason: str

    def sentence(self) -> str:
        return f"{self.file} is no benchmark's file: {self.reason}. `ezmsg perf benchmark --name NAME` writes one."
