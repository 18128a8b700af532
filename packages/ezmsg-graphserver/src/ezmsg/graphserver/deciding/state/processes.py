"""Operating-system processes and the units they own: a unit runs in one process."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from uuid import UUID

from attrs import define, field, frozen

from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.deciding.state import index
from ezmsg.protocol.errors import DuplicateIdentity, OwnershipCollision, UnitNotOwned, UnknownProcess
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration
from ezmsg.protocol.model.snapshot import ProcessState, SnapshotProcess


@define
class Process:
    """One registered process, and the client that it is."""

    id: UUID
    peer: PeerId
    client_id: UUID
    pid: int
    host: str
    units: set[str]
    starting: set[str]

    @property
    def answers_for(self) -> set[str]:
        """The units that it owns, and those that are still set up there."""
        return self.units | self.starting

    def shown(self, state: ProcessState) -> SnapshotProcess:
        """Return what a snapshot shows of it."""
        return SnapshotProcess(self.id, self.pid, self.host, sorted(self.units), sorted(self.starting), state)


@frozen
class OwnershipChange:
    """Whether anything about a process changed, and which units it owns no more."""

    changed: bool
    lost: set[str] = field(factory=set)


class Processes:
    """Every registered process, and which of them owns which unit, or will when it is set up."""

    def __init__(self) -> None:
        self._processes: dict[UUID, Process] = {}
        self._owner: dict[str, UUID] = {}
        self._of_peer: dict[PeerId, set[UUID]] = {}

    @property
    def units(self) -> Collection[str]:
        """The units that are owned, or still set up."""
        return self._owner.keys()

    def register(
        self, process_id: UUID, peer: PeerId, client_id: UUID, registration: ProcessRegistration
    ) -> OwnershipChange:
        """Let a process join, or say anew what it owns; return what changed.

        :raises DuplicateIdentity: if another client has that id.
        :raises OwnershipCollision: if other processes own some of the units; all are named, nothing is kept.
        """
        known = self._processes.get(process_id)
        if known is not None and known.client_id != client_id:
            raise DuplicateIdentity(role="process", identity=str(process_id))
        self._check_collisions(process_id, {*registration.units, *registration.starting})
        units = set(registration.units)
        starting = set(registration.starting) - units
        process = Process(process_id, peer, client_id, registration.pid, registration.host, units, starting)
        if known is not None:
            self._forget(known)
        self._processes[process_id] = process
        index.add(self._of_peer, peer, process_id)
        self._own(process)
        if known is None:
            return OwnershipChange(changed=True)
        before = (known.pid, known.host, known.units, known.starting)
        changed = before != (process.pid, process.host, units, starting)
        return OwnershipChange(changed, known.units - units)

    def update(self, process_id: UUID, peer: PeerId, update: ProcessOwnershipUpdate) -> OwnershipChange:
        """Let a process give up units, then gain others; return what changed.

        :raises UnknownProcess: if it is not registered on that connection.
        :raises OwnershipCollision: if other processes own some of the units; all are named, nothing is kept.
        """
        process = self._require(process_id, peer)
        self._check_collisions(process_id, update.added_units)
        added, removed = set(update.added_units), set(update.removed_units)
        before, starting = process.units, process.starting
        self._disown(process.answers_for & removed)
        process.units = (before - removed) | added
        process.starting = starting - removed - added
        self._own(process)
        changed = (process.units, process.starting) != (before, starting)
        return OwnershipChange(changed, before - process.units)

    def owner_of(self, unit: str) -> Process | None:
        """Return the process that owns a unit, or is setting it up."""
        process_id = self._owner.get(unit)
        return None if process_id is None else self._processes[process_id]

    def find(self, process_id: UUID) -> Process | None:
        """Return the process of an id."""
        return self._processes.get(process_id)

    def require_ownership(self, process_id: UUID, peer: PeerId, unit: str) -> None:
        """Refuse what a process says of a unit that it does not own.

        :raises UnknownProcess: if it is not registered on that connection.
        :raises UnitNotOwned: if the unit is not its own.
        """
        if unit not in self._require(process_id, peer).units:
            raise UnitNotOwned(unit=unit, process=str(process_id))

    def drop_peer(self, peer: PeerId) -> list[Process]:
        """Forget the processes of a client that is gone; return them, sorted by their ids."""
        gone = self.of_peer(peer)
        for process in gone:
            self._forget(process)
        return gone

    def of_peer(self, peer: PeerId) -> list[Process]:
        """Return the processes that a client is, sorted by their ids."""
        return [self._processes[process_id] for process_id in sorted(self._of_peer.get(peer, ()))]

    def snapshot(self, state_of: Callable[[PeerId], ProcessState]) -> dict[UUID, SnapshotProcess]:
        """Return every process with its units, sorted."""
        return {
            process_id: process.shown(state_of(process.peer))
            for process_id, process in sorted(self._processes.items())
        }

    def __len__(self) -> int:
        return len(self._processes)

    def __iter__(self) -> Iterator[Process]:
        """Go through the processes in the order of their ids."""
        return iter([process for _, process in sorted(self._processes.items())])

    @property
    def unit_owners(self) -> Mapping[str, UUID]:
        """Which process owns which unit, of those that are set up."""
        return {unit: owner for unit, owner in self._owner.items() if unit in self._processes[owner].units}

    def validate(self) -> None:
        """Assert every invariant. For tests."""
        owned = [(unit, process.id) for process in self._processes.values() for unit in process.answers_for]
        assert not any(process.units & process.starting for process in self._processes.values())
        assert self._of_peer == index.grouped((process.peer, process.id) for process in self._processes.values())
        assert self._owner == dict(owned)
        assert len(owned) == len(self._owner), "two processes own one unit"

    def _require(self, process_id: UUID, peer: PeerId) -> Process:
        process = self._processes.get(process_id)
        if process is None or process.peer != peer:
            raise UnknownProcess(process=str(process_id))
        return process

    def _check_collisions(self, process_id: UUID, units: Iterable[str]) -> None:
        owners = {unit: self._owner.get(unit, process_id) for unit in units}
        taken = sorted(unit for unit, owner in owners.items() if owner != process_id)
        if taken:
            raise OwnershipCollision(units=taken, processes=sorted({str(owners[unit]) for unit in taken}))

    def _forget(self, process: Process) -> None:
        del self._processes[process.id]
        index.discard(self._of_peer, process.peer, process.id)
        self._disown(process.answers_for)

    def _own(self, process: Process) -> None:
        self._owner.update(dict.fromkeys(process.answers_for, process.id))

    def _disown(self, units: Iterable[str]) -> None:
        for unit in units:
            del self._owner[unit]
