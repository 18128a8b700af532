"""What clients do to a graph, in any order: the rules that both forms of the property test have in common.

One form drives the pure graph, the other a real server over real connections. Each says in the methods at the top
and in rules of its own how that is done and what must come of it.
"""

import itertools
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.graphserver.deciding.descriptions import program, reported, unit
from tests.graphserver.deciding.model import Model

from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.sessions import (
    ClearSession,
    CloseSession,
    Connect,
    Disconnect,
    OpenSession,
    RegisterMetadata,
)
from ezmsg.protocol.messages.settings import ReportSettings
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration, ProcessSettingsUpdate

TOPICS = [f"T{number}" for number in range(5)]
ADDRESSES = ["A", "B", "C", "D"]
CLIENTS = [UUID(int=number) for number in range(101, 104)]
SESSIONS = [UUID(int=number) for number in range(1, 4)]
PROCESSES = [UUID(int=number) for number in range(31, 34)]

MOST_CONNECTIONS = 4
"""More than there are clients, so that one can be back before its dead connection is noticed."""

topics = st.sampled_from(TOPICS)
edges = st.tuples(topics, topics)
addresses = st.lists(st.sampled_from(ADDRESSES), unique=True)
gains = st.dictionaries(st.sampled_from(ADDRESSES), st.sampled_from([1.0, 2.0]))
reported_gains = st.sampled_from([1.0, 3.0])
sessions = st.sampled_from(SESSIONS)
processes = st.sampled_from(PROCESSES)
owners = st.sampled_from([None, *SESSIONS])
numbers = st.integers(0, 4 * MOST_CONNECTIONS - 1)
"""Who asks: mostly whoever has the thing, so that most requests are granted; the last few mean anybody."""

somebody_is_there = precondition(lambda self: self.model.peers)


class ClientRules(RuleBasedStateMachine):
    """Clients that connect, ask and vanish, beside the model that knows what must come of it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.counter = itertools.count(1)

    # --- what a form has to say ---------------------------------------------------------------------------

    def join_as(self, who: int, client: UUID) -> None:
        """Connect to the server; the model knows already. Each form has its own."""
        raise NotImplementedError

    def ask(self, who: int, body: object) -> None:
        """Ask the model and the server, and see that both answer the same."""
        raise NotImplementedError

    def settle_in(self, places: list[str]) -> None:
        """Do what a form needs before the first step, with six topics for it."""

    def say_again(self, before: int, now: int) -> None:
        """Repeat on a new connection what else a client had on its old one."""

    def anybody(self, number: int, holder: int | None = None) -> int:
        """Choose who asks."""
        connected = sorted(self.model.peers)
        if number < 3 * MOST_CONNECTIONS and holder in connected:
            return holder
        return connected[number % len(connected)]

    # --- connections --------------------------------------------------------------------------------------

    @initialize(start=st.lists(edges, max_size=15), places=st.lists(topics, min_size=6, max_size=6))
    def begin(self, start: list[tuple[str, str]], places: list[str]) -> None:
        """Three programs, each with a session, a process and a unit, and a few edges: so that much can collide."""
        for number, client in enumerate(CLIENTS):
            self.join(client)
            who = max(self.model.peers)
            self.ask(who, OpenSession(SESSIONS[number]))
            self.ask(who, RegisterMetadata(SESSIONS[number], program({ADDRESSES[number]: 1.0})))
            registration = ProcessRegistration(who, "host", [ADDRESSES[number]])
            self.ask(who, RegisterProcess(PROCESSES[number], registration))
        self.settle_in(places)
        for number, edge in enumerate(start):
            self.connect(0, SESSIONS[number % 3], edge)

    @precondition(lambda self: len(self.model.peers) < MOST_CONNECTIONS)
    @rule(client=st.sampled_from(CLIENTS))
    def join(self, client: UUID) -> None:
        who = next(self.counter)
        self.model.join(who, client)
        self.join_as(who, client)

    @precondition(lambda self: 0 < len(self.model.peers) < MOST_CONNECTIONS)
    @rule(number=numbers)
    def reconnect(self, number: int) -> None:
        """A client is back before its dead connection is noticed, and says again what it has."""
        before = self.anybody(number)
        self.join(self.model.peers[before])
        now = max(self.model.peers)
        for session in sorted(one for one, known in self.model.sessions.items() if known.who == before):
            known = self.model.sessions[session]
            self.ask(now, OpenSession(session, known.incarnation + 1))
            for edge in sorted(edge for edge, holders in self.model.owners.items() if session in holders):
                self.ask(now, Connect(*edge, session))
            if known.metadata is not None:
                self.ask(now, RegisterMetadata(session, known.metadata))
        for process in sorted(one for one, running in self.model.processes.items() if running.who == before):
            running = self.model.processes[process]
            registration = ProcessRegistration(
                running.pid, running.host, sorted(running.units), sorted(running.starting)
            )
            self.ask(now, RegisterProcess(process, registration))
        self.say_again(before, now)

    # --- sessions -----------------------------------------------------------------------------------------

    def holder_of_session(self, number: int, session: UUID | None) -> int:
        known = None if session is None else self.model.sessions.get(session)
        return self.anybody(number, None if known is None else known.who)

    @somebody_is_there
    @rule(number=numbers, session=sessions, incarnation=st.integers(0, 4))
    def open_session(self, number: int, session: UUID, incarnation: int) -> None:
        self.ask(self.anybody(number), OpenSession(session, incarnation))

    @somebody_is_there
    @rule(number=numbers, session=sessions)
    def close_session(self, number: int, session: UUID) -> None:
        self.ask(self.holder_of_session(number, session), CloseSession(session))

    @somebody_is_there
    @rule(number=numbers, session=sessions)
    def clear_session(self, number: int, session: UUID) -> None:
        self.ask(self.holder_of_session(number, session), ClearSession(session))

    @somebody_is_there
    @rule(number=numbers, session=sessions, described=gains, wrong=st.sampled_from([None, None, None, "", "other"]))
    def register(self, number: int, session: UUID, described: dict[str, float], wrong: str | None) -> None:
        """Describe components, one of them perhaps under another address than its own."""
        metadata = program(described)
        if wrong is not None:
            metadata.components[wrong] = unit("another")
        self.ask(self.holder_of_session(number, session), RegisterMetadata(session, metadata))

    # --- edges --------------------------------------------------------------------------------------------

    @somebody_is_there
    @rule(number=numbers, owner=owners, edge=edges)
    def connect(self, number: int, owner: UUID | None, edge: tuple[str, str]) -> None:
        self.ask(self.holder_of_session(number, owner), Connect(*edge, owner))

    @somebody_is_there
    @rule(number=numbers, owner=owners, edge=edges)
    def disconnect(self, number: int, owner: UUID | None, edge: tuple[str, str]) -> None:
        self.ask(self.holder_of_session(number, owner), Disconnect(*edge, owner))

    @precondition(lambda self: self.model.peers and self.model.owners)
    @rule(number=numbers, owner=owners, choice=st.integers(0, 99))
    def share(self, number: int, owner: UUID | None, choice: int) -> None:
        """Own an edge that is there."""
        edge = sorted(self.model.owners)[choice % len(self.model.owners)]
        self.ask(self.holder_of_session(number, owner), Connect(*edge, owner))

    @precondition(lambda self: self.model.peers and self.model.owners)
    @rule(number=numbers, choice=st.integers(0, 99))
    def let_go(self, number: int, choice: int) -> None:
        """Give up an edge that is there, as one of its owners."""
        held = sorted(
            (edge, str(owner or ""), owner) for edge, holders in self.model.owners.items() for owner in holders
        )
        edge, _, owner = held[choice % len(held)]
        self.ask(self.holder_of_session(number, owner), Disconnect(*edge, owner))

    @precondition(lambda self: self.model.peers and self.model.owners)
    @rule(number=numbers, owner=owners, choice=st.integers(0, 99))
    def turn_back(self, number: int, owner: UUID | None, choice: int) -> None:
        """Try to close a cycle with an edge that is there."""
        back = sorted(self.model.owners)[choice % len(self.model.owners)]
        ends = sorted(self.model.reach([back.to_topic]))
        self.ask(self.holder_of_session(number, owner), Connect(ends[choice % len(ends)], back.from_topic, owner))

    @somebody_is_there
    @rule(number=numbers, owner=owners, first=st.booleans(), removal=st.booleans())
    def name_no_topic(self, number: int, owner: UUID | None, first: bool, removal: bool) -> None:
        edge = ("", "T0") if first else ("T0", "")
        request = Disconnect if removal else Connect
        self.ask(self.holder_of_session(number, owner), request(*edge, owner))

    # --- settings -----------------------------------------------------------------------------------------

    @somebody_is_there
    @rule(
        number=numbers,
        process=processes,
        unit=st.sampled_from(ADDRESSES),
        gain=reported_gains,
        restored=st.sampled_from([None, None, 0, 5]),
    )
    def report_settings(self, number: int, process: UUID, unit: str, gain: float, restored: int | None) -> None:
        """A process says what a unit has, mostly one of its own, perhaps because it lost the server for a while."""
        known = self.model.processes.get(process)
        if known is not None and known.units and number < 3 * MOST_CONNECTIONS:
            unit = sorted(known.units)[ADDRESSES.index(unit) % len(known.units)]
        update = ProcessSettingsUpdate(unit, reported(gain, restored or 0), 5.0)
        self.ask(self.holder_of_process(number, process), ReportSettings(process, update, restored))

    # --- processes ----------------------------------------------------------------------------------------

    def holder_of_process(self, number: int, process: UUID) -> int:
        known = self.model.processes.get(process)
        return self.anybody(number, None if known is None else known.who)

    @somebody_is_there
    @rule(number=numbers, process=processes, units=addresses, starting=addresses, pid=st.integers(1, 2))
    def register_process(self, number: int, process: UUID, units: list[str], starting: list[str], pid: int) -> None:
        registration = ProcessRegistration(pid, "host", units, starting)
        self.ask(self.holder_of_process(number, process), RegisterProcess(process, registration))

    @somebody_is_there
    @rule(number=numbers, process=processes, added=addresses, removed=addresses)
    def update_ownership(self, number: int, process: UUID, added: list[str], removed: list[str]) -> None:
        update = ProcessOwnershipUpdate(added, removed)
        self.ask(self.holder_of_process(number, process), UpdateOwnership(process, update))
