"""2xxx: the rules of the graph."""

from typing import ClassVar

from ezmsg.protocol.declared import declared_error
from ezmsg.protocol.errors.root import EzmsgError


class GraphError(EzmsgError):
    """A change that the rules of the graph refuse; nothing of it was kept."""


@declared_error
class ComponentCollision(GraphError, RuntimeError):
    """Another session already describes components of these addresses."""

    code: ClassVar[str] = "EZ-2001"
    addresses: list[str]
    sessions: list[str]

    def sentence(self) -> str:
        return (
            f"component address collision(s): {', '.join(self.addresses)} already registered by session "
            f"{', '.join(self.sessions)}. Give this program another root name, or stop the other one."
        )


@declared_error
class OwnershipCollision(GraphError, RuntimeError):
    """Other processes already own these units."""

    code: ClassVar[str] = "EZ-2002"
    units: list[str]
    processes: list[str]

    def sentence(self) -> str:
        return (
            f"Process control command failed: unit(s) {', '.join(self.units)} already owned by process "
            f"{', '.join(self.processes)}. One unit runs in one process: rename it, or stop the other process."
        )


@declared_error
class CyclicException(GraphError):
    """An edge would close a cycle; ``path`` already leads from ``to_topic`` back to ``from_topic``."""

    code: ClassVar[str] = "EZ-2003"
    from_topic: str
    to_topic: str
    path: list[str]

    def sentence(self) -> str:
        return (
            f"{self.from_topic} -> {self.to_topic} would close a cycle: {' -> '.join(self.path)}. "
            "Messages may not come back to where they started; remove one of these edges first."
        )


@declared_error
class UnknownSession(GraphError, RuntimeError):
    """A message names a session that is not open on its connection."""

    code: ClassVar[str] = "EZ-2004"
    session: str

    def sentence(self) -> str:
        return f"Session {self.session} is not open on this connection. Open it first."


@declared_error
class InvalidTopic(GraphError, ValueError):
    """A topic's name is empty or too long."""

    code: ClassVar[str] = "EZ-2005"
    topic: str
    reason: str

    def sentence(self) -> str:
        return f"{self.topic[:80]!r} is not a topic: {self.reason}."


@declared_error
class UnknownEndpoint(GraphError, RuntimeError):
    """A message names a publisher or subscriber that is not declared on its connection."""

    code: ClassVar[str] = "EZ-2006"
    endpoint: str

    def sentence(self) -> str:
        return f"No publisher or subscriber {self.endpoint} is declared on this connection."


@declared_error
class DuplicateIdentity(GraphError, RuntimeError):
    """An id is already in use by somebody else; ``role`` is session, publisher, subscriber or process."""

    code: ClassVar[str] = "EZ-2007"
    role: str
    identity: str

    def sentence(self) -> str:
        return f"The {self.role} id {self.identity} is already in use. Take a new one."


@declared_error
class InvalidMetadata(GraphError, RuntimeError):
    """Metadata contradicts itself."""

    code: ClassVar[str] = "EZ-2008"
    reason: str

    def sentence(self) -> str:
        return f"The metadata was refused: {self.reason}. Nothing of it was kept."


@declared_error
class UnknownProcess(GraphError, RuntimeError):
    """A message names a process that is not registered on its connection."""

    code: ClassVar[str] = "EZ-2009"
    process: str

    def sentence(self) -> str:
        return f"Process {self.process} is not registered on this connection. Register it first."


@declared_error
class SettingsUnavailable(GraphError, RuntimeError):
    """The settings of a component cannot be changed now."""

    code: ClassVar[str] = "EZ-2010"
    component: str
    reason: str

    def sentence(self) -> str:
        return (
            f"The settings of {self.component} were not changed: {self.reason}. "
            "See in a snapshot which process owns it, and try again when one does."
        )


@declared_error
class StaleRevision(GraphError, RuntimeError):
    """The settings of a component have changed since whoever wants to change them has looked.

    ``actual`` is ``None`` if nothing is known of its settings.
    """

    code: ClassVar[str] = "EZ-2011"
    component: str
    expected: int
    actual: int | None

    def sentence(self) -> str:
        found = "nothing is known of them" if self.actual is None else f"they are at revision {self.actual}"
        return (
            f"The settings of {self.component} were expected at revision {self.expected}, but {found}. "
            "Look at them again before you change them."
        )


@declared_error
class UnitNotOwned(GraphError, RuntimeError):
    """A process speaks for a unit that it does not own."""

    code: ClassVar[str] = "EZ-2012"
    unit: str
    process: str

    def sentence(self) -> str:
        return (
            f"Process control command failed: process {self.process} does not own the unit {self.unit!r}. "
            "Add it to the process's units first."
        )
