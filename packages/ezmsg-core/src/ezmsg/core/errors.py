"""The errors of the data plane (5xxx) and of components (6xxx), two branches of `ezmsg.protocol.errors`.

Each has a stable code, typed fields and its own sentence that says what, where and what to do. Where the public
package raises a built-in exception, ours is a subclass of it, so programs that catch that one go on to work.

::

    EzmsgError
    ├── DataPlaneError             5xxx  messages between publishers and subscribers
    │   ├── UnencodableMessage           also a TypeError
    │   ├── EndpointClosed               also a RuntimeError
    │   ├── InvalidOption                also a ValueError
    │   ├── PeerLost
    │   ├── ChannelRefused
    │   ├── PickleForbidden
    │   ├── SegmentRefused
    │   ├── UnknownEncoding              also a LookupError
    │   ├── MessageClassNotFound         also an ImportError
    │   ├── UndersizedMemory
    │   ├── UninitializedMemory
    │   ├── InvalidTraceControl          also a ValueError
    │   ├── MemoryApart                  also a ConnectionError
    │   ├── SharedMemoryFull             also an OSError
    │   ├── PublisherUnreachable         also a ConnectionError
    │   ├── TransportUnusable
    │   ├── MessageTooLarge              also a ValueError
    │   ├── NothingReceived        51xx  the synchronous API; also a TimeoutError
    │   ├── NotSent                      also a TimeoutError
    │   └── ContextNotOpen               also a RuntimeError
    ├── ComponentError             6xxx  how a program describes its units and collections
    │   ├── SettingsMissing              also a ValueError
    │   ├── StateNotInitialized          also an AttributeError
    │   ├── InvalidComponent             also a TypeError
    │   ├── InvalidEndpoint              also a TypeError
    │   ├── InvalidDecoration            also a ValueError
    │   ├── SecondMain                   also a RuntimeError
    │   ├── NameAlreadySet               also an AssertionError
    │   └── AddressNotSet                also an AssertionError
    ├── RunError                   62xx  running a graph; all are RuntimeErrors
    │   ├── RunFailed
    │   ├── GraphRunnerStartError
    │   └── RunnerMisused
    └── CommandError               63xx  what a command line asks for
        ├── PackageMissing               also an ImportError
        ├── UnknownCommand               also a ValueError
        ├── ProgramNotLoaded             also an ImportError
        ├── NothingToRun                 also a LookupError
        └── SettingsNotGiven             also a ValueError
"""

from typing import ClassVar

from attrs import field

from ezmsg.protocol.declared import declared_error
from ezmsg.protocol.errors import EzmsgError

# --- 5xxx: messages between publishers and subscribers ------------------------------------------------------


class DataPlaneError(EzmsgError):
    """A message, an endpoint or a channel failed."""


@declared_error
class UnencodableMessage(DataPlaneError, TypeError):
    """A message cannot be turned into bytes; nothing of it was sent.

    ``component`` and ``stream`` are whose it is, where a unit has published it.
    """

    code: ClassVar[str] = "EZ-5001"
    topic: str
    type_name: str
    reason: str
    component: str = ""
    stream: str = ""

    def sentence(self) -> str:
        whose = f", from the stream {self.stream} of {self.component}," if self.component else ""
        return (
            f"A message of type {self.type_name} on {self.topic}{whose} cannot be encoded: {self.reason}. Nothing "
            "was sent. Publish an array, bytes or something that pickles, or keep both ends in one process."
        )


@declared_error
class EndpointClosed(DataPlaneError, RuntimeError):
    """A closed endpoint was used; ``role`` is publisher or subscriber."""

    code: ClassVar[str] = "EZ-5002"
    topic: str
    role: str

    def sentence(self) -> str:
        return f"The {self.role} of {self.topic} is closed. Make a new one to go on."


@declared_error
class InvalidOption(DataPlaneError, ValueError):
    """An option of a stream or an endpoint has a value that it cannot have; ``value`` is its repr."""

    code: ClassVar[str] = "EZ-5003"
    option: str
    value: str
    reason: str

    def sentence(self) -> str:
        return f"{self.option}={self.value} is not possible: {self.reason}."


@declared_error
class PeerLost(DataPlaneError):
    """The process at the other end of a channel is gone; ``last_seq`` is the last message heard from it."""

    code: ClassVar[str] = "EZ-5004"
    topic: str
    last_seq: int

    def sentence(self) -> str:
        return (
            f"The peer on {self.topic} went away after message {self.last_seq}. Everything up to that message can "
            "still be read; see the log of its process for the cause."
        )


@declared_error
class ChannelRefused(DataPlaneError):
    """A publisher and a subscriber could not agree on a channel."""

    code: ClassVar[str] = "EZ-5005"
    topic: str
    reason: str

    def sentence(self) -> str:
        return f"A channel for {self.topic} was refused: {self.reason}."


@declared_error
class PickleForbidden(DataPlaneError):
    """A message needs pickle, and this process was told to do without."""

    code: ClassVar[str] = "EZ-5006"
    type_name: str

    def sentence(self) -> str:
        return (
            f"A message of type {self.type_name} needs pickle, which EZMSG_FORBID_PICKLE forbids here. Register an "
            "encoding for the type, send arrays or bytes, or allow pickle."
        )


@declared_error
class SegmentRefused(DataPlaneError):
    """A segment of shared memory is not what its publisher said."""

    code: ClassVar[str] = "EZ-5007"
    reason: str

    def sentence(self) -> str:
        return f"A segment of shared memory was not mapped: {self.reason}."


@declared_error
class UnknownEncoding(DataPlaneError, LookupError):
    """A message came in an encoding that this process does not know."""

    code: ClassVar[str] = "EZ-5008"
    name: str

    def sentence(self) -> str:
        return (
            f"A message came in the encoding {self.name!r}, which is not registered here. Register it in every "
            "process that receives such messages, before the first one arrives."
        )


@declared_error
class MessageClassNotFound(DataPlaneError, ImportError):
    """A message came whose class this process does not have, or does not have as a dataclass."""

    code: ClassVar[str] = "EZ-5012"
    class_name: str
    reason: str

    def sentence(self) -> str:
        return (
            f"A message came whose class {self.class_name} cannot be used here: {self.reason}. Install and import "
            "the same module in every process that receives such messages."
        )


@declared_error
class UndersizedMemory(DataPlaneError):
    """A message does not fit into the memory it was to be laid into; ``req_size`` is what it needs, in bytes."""

    code: ClassVar[str] = "EZ-5009"
    req_size: int
    size: int

    def sentence(self) -> str:
        return (
            f"A message needs {self.req_size} bytes and was given {self.size}. Nothing was written; give it more."
        )


@declared_error
class UninitializedMemory(DataPlaneError):
    """A message was to be read from memory that holds none."""

    code: ClassVar[str] = "EZ-5010"
    size: int

    def sentence(self) -> str:
        return f"These {self.size} bytes hold no whole message. Read only what Marshal.to_mem has written."


@declared_error
class InvalidTraceControl(DataPlaneError, ValueError):
    """Something was to be traced that cannot be; what was traced before still is."""

    code: ClassVar[str] = "EZ-5011"
    option: str
    value: str
    reason: str

    def sentence(self) -> str:
        return f"Nothing can be traced with {self.option} {self.value}: {self.reason}. Nothing was changed."


@declared_error
class MemoryApart(DataPlaneError, ConnectionError):
    """Two processes of one host cannot share memory; whoever meets this takes the way over TCP."""

    code: ClassVar[str] = "EZ-5020"
    reason: str

    def sentence(self) -> str:
        return f"Two processes of this host cannot share memory, because {self.reason}. They talk over TCP."


@declared_error
class SharedMemoryFull(DataPlaneError, OSError):
    """There is no room for a message where shared memory lies; nothing of it was written or sent."""

    code: ClassVar[str] = "EZ-5021"
    size: int
    place: str
    reason: str

    def sentence(self) -> str:
        return (
            f"A message of {self.size} bytes finds no room in {self.place}: {self.reason}. Nobody gets it. Make "
            "room there, let EZMSG_RUNTIME_DIR name a larger one, use fewer num_buffers, or set EZMSG_FORCE_TCP=1."
        )


@declared_error
class PublisherUnreachable(DataPlaneError, ConnectionError):
    """Nobody answers at any address of a publisher, or somebody else does; ``failures`` says what came of each."""

    code: ClassVar[str] = "EZ-5022"
    topic: str
    failures: dict[str, str]
    publisher: str = ""

    def sentence(self) -> str:
        tried = ", ".join(f"{address} ({reason})" for address, reason in self.failures.items())
        process = f"process {self.publisher}" if self.publisher else "its process"
        return (
            f"The publisher of {self.topic}, in {process}, is not to be reached from here at {tried}. Let "
            "firewalls pass that port, or give the publisher an address that leads to it: publisher(host=, port=)."
        )


@declared_error
class TransportUnusable(DataPlaneError):
    """A transport of another distribution is installed, and cannot be imported or made."""

    code: ClassVar[str] = "EZ-5023"
    name: str
    distribution: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The transport {self.name}, which {self.distribution} brings, cannot be used here: {self.reason}. "
            "Install that distribution anew, or ask for another transport."
        )


@declared_error
class MessageTooLarge(DataPlaneError, ValueError):
    """A message is larger than a transport carries; nothing of it was sent."""

    code: ClassVar[str] = "EZ-5024"
    topic: str
    size: int
    transport: str
    limit: int

    def sentence(self) -> str:
        return (
            f"A message of {self.size} bytes on {self.topic} is more than the {self.limit} that {self.transport} "
            "carries here. Nothing was sent. Publish it in parts, or let the transport carry more, on every host."
        )


# --- 51xx: the synchronous API ------------------------------------------------------------------------------


@declared_error
class NothingReceived(DataPlaneError, TimeoutError):
    """No message came in time; the next one is not lost."""

    code: ClassVar[str] = "EZ-5101"
    topic: str
    seconds: float

    def sentence(self) -> str:
        return (
            f"No message came on {self.topic} within {self.seconds:g} s. See that somebody publishes there, or "
            "allow more time; what comes later can still be received."
        )


@declared_error
class NotSent(DataPlaneError, TimeoutError):
    """A message was not accepted in time; ``reason`` says what held it back.

    Nobody gets it, unless it ``may_follow``: then it was under way already, and could not be called back.
    """

    code: ClassVar[str] = "EZ-5102"
    topic: str
    seconds: float
    reason: str
    may_follow: bool = False

    def sentence(self) -> str:
        advice = (
            "It may still be sent. Allow more time."
            if self.may_follow
            else "Nobody gets it. Publish it again, or allow more time."
        )
        return f"A message on {self.topic} was not sent within {self.seconds:g} s, because {self.reason}. {advice}"


@declared_error
class ContextNotOpen(DataPlaneError, RuntimeError):
    """A synchronous context was used before it was entered, after it ended, or in a forked process."""

    code: ClassVar[str] = "EZ-5103"
    operation: str
    reason: str

    def sentence(self) -> str:
        return (
            f"{self.operation} needs an open SyncContext, and this one {self.reason}. Work inside "
            "`with ezmsg.core.sync.init() as context:`; each context is entered once."
        )


# --- 6xxx: how a program describes its units and collections ------------------------------------------------


class ComponentError(EzmsgError):
    """A unit or a collection is not described as it must be; ``component`` is its address or class."""


@declared_error
class SettingsMissing(ComponentError, ValueError):
    """A component is about to be used and has no settings."""

    code: ClassVar[str] = "EZ-6001"
    component: str
    settings_type: str

    def sentence(self) -> str:
        return (
            f"{self.component} has no settings, and {self.settings_type} cannot be made without arguments. "
            f"Pass them to its constructor, or call apply_settings({self.settings_type}(...)) in configure()."
        )


@declared_error
class StateNotInitialized(ComponentError, AttributeError):
    """A unit's ``initialize`` left a field of its state without a value."""

    code: ClassVar[str] = "EZ-6002"
    component: str
    field: str

    def sentence(self) -> str:
        return (
            f"{self.component}: STATE.{self.field} was not initialized! Assign self.STATE.{self.field} in "
            "initialize(), or give the field a default."
        )


@declared_error
class InvalidComponent(ComponentError, TypeError):
    """A class or a graph holds something where it cannot be."""

    code: ClassVar[str] = "EZ-6003"
    component: str
    reason: str

    def sentence(self) -> str:
        return f"{self.component}: {self.reason}."


@declared_error
class InvalidEndpoint(ComponentError, TypeError):
    """An end of a connection is neither a stream, nor text, nor an enum member; ``endpoint`` is its repr."""

    code: ClassVar[str] = "EZ-6004"
    component: str
    endpoint: str
    reason: str

    def sentence(self) -> str:
        return f"{self.component} connects {self.endpoint}: {self.reason}."


@declared_error
class InvalidDecoration(ComponentError, ValueError):
    """A decorator was given something that it cannot use."""

    code: ClassVar[str] = "EZ-6005"
    decorator: str
    function: str
    reason: str

    def sentence(self) -> str:
        return f"@{self.decorator} on {self.function}: {self.reason}."


@declared_error
class SecondMain(ComponentError, RuntimeError):
    """A unit, or a process, would have two ``@main`` functions."""

    code: ClassVar[str] = "EZ-6006"
    component: str
    mains: list[str]

    def sentence(self) -> str:
        return (
            f"{self.component} has more than one main: {', '.join(self.mains)}. The main thread runs one; use "
            "@thread for the others, or a process of its own for each."
        )


@declared_error
class NameAlreadySet(ComponentError, AssertionError):
    """A name or a location is given to something that has one; ``part`` says which."""

    code: ClassVar[str] = "EZ-6007"
    component: str
    part: str
    given: str

    def sentence(self) -> str:
        return (
            f"{self.component} already has a {self.part} and cannot take {self.given!r}. A component has one "
            "place in one graph: make another instance for another place or another run."
        )


@declared_error
class AddressNotSet(ComponentError, AssertionError):
    """An address was asked of something that has no place in a graph yet."""

    code: ClassVar[str] = "EZ-6008"
    component: str

    def sentence(self) -> str:
        return f"{self.component} has no address yet. It gets one when the graph is run."


# --- 62xx: running a graph ----------------------------------------------------------------------------------


class RunError(EzmsgError, RuntimeError):
    """A run did not come to a good end."""


@declared_error
class RunFailed(RunError):
    """Something in a running graph died; ``failures`` are sentences, the first is the cause."""

    code: ClassVar[str] = "EZ-6201"
    failures: list[str]

    def sentence(self) -> str:
        return f"The graph was stopped, because {_joined(self.failures)}. The log above has the details."


@declared_error
class GraphRunnerStartError(RunError):
    """A graph could not be started."""

    code: ClassVar[str] = "EZ-6202"
    failures: list[str]

    def sentence(self) -> str:
        return f"The graph could not be started: {_joined(self.failures)}."


@declared_error
class RunnerMisused(RunError):
    """A runner was asked for something that it cannot do in its present state."""

    code: ClassVar[str] = "EZ-6203"
    reason: str

    def sentence(self) -> str:
        return f"{self.reason}."


# --- 63xx: what a command line asks for --------------------------------------------------------------------------


class CommandError(EzmsgError):
    """A command cannot be carried out."""


@declared_error
class PackageMissing(CommandError, ImportError):
    """Something needs a distribution that is not installed; ``feature`` begins the sentence.

    ``requirement`` is what to install where that is more than the package: one that asks for ``ezmsg`` by itself
    could bring the public one over ours.
    """

    code: ClassVar[str] = "EZ-6301"
    feature: str
    package: str
    requirement: str = ""

    def sentence(self) -> str:
        what = f"'{self.requirement}'" if self.requirement else self.package
        return f"{self.feature} needs {self.package}, which is not installed. Run: pip install {what}"


@declared_error
class UnknownCommand(CommandError, ValueError):
    """A word was given that is no command, or no option of one; ``choices`` are those there are."""

    code: ClassVar[str] = "EZ-6302"
    given: str
    choices: list[str]

    def sentence(self) -> str:
        return f"There is no {self.given!r} here. Choose one of {', '.join(self.choices)}."


@declared_error
class ProgramNotLoaded(CommandError, ImportError):
    """A file or module cannot be imported to see what is in it."""

    code: ClassVar[str] = "EZ-6303"
    source: str
    reason: str

    def sentence(self) -> str:
        return f"{self.source} cannot be loaded: {self.reason}."


@declared_error
class NothingToRun(CommandError, LookupError):
    """There is nothing under a name, or not one thing only; ``choices`` are what there is."""

    code: ClassVar[str] = "EZ-6304"
    source: str
    reason: str
    choices: list[str] = field(factory=list)

    def sentence(self) -> str:
        there = f" There is: {', '.join(self.choices)}." if self.choices else ""
        return f"{self.source}: {self.reason}.{there}"


@declared_error
class SettingsNotGiven(CommandError, ValueError):
    """Settings without a default were not given; ``missing`` are as they are written on a command line."""

    code: ClassVar[str] = "EZ-6305"
    component: str
    missing: list[str]

    def sentence(self) -> str:
        return f"{self.component} needs settings that have no default. Add: {' '.join(self.missing)}"


def _joined(failures: list[str]) -> str:
    """Put sentences, some of which bring their full stop, into the middle of one."""
    return "; ".join(failure.rstrip(".") for failure in failures)
