"""What can become known, each a frozen class: the reducer has one function for each of them.

Times named ``_s`` are of the monotonic clock of whoever tells, in seconds; ``wall`` is wall time.
"""

from uuid import UUID

from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.model.process_control import ProcessStats
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot, ProcessProfilingTraceBatch
from ezmsg.protocol.model.settings import SettingsChangedEvent
from ezmsg.protocol.model.snapshot import GraphSnapshot
from ezmsg.protocol.model.topology import TopologyChangedEvent


@declared
class Ticked:
    """Time has passed. Wall time may jump, the other clock never goes back."""

    now_s: float
    wall: float


@declared
class Absent:
    """No server could be reached, or it does not let us in; it is tried again at ``retry_at_s``."""

    server: str
    reason: str
    retry_at_s: float
    refused: bool = False


@declared
class Connected:
    """A server has let us in; ``epoch`` names its run."""

    server: str
    epoch: UUID


@declared
class Lost:
    """The server that was there is gone."""

    reason: str


@declared
class GraphSeen:
    """The whole graph at one moment."""

    snapshot: GraphSnapshot


@declared
class SettingsSeen:
    """The settings of every component at one moment."""

    taken: SettingsTaken


@declared
class TopologyChanged:
    """An event of the graph; it says what to look at, and the next snapshot what is there."""

    event: TopologyChangedEvent


@declared
class SettingsChanged:
    """An event of a component's settings."""

    event: SettingsChangedEvent


@declared
class Missed:
    """Events of a stream that the server no longer had when we read on."""

    stream: str
    first: int
    last: int


@declared
class Counted:
    """What processes have counted; ``missing`` says why others did not answer."""

    processes: tuple[ProcessProfilingSnapshot, ...]
    missing: dict[UUID, str]


@declared
class Answer:
    """How one process answered when it was asked how it fares; ``failure`` says why it did not."""

    process_id: UUID
    stats: ProcessStats | None = None
    ping_s: float | None = None
    failure: str | None = None


@declared
class Fared:
    """How the processes fare that were asked."""

    answers: tuple[Answer, ...]


@declared
class TraceBegun:
    """Processes trace for us, until a time at the latest."""

    until_s: float


@declared
class TraceEnded:
    """Nothing is traced for us any more; this is what was, and why some processes are missing."""

    batches: tuple[ProcessProfilingTraceBatch, ...]
    failures: dict[UUID, str]


@declared
class Done:
    """Somebody at this screen has had something done, or was refused it."""

    text: str
    ok: bool = True


Fact = (
    Ticked
    | Absent
    | Connected
    | Lost
    | GraphSeen
    | SettingsSeen
    | TopologyChanged
    | SettingsChanged
    | Missed
    | Counted
    | Fared
    | TraceBegun
    | TraceEnded
    | Done
)
