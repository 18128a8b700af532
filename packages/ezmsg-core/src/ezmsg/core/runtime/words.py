"""What the supervisor of a run and its workers say to each other, over one pipe for each worker."""

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.declared import declared

# --- orders: supervisor to worker ---------------------------------------------------------------------------


@declared
class Prepare:
    """Set up your units and endpoints; the graph server is at ``address``."""

    address: Address


@declared
class Go:
    """Everybody is ready: run."""


@declared
class Stop:
    """End your tasks, shut your units down, close your endpoints; if it is ``urgent``, no ``main`` may linger."""

    urgent: bool = False


Order = Prepare | Go | Stop

# --- reports: worker to supervisor --------------------------------------------------------------------------


@declared
class Ready:
    """Units and endpoints are set up."""


@declared
class Idle:
    """All tasks are done, and ``main`` is."""


@declared
class Terminate:
    """A unit raised NormalTermination: the run is over."""

    unit: str


@declared
class Failed:
    """A unit could not be set up, or a task died where tasks may not die."""

    unit: str
    reason: str


@declared
class Busy:
    """What is being done now, to be named if it never ends."""

    unit: str
    doing: str


@declared
class Stopped:
    """Everything is closed; the worker is about to leave."""


Report = Ready | Idle | Terminate | Failed | Busy | Stopped
