"""The view: all that the screens show, at one moment. Nothing in it is ever changed; a new one takes its place."""

from collections.abc import Mapping
from enum import Enum
from uuid import UUID

from attrs import field, frozen

from ezmsg.control.graph.history import Change
from ezmsg.control.process.faring import Fare
from ezmsg.control.profiling.blaming import Blame
from ezmsg.control.profiling.rates import Course
from ezmsg.protocol.model.process_control import ProcessStats
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot, ProcessProfilingTraceBatch
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import Edge, GraphSnapshot, SnapshotProcess
from ezmsg.tui.model.picture import Picture

JOURNAL_LIMIT = 2_000
HISTORY_LIMIT = 200
"""How many lines of the time line, and changes of one component's settings, are kept."""


class Link(Enum):
    """How we stand with the server."""

    WAITING = "waiting"
    """None was reached yet."""
    REFUSED = "refused"
    """It is there, and does not let us in."""
    LIVE = "live"
    LOST = "lost"
    """It was there; what is shown is the last that was seen."""


@frozen
class Contact:
    """The server, and how we stand with it; ``since_s`` is when that began, ``attempts`` how often it was tried."""

    link: Link = Link.WAITING
    server: str = ""
    reason: str = ""
    since_s: float = 0.0
    retry_at_s: float | None = None
    attempts: int = 0


class Kind(Enum):
    """Which row of the time line something belongs to."""

    TOPOLOGY = "topology"
    SETTINGS = "settings"
    PROCESS = "process"
    WARNING = "warning"
    OPERATOR = "operator"


@frozen
class Place:
    """Where in the application something is: a screen, and what is chosen there."""

    screen: str
    key: str = ""


@frozen
class Entry:
    """A line of the time line; ``at`` is wall time, ``number`` counts all lines from 1."""

    number: int
    at: float
    kind: Kind
    text: str
    place: Place | None = None


@frozen
class Departed:
    """A process that was there, and is not any more."""

    process: SnapshotProcess
    at_s: float


@frozen
class Tracing:
    """What is traced for this screen, until when at the latest, and what the last trace has brought."""

    until_s: float | None = None
    batches: tuple[ProcessProfilingTraceBatch, ...] = ()
    failures: Mapping[UUID, str] = field(factory=dict)

    @property
    def is_on(self) -> bool:
        """Whether anything is traced for us now."""
        return self.until_s is not None


@frozen
class View:
    """Everything that is known. ``now_s`` is the monotonic time of the last tick, ``wall`` its wall time."""

    contact: Contact = field(factory=Contact)
    now_s: float = 0.0
    wall: float = 0.0
    epoch: UUID | None = None
    snapshot: GraphSnapshot | None = None
    picture: Picture = field(factory=Picture)
    settings: Mapping[str, SettingsSnapshotValue] = field(factory=dict)
    settings_seq: int = 0
    histories: Mapping[str, tuple[Change, ...]] = field(factory=dict)
    courses: Mapping[str, Course] = field(factory=dict)
    counted: tuple[tuple[ProcessProfilingSnapshot, ...], ...] = ()
    silent: Mapping[UUID, str] = field(factory=dict)
    pressure: Mapping[Edge, float] = field(factory=dict)
    """Which part of the window the publisher of a flow has waited for whoever is at its other end."""
    blames: tuple[Blame, ...] = ()
    fares: Mapping[UUID, Fare] = field(factory=dict)
    stats: Mapping[UUID, ProcessStats] = field(factory=dict)
    tracers: frozenset[str] = frozenset()
    departed: tuple[Departed, ...] = ()
    journal: tuple[Entry, ...] = ()
    missed: int = 0
    """How many events the server had forgotten before we read them."""
    restarts: int = 0
    """How often another run of the server has taken the place of the one before."""
    tracing: Tracing = field(factory=Tracing)

    @property
    def is_live(self) -> bool:
        """Whether what is shown is what is."""
        return self.contact.link is Link.LIVE

    @property
    def has_graph(self) -> bool:
        """Whether there is anything to show of a graph."""
        return bool(self.picture.units or self.picture.sessions or self.picture.processes)
