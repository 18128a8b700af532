"""Who of the clients is silent, what each is therefore taken for, and who was lost a moment ago.

Seconds are those of a clock that stands still while the server does; a client that never beats is not judged.
"""

from collections.abc import Collection
from uuid import UUID

from attrs import define

from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.protocol.model.snapshot import ProcessState, SnapshotProcess
from ezmsg.protocol.wire.presence.lease import Lease

DEAD_SHOWN_S = 60.0
"""For how long a snapshot names those that were lost, in seconds ..."""

DEAD_SHOWN = 32
"""... and how many of them at most."""


@define(eq=False)
class Held:
    """The lease of a client, and what it was last taken for."""

    lease: Lease
    state: ProcessState = ProcessState.ALIVE


class Leases:
    """The leases of all clients.

    :param margin_s: how late they may be looked at.
    """

    def __init__(self, lease_s: float, margin_s: float) -> None:
        self.lease_s = lease_s
        self._margin_s = margin_s
        self._held: dict[PeerId, Held] = {}
        self._dead: dict[UUID, tuple[float, SnapshotProcess]] = {}

    @property
    def patience_s(self) -> float:
        """For how long a host need not acknowledge what it is told, in seconds."""
        return self.lease_s - self._margin_s

    def open(self, peer: PeerId) -> None:
        """Hold a lease for a client."""
        self._held[peer] = Held(Lease(self.lease_s, self._margin_s))

    def close(self, peer: PeerId) -> None:
        """A client is gone."""
        self._held.pop(peer, None)

    def beaten(self, peer: PeerId, now_s: float, blocked_s: float) -> None:
        """A client beats."""
        if (held := self._held.get(peer)) is not None:
            held.lease.beaten(now_s, blocked_s)

    def heard(self, peers: Collection[PeerId], now_s: float) -> None:
        """Something has come from these clients."""
        for peer in peers:
            if (held := self._held.get(peer)) is not None:
                held.lease.heard(now_s)

    def quiet(self, now_s: float) -> list[PeerId]:
        """Return the clients that have not been heard for a while, and are to be told something."""
        return [peer for peer, held in self._held.items() if held.lease.wants_word(now_s)]

    def changed(self, now_s: float, gone: Collection[PeerId]) -> list[tuple[PeerId, ProcessState]]:
        """Return what clients are taken for now, of those that were taken for something else.

        :param gone: those whose hosts do not acknowledge what they are told.
        """
        changes = []
        for peer, held in self._held.items():
            state = ProcessState.DEAD if peer in gone else held.lease.judge(now_s, host_answers=True)
            if state is not held.state:
                held.state = state
                changes.append((peer, state))
        return changes

    def lose(self, peer: PeerId) -> bool:
        """Take a client for dead; return whether it was not before."""
        held = self._held.get(peer)
        if held is None or held.state is ProcessState.DEAD:
            return False
        held.state = ProcessState.DEAD
        return True

    def state_of(self, peer: PeerId) -> ProcessState:
        """Return what a client is taken for."""
        held = self._held.get(peer)
        return ProcessState.ALIVE if held is None else held.state

    def silent_s(self, peer: PeerId, now_s: float) -> float:
        """Return for how long a client has been silent."""
        held = self._held.get(peer)
        return 0.0 if held is None else held.lease.silent_s(now_s)

    # --- the dead -----------------------------------------------------------------------------------------

    def bury(self, process: SnapshotProcess, wall_s: float) -> None:
        """Remember a process that was lost with its host."""
        self._dead[process.process_id] = wall_s, process
        while len(self._dead) > DEAD_SHOWN:
            del self._dead[next(iter(self._dead))]

    def is_back(self, process_id: UUID) -> None:
        """A process is there, whatever was thought of it."""
        self._dead.pop(process_id, None)

    def dead(self) -> dict[UUID, SnapshotProcess]:
        """Return those that were lost a moment ago."""
        return {process_id: process for process_id, (_, process) in sorted(self._dead.items())}

    def forget_dead(self, wall_s: float) -> None:
        """Name those no more that were lost long ago."""
        for process_id, (lost_s, _) in list(self._dead.items()):
            if not 0 <= wall_s - lost_s < DEAD_SHOWN_S:
                del self._dead[process_id]
