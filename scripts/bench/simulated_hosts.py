"""Hosts that talk to the pure part of the graph server: what each has and says, and what becomes of it. No network.

Everything that is said goes through the codec, as over a socket, so that what the server keeps is its own, and the
processor time of reading, deciding and writing is known apart. Calls are answered at once.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from uuid import UUID

from ezmsg.graphserver.deciding.effects import Call, Effect, Fail, Moment, PeerId, Reply
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.messages.endpoints import Contact, DeclarePublisher, DeclareSubscriber
from ezmsg.protocol.messages.envelopes import Reply as ReplyEnvelope
from ezmsg.protocol.messages.envelopes import Request
from ezmsg.protocol.messages.handshake import Hello
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.sessions import Connect, Done, OpenSession, RegisterMetadata
from ezmsg.protocol.messages.settings import ReportSettings
from ezmsg.protocol.model.metadata import (
    DynamicSettingsMetadata,
    GraphMetadata,
    InputStreamMetadata,
    OutputStreamMetadata,
    StreamMetadata,
    UnitMetadata,
)
from ezmsg.protocol.model.process_control import ProcessRegistration, ProcessSettingsUpdate
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.revisions import CURRENT
from ezmsg.protocol.wire.codec import body_from_wire, encode, to_wire, unpack_map

OUTLETS, PASSAGES, INLETS = 4, 2, 4
TOPICS = OUTLETS + PASSAGES + INLETS
INSIDE = OUTLETS * PASSAGES + PASSAGES * INLETS + OUTLETS * INLETS
EDGES = 5 * TOPICS
ACROSS = EDGES - INSIDE
ENTRIES = 100
"""What a host has: topics, edges of which some lead to other hosts' inlets, and components that it describes."""
FEWEST_HOSTS = 3
"""With fewer there are not enough inlets for the edges that lead elsewhere."""

Heard = Sequence[Sequence[UUID]]
"""Whom each of a host's subscribers hears; empty where none was there before."""

REQUEST_S = 30e-6
"""How far the simulated clock goes on with each request: 1,000 hosts say all they have in two seconds."""
LOOP_S = 1e-3
"""How exactly an event loop's timer fires: what is due within it is done in one go."""


def identity(host: int, role: int) -> UUID:
    return UUID(int=(host + 1) << 32 | role)


def outlet(host: int, number: int) -> str:
    return f"HOST{host:05}/STAGE{number}/OUTPUT"


def passage(host: int, number: int) -> str:
    return f"HOST{host:05}/GROUP{number}/INPUT"


def inlet(host: int, number: int) -> str:
    return f"HOST{host:05}/SINK{number}/INPUT"


def edges(host: int, hosts: int) -> Iterator[tuple[str, str]]:
    """Yield a host's edges: all that lead from its outlets to its inlets, past its passages too, and some across.

    They lead only onward from an outlet, so no choice of hosts makes a cycle.
    """
    for start in range(OUTLETS):
        yield from ((outlet(host, start), passage(host, through)) for through in range(PASSAGES))
        yield from ((outlet(host, start), inlet(host, end)) for end in range(INLETS))
    for through in range(PASSAGES):
        yield from ((passage(host, through), inlet(host, end)) for end in range(INLETS))
    # Always the same ones, since a host that comes back says the edges that it had.
    for choice in _always_the_same(host).sample(range(OUTLETS * INLETS * (hosts - 1)), ACROSS):
        other, pair = divmod(choice, OUTLETS * INLETS)
        start, end = divmod(pair, INLETS)
        yield outlet(host, start), inlet((host + 1 + other) % hosts, end)


def _always_the_same(seed: int) -> Random:
    return Random(seed)  # noqa: S311  nothing secret is made of it


def units(host: int) -> list[str]:
    """Name a host's units: those with topics, and others inside them."""
    with_topics = [f"HOST{host:05}/STAGE{n}" for n in range(OUTLETS)] + [
        f"HOST{host:05}/SINK{n}" for n in range(INLETS)
    ]
    return with_topics + [f"HOST{host:05}/GROUP{n % PASSAGES}/PART{n}" for n in range(ENTRIES - len(with_topics))]


def described(address: str) -> UnitMetadata:
    name = address.rpartition("/")[2]
    streams: dict[str, StreamMetadata] = {}
    if name.startswith("STAGE"):
        streams["OUTPUT"] = OutputStreamMetadata(
            "OUTPUT", f"{address}/OUTPUT", "lab.messages.Window", num_buffers=32
        )
    if name.startswith("SINK"):
        streams["INPUT"] = InputStreamMetadata("INPUT", f"{address}/INPUT", "lab.messages.Window")
    settings = {"gain": 1.0, "channels": 32}
    dynamic = DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)
    kind = "lab.units.Part"
    return UnitMetadata(
        address, name, kind, f"{kind}Settings", (None, settings), dynamic, None, streams, [], None, []
    )


def everything(host: int, hosts: int, tries: int, hears: Heard) -> Iterator[object]:
    """Yield the requests by which a host says what it has, as clients do: session, process, endpoints."""
    session, process, names = identity(host, 1), identity(host, 2), units(host)
    yield OpenSession(session, tries)
    yield RegisterMetadata(session, GraphMetadata(1, None, {each: described(each) for each in names}))
    for start, end in edges(host, hosts):
        yield Connect(start, end, session)
    yield RegisterProcess(process, ProcessRegistration(1000 + host, f"host{host:05}", names))
    for unit in names[: OUTLETS + INLETS]:
        values = {"gain": 1.0, "channels": 32}
        update = ProcessSettingsUpdate(unit, SettingsSnapshotValue(None, values, values), 0.0)
        yield ReportSettings(process, update, 0 if tries else None)
    contact = Contact(identity(host, 3), f"/run/{host:05}", f"10.1.{host // 250}.{host % 250}", 10001)
    for number in range(OUTLETS):
        yield DeclarePublisher(identity(host, 10 + number), outlet(host, number), contact, bytes(32))
    for number in range(INLETS):
        heard = hears[number] if hears else []
        yield DeclareSubscriber(identity(host, 20 + number), inlet(host, number), heard)


@dataclass
class Spent:
    """Processor time in seconds, and what went over the wire in bytes."""

    reading_s: float = 0.0
    deciding_s: float = 0.0
    writing_s: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0

    @property
    def all_s(self) -> float:
        """All of it together."""
        return self.reading_s + self.deciding_s + self.writing_s


@dataclass
class Hosts:
    """Some hosts, each with one connection to one server."""

    number: int
    graph: Graph = field(default_factory=lambda: Graph(UUID(int=99)))
    peers: dict[int, PeerId] = field(default_factory=dict)
    now_s: float = 0.0
    _last_peer: int = 0
    _tries: dict[int, int] = field(default_factory=dict)

    @property
    def now(self) -> Moment:
        """The simulated time."""
        return Moment(self.now_s, 1e9 + self.now_s)

    # --- what happens to hosts ----------------------------------------------------------------------------

    def join_all(self, hears: Sequence[Heard]) -> Spent:
        """Let every host connect and say what it has, in no particular order, until all is quiet."""
        spent = Spent()
        for host in _always_the_same(0).sample(range(self.number), self.number):
            self.join(host, hears[host], spent)
        self.settle(spent)
        return spent

    def join(self, host: int, hears: Heard, spent: Spent) -> list[Effect]:
        """Let a host connect, again or for the first time, and say all it has; return the effects."""
        tries = self._tries[host] = self._tries.get(host, -1) + 1
        self._last_peer += 1
        peer = self.peers[host] = PeerId(self._last_peer)
        hello = Hello(CURRENT, "0", b"", identity(host, 0), 1000 + host, f"host{host:05}", incarnation=tries)
        effects = self._decide(spent, lambda: self.graph.peer_joined(peer, hello, self.now))
        return effects + self.ask(host, everything(host, self.number, tries, hears), spent)

    def lose(self, host: int, spent: Spent) -> list[Effect]:
        """A host is gone without a word; return the effects."""
        peer = self.peers.pop(host)
        return self._decide(spent, lambda: self.graph.peer_left(peer, self.now, lost=True))

    def lose_server(self) -> None:
        """Put an empty server in the place of the old one."""
        self.graph = Graph(UUID(int=100))
        self.peers.clear()

    def ask(self, host: int, bodies: Iterable[object], spent: Spent) -> list[Effect]:
        """Let a host say some requests in one go; return the effects."""
        frames = [encode(Request(number, to_wire(body))) for number, body in enumerate(bodies, start=1)]
        spent.bytes_in += sum(map(len, frames))
        began_s = time.process_time()
        requests = [body_from_wire(unpack_map(frame), [Request]) for frame in frames]
        asked = [(request.id, body_from_wire(request.body)) for request in requests]
        spent.reading_s += time.process_time() - began_s
        peer = self.peers[host]
        return self._decide(spent, *(partial(self._request, peer, *each) for each in asked))

    def settle(self, spent: Spent) -> None:
        """Let time pass until nothing is due any more."""
        while (deadline := self.graph.next_deadline()) is not None:
            self.now_s = max(self.now_s, deadline) + LOOP_S
            self._decide(spent, lambda: self.graph.tick(self.now))

    def heard(self) -> list[Heard]:
        """Return whom the subscribers of each host hear."""
        return [self.heard_by(host) for host in range(self.number)]

    def heard_by(self, host: int) -> Heard:
        """Return whom each subscriber of a host hears."""
        hears = self.graph.state.endpoints.hears
        return [sorted(hears(identity(host, 20 + number))) for number in range(INLETS)]

    # --- inside -------------------------------------------------------------------------------------------

    def _request(self, peer: PeerId, request_id: int, body: object) -> list[Effect]:
        self.now_s += REQUEST_S
        return self.graph.request_received(peer, request_id, body, self.now)

    def _decide(self, spent: Spent, *decisions: Callable[[], list[Effect]]) -> list[Effect]:
        """Have the graph decide, answer what it asks because of it, and write what is to be sent.

        After each decision the shell asks when the next one is due, so this does, too: it is part of the cost.
        """
        present = frozenset(self.peers.values())
        effects: list[Effect] = []
        began_s = time.process_time()
        for decide in decisions:
            agenda = deque(decide())
            while agenda:
                effects.append(effect := agenda.popleft())
                if type(effect) is Call and effect.peer in present:
                    agenda.extend(self.graph.reply_received(effect.peer, effect.call_id, Done(), self.now))
            self.graph.next_deadline()
        decided_s = time.process_time()
        spent.deciding_s += decided_s - began_s
        spent.bytes_out += sum(len(frame) for frame in map(_frame, effects))
        spent.writing_s += time.process_time() - decided_s
        return effects


def _frame(effect: Effect) -> bytes:
    match effect:
        case Reply(request_id=request_id, body=body):
            return encode(ReplyEnvelope(request_id, to_wire(body)))
        case Call(call_id=call_id, body=body):
            return encode(Request(call_id, to_wire(body)))
        case Fail(error=error):
            raise error
        case _:
            return b""
