"""The errors that only a client of the control plane can meet: 4xxx of the tree in :mod:`ezmsg.protocol.errors`.

::

    EzmsgError
    └── ControlError               4xxx  using the control plane
        ├── StreamOverrun
        ├── InvalidTimeout               also a ValueError
        ├── UnknownFormat                also a ValueError
        ├── ProcessNotConnected          also a RuntimeError
        ├── ProcessRequestFailed         also a RuntimeError
        ├── UnexpectedPayload            also a RuntimeError
        ├── NoSettingsInput              also a RuntimeError
        ├── UnknownTarget                also a LookupError
        ├── SeveralServers
        ├── InvalidAssignment            also a ValueError
        ├── NothingToUndo                also a LookupError
        ├── SettingsCoercionError  41xx  changing settings; all are ValueErrors
        │   ├── InvalidSettingsValue
        │   ├── UnknownSettingsField
        │   ├── SettingsRefused
        │   └── SettingsFixed
        ├── MeasuringError         43xx  finding out where time goes
        │   ├── InvalidWindow            also a ValueError
        │   ├── NobodyPublishes          also a LookupError
        │   └── MissingExtra             also an ImportError
        └── MixedInstallation      44xx  also an ImportError
"""

from typing import ClassVar

from attrs import field

from ezmsg.protocol.declared import declared_error
from ezmsg.protocol.errors import EzmsgError

_SOME = 8  # names in a sentence


class ControlError(EzmsgError):
    """A fault in how the control plane is used."""


@declared_error
class StreamOverrun(ControlError, RuntimeError):
    """A stream's items came faster than they were read; those read until now are complete."""

    code: ClassVar[str] = "EZ-4001"
    stream: str
    limit: int

    def sentence(self) -> str:
        return (
            f"The stream {self.stream} was read too slowly: {self.limit} items wait, and more came. "
            "Follow it again after the last sequence number that was read, and do slow work elsewhere."
        )


@declared_error
class InvalidTimeout(ControlError, ValueError):
    """An operation was given a time that cannot be waited for."""

    code: ClassVar[str] = "EZ-4002"
    operation: str
    seconds: float | None

    def sentence(self) -> str:
        given = "without end" if self.seconds is None else f"{self.seconds} s"
        return f"{self.operation} cannot wait {given}. Give it a finite number of seconds from 0 on."


@declared_error
class UnknownFormat(ControlError, ValueError):
    """A graph was asked for in a form that nobody knows to write."""

    code: ClassVar[str] = "EZ-4003"
    format: str
    formats: list[str]

    def sentence(self) -> str:
        return f"A graph cannot be written as {self.format!r}. Choose one of {', '.join(self.formats)}."


@declared_error
class ProcessNotConnected(ControlError, RuntimeError):
    """A process asked something of the graph server before it was connected, or after it was closed."""

    code: ClassVar[str] = "EZ-4004"
    operation: str

    def sentence(self) -> str:
        return f"{self.operation} needs a process that is connected. Call connect() first, and close() last."


@declared_error
class ProcessRequestFailed(ControlError, RuntimeError):
    """A request to the process of a unit failed; ``error_code`` names a `ProcessControlErrorCode`."""

    code: ClassVar[str] = "EZ-4005"
    error_code: str
    reason: str

    def sentence(self) -> str:
        return f"Process request failed ({self.error_code}): {self.reason}"


@declared_error
class UnexpectedPayload(ControlError, RuntimeError):
    """The payload of a request or a response is not what was expected of it."""

    code: ClassVar[str] = "EZ-4006"
    expected: str
    reason: str

    def sentence(self) -> str:
        return (
            f"Unexpected process payload: {self.expected} was expected, and {self.reason}. Ask for the type that "
            "the other side sends, or take the bytes as they are."
        )


@declared_error
class NoSettingsInput(ControlError, RuntimeError):
    """A component has no topic on which it takes settings while it runs."""

    code: ClassVar[str] = "EZ-4007"
    component: str

    def sentence(self) -> str:
        return (
            f"Component {self.component!r} does not expose dynamic settings metadata. Give its class an "
            "InputStream named INPUT_SETTINGS, see that its program runs, or name the topic yourself."
        )


@declared_error
class UnknownTarget(ControlError, LookupError):
    """What was named on a command line is nothing, or several things.

    ``near`` are those that may be meant, ``known`` all there are; ``by`` is how it can be named.
    """

    code: ClassVar[str] = "EZ-4008"
    kind: str
    target: str
    near: list[str]
    known: list[str] = field(factory=list)
    by: str = "an address"

    def sentence(self) -> str:
        if self.near and all(each.startswith(self.target) for each in self.near):
            several = f"{self.target!r} begins several: {', '.join(self.near)}."
            return f"{several} Write more of the one that is meant."
        nothing = f"No {self.kind} has {self.by} that is {self.target!r} or begins so."
        if self.near:
            return f"{nothing} Is one of these meant: {', '.join(self.near)}?"
        if not self.known:
            return f"{nothing} There is none at all."
        more = f" and {len(self.known) - _SOME} more" if len(self.known) > _SOME else ""
        return f"{nothing} There are: {', '.join(self.known[:_SOME])}{more}."


@declared_error
class SeveralServers(ControlError):
    """It was not said which of several running graph servers is meant."""

    code: ClassVar[str] = "EZ-4009"
    addresses: list[str]
    graphs: list[str] = field(factory=list)

    def sentence(self) -> str:
        which = "; ".join(self.graphs or self.addresses)
        return (
            f"Several graphs of yours run here, and nobody said which one is meant: {which}. Name one with "
            f"EZMSG_GRAPHSERVER_ADDR={self.addresses[0]}, as an argument, or with --address."
        )


@declared_error
class InvalidAssignment(ControlError, ValueError):
    """What should say which field becomes what does not; ``text`` is empty if nothing does.

    ``twice``: it would, but for another one before that assigns the same field.
    """

    code: ClassVar[str] = "EZ-4010"
    text: str
    twice: bool = False

    def sentence(self) -> str:
        if not self.text:
            return "Nothing says which field becomes what. Write FIELD=VALUE like cutoff=60, once or more."
        if self.twice:
            return f"{self.text[:80]!r} sets a field that is set already. Name each field once."
        return f"{self.text[:80]!r} is no FIELD=VALUE. Write it like cutoff=60."


@declared_error
class NothingToUndo(ControlError, LookupError):
    """No change of a component's settings is known that could be taken back.

    ``lost``: there is one, and what was before it, or a part of that, was never told.
    """

    code: ClassVar[str] = "EZ-4011"
    component: str
    revision: int | None = None
    lost: bool = False

    def sentence(self) -> str:
        which = "" if self.revision is None else f" that made revision {self.revision}"
        if self.lost:
            return (
                f"The change{which} of {self.component} cannot be taken back: not all that was before it was told, "
                "as it was too large, or was not there. Set the fields yourself."
            )
        return (
            f"No change{which} of the settings of {self.component} is known that could be taken back: nothing was "
            "changed, or so long ago that the server has forgotten it."
        )


@declared_error
class ServerNotStarted(ControlError, RuntimeError):
    """A graph server was started, and ended or did not answer."""

    code: ClassVar[str] = "EZ-4012"
    address: str
    reason: str

    def sentence(self) -> str:
        return f"No graph server could be started at {self.address}: {self.reason.rstrip('.')}."


class SettingsCoercionError(ControlError, ValueError):
    """Settings cannot be changed as asked; the settings there are stay as they were."""


@declared_error
class InvalidSettingsValue(SettingsCoercionError):
    """A value is not what a field allows; ``value`` is its repr, ``allowed`` says what would be."""

    code: ClassVar[str] = "EZ-4101"
    path: str
    value: str
    allowed: str

    def sentence(self) -> str:
        return f"{self.path} cannot be {self.value}: it takes {self.allowed}. Nothing was changed."


@declared_error
class UnknownSettingsField(SettingsCoercionError):
    """A path leads to nothing that can be set."""

    code: ClassVar[str] = "EZ-4102"
    path: str
    reason: str

    def sentence(self) -> str:
        return f"There is nothing to set at {self.path!r}: {self.reason}. Nothing was changed."


@declared_error
class SettingsRefused(SettingsCoercionError):
    """The settings type itself, or a validator of the field, refused a value of the right form."""

    code: ClassVar[str] = "EZ-4103"
    path: str
    value: str
    reason: str

    def sentence(self) -> str:
        return f"{self.path} cannot be {self.value}: {self.reason}. Nothing was changed."


@declared_error
class SettingsFixed(SettingsCoercionError):
    """A component takes no settings while it runs."""

    code: ClassVar[str] = "EZ-4104"
    component: str

    def sentence(self) -> str:
        return (
            f"{self.component} takes no settings while it runs: it has no InputStream named INPUT_SETTINGS that "
            "one of its functions subscribes to. Nothing was changed. Give its class both, and "
            "it takes them."
        )


class MeasuringError(ControlError):
    """Where time goes cannot be found out, or not be written, as asked."""


@declared_error
class InvalidWindow(MeasuringError, ValueError):
    """Something was to be measured for a time in which nothing can be measured."""

    code: ClassVar[str] = "EZ-4301"
    what: str
    seconds: float

    def sentence(self) -> str:
        return (
            f"{self.what} cannot be measured for {self.seconds:g} s. Give it a finite time above 0, long enough "
            "for some messages."
        )


@declared_error
class NobodyPublishes(MeasuringError, LookupError):
    """A topic has no publisher whose waiting could be measured; ``topics`` are those that have one.

    The empty topic stands for any.
    """

    code: ClassVar[str] = "EZ-4302"
    topic: str
    topics: list[str]

    def sentence(self) -> str:
        known = f"Those that have one: {', '.join(self.topics)}." if self.topics else "Nor has any other topic."
        if not self.topic:
            return "No process that answers has a publisher. See what runs with: ezmsg process"
        return f"No process that answers has a publisher on {self.topic!r}. {known}"


@declared_error
class MissingExtra(MeasuringError, ImportError):
    """What was asked for needs packages that are not installed."""

    code: ClassVar[str] = "EZ-4303"
    what: str
    requirement: str

    def sentence(self) -> str:
        return f"{self.what} needs an extra that is not installed. Install it: pip install '{self.requirement}'"


# --- 44xx: what is installed ----------------------------------------------------------------------------------


@declared_error
class MixedInstallation(ControlError, ImportError):
    """The public package's files lie over ours: what is imported is some of each."""

    code: ClassVar[str] = "EZ-4401"
    public: str
    ours: str

    def sentence(self) -> str:
        return (
            f"The public ezmsg {self.public} is installed over ezmsg-core {self.ours}, and neither works so. "
            "Run: pip uninstall ezmsg, then install ours again, ezmsg too, with pip install --force-reinstall; "
            "python -m ezmsg.control doctor writes the whole line."
        )
