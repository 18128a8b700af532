"""Two of one name: whoever comes second is refused with every name, and nothing of what it wanted is kept."""

from uuid import UUID

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.graphserver.deciding.descriptions import program

from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.deciding.effects import Fail, Moment, PeerId
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.errors import ComponentCollision, EzmsgError, OwnershipCollision
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.sessions import OpenSession, RegisterMetadata, TakeSnapshot
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration
from ezmsg.protocol.revisions import CURRENT

NOW = Moment(0.0, 0.0)
PEERS = [PeerId(number) for number in range(1, 5)]
NAMES = [f"U{number}" for number in range(12)]
"""Many more than there are peers, so that one request can collide with several owners, and in some names only."""

peers = st.sampled_from(PEERS)
wanted = st.lists(st.sampled_from(NAMES), max_size=6, unique=True)


@define
class Names:
    """Who has which name: all the model there is."""

    held: dict[PeerId, set[str]] = field(factory=dict)

    def taken(self, peer: PeerId, names: list[str]) -> tuple[list[str], list[PeerId]]:
        """Return which names others have, and who they are."""
        others = {name: other for other, held in self.held.items() if other != peer for name in held}
        taken = sorted(set(names) & others.keys())
        return taken, sorted({others[name] for name in taken})


def process_of(peer: PeerId) -> UUID:
    return UUID(int=100 + peer)


def session_of(peer: PeerId) -> UUID:
    return UUID(int=200 + peer)


class Claims(RuleBasedStateMachine):
    """Clients that claim units and components, each with a process and a session of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph(UUID(int=1), Configuration())
        self.units, self.components = Names(), Names()
        for peer in PEERS:
            self.graph.peer_joined(peer, Hello(CURRENT, "0", b"", UUID(int=peer), pid=peer, host="host"), NOW)
            self.ask(peer, OpenSession(session_of(peer)))

    def ask(self, peer: PeerId, body: object) -> EzmsgError | None:
        """Ask, and return why it was refused."""
        *_, answer = self.graph.request_received(peer, 1, body, NOW)
        return answer.error if isinstance(answer, Fail) else None

    def claim_units(self, peer: PeerId, body: object, names: list[str], after: set[str]) -> None:
        before = self.everything()
        taken, holders = self.units.taken(peer, names)
        refusal = self.ask(peer, body)
        if taken:
            assert isinstance(refusal, OwnershipCollision)
            assert refusal.units == taken
            assert refusal.processes == [str(process_of(holder)) for holder in holders]
            assert all(name in refusal.sentence() for name in taken)
            assert self.everything() == before, "something of what was refused is kept"
        else:
            assert refusal is None
            self.units.held[peer] = after

    @initialize()
    def begin(self) -> None:
        """Everybody has something that others can want."""
        for number, peer in enumerate(PEERS):
            names = NAMES[2 * number : 2 * number + 2]
            self.register(peer, names)
            self.describe(peer, names)

    @rule(peer=peers, names=wanted)
    def register(self, peer: PeerId, names: list[str]) -> None:
        body = RegisterProcess(process_of(peer), ProcessRegistration(peer, "host", names))
        self.claim_units(peer, body, names, set(names))

    @rule(peer=peers, added=wanted, removed=wanted)
    def update(self, peer: PeerId, added: list[str], removed: list[str]) -> None:
        body = UpdateOwnership(process_of(peer), ProcessOwnershipUpdate(added, removed))
        self.claim_units(peer, body, added, (self.units.held[peer] - set(removed)) | set(added))

    @rule(peer=peers, names=wanted)
    def describe(self, peer: PeerId, names: list[str]) -> None:
        before = self.everything()
        taken, holders = self.components.taken(peer, names)
        refusal = self.ask(peer, RegisterMetadata(session_of(peer), program(dict.fromkeys(names, 1.0))))
        if taken:
            assert isinstance(refusal, ComponentCollision)
            assert refusal.addresses == taken
            assert refusal.sessions == sorted(str(session_of(holder)) for holder in holders)
            assert all(name in refusal.sentence() for name in taken)
            assert self.everything() == before, "something of what was refused is kept"
        else:
            assert refusal is None
            self.components.held[peer] = set(names)

    def everything(self) -> tuple[str, str]:
        """Return all that clients can see, numbers of events included."""
        (shown,) = self.graph.request_received(PEERS[0], 1, TakeSnapshot(), NOW)
        return repr(shown), repr(self.graph.state.settings.values())

    @invariant()
    def everybody_has_what_the_model_says(self) -> None:
        snapshot = self.graph.state.snapshot()
        assert {process: set(known.units) for process, known in snapshot.processes.items()} == {
            process_of(peer): held for peer, held in self.units.held.items()
        }
        described = {
            session: set(known.metadata.components)
            for session, known in snapshot.sessions.items()
            if known.metadata is not None
        }
        assert described == {str(session_of(peer)): held for peer, held in self.components.held.items()}
        self.graph.state.validate()


TestClaims = Claims.TestCase
TestClaims.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=25)
