"""What the supervisor of a run and its workers say to each other, over one pipe for each worker."""

from ezmsg.protocol.addresses import Address
from ezmsg.protocol.declared import declared

# --- orders: supervisor to worker ---------------------------------------------------------------------------


@declared
class Prepare:
    """Set up your units and endpoints; the graph server is at ``address``.

    ``when_dead`` is what is done when the worker dies, ``restarts`` how often it was started again: for who asks.
    """

    address: Address
    when_dead: str = ""
    restarts: int = 0


@declared
class Go:
    """Everybody is ready: run."""


@declared
class Stop:
    """End your tasks, shut your units down, close your endpoints; if it is ``urgent``, no ``main`` may linger."""

    urgent: bool = False


@declared
class Look:
    """Say what you are doing, and at which line of the user's code."""


Order = Prepare | Go | Stop | Look

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
class Signalled:
    """A signal that asks for the end has reached the worker's process: SIGTERM, or SIGHUP."""

    number: int


@declared
class DriedUp:
    """No function of the worker begins by itself any more; those named in ``failed`` have ended by an exception."""

    failed: tuple[str, ...]


@declared
class Stopped:
    """Everything is closed; the worker is about to leave."""


Report = Ready | Idle | Terminate | Failed | Busy | DriedUp | Signalled | Stopped
