"""Streams over real links, to readers at any pace that are cut off anywhere: none is told twice, or loses silently.

Only the sockets are made up: what a reader has not taken yet waits in front of it, and makes the link pause, as a
full socket does. So a cut can be at any byte, and a step costs no system call.
"""

import asyncio
import itertools
import socket
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.graphserver.deciding.descriptions import reported
from tests.graphserver.deciding.folding import FoldedSettings
from tests.graphserver.sockets.wires import HIGH, Client, Run

from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.settings import FollowSettings, ReportSettings
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration, ProcessSettingsUpdate

UNITS = ["A", "B", "C"]
PROCESS = UUID(int=7)
READERS = 2

HISTORY = 6
"""Events kept: more than one step of the producer makes, fewer than some of them make together."""

MOST_UNREAD = HIGH + 2 * HISTORY * 400
"""What may wait for a reader that does not read: what was too much, and what was on its way by then."""

T = TypeVar("T")


class Streams(RuleBasedStateMachine):
    """A process that reports, ever new runs of a server, and readers that fold what they are told."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.sock = socket.socket()
        self.numbers = itertools.count(1)
        self.gain = itertools.count(1)
        self.owned: list[str] = UNITS[:2]
        self.do(self.start)
        self.folded = [FoldedSettings(lambda: self.server.take()) for _ in range(READERS)]
        self.readers: list[Client] = [self.do(lambda one=one: self.follow(one)) for one in self.folded]

    def teardown(self) -> None:
        try:
            for reader in range(READERS):
                self.catch_up(reader)
        finally:
            self.do(self.lose_everybody)
            self.server.performer.close()
            self.runner.close()
            self.sock.close()

    def do(self, work: Callable[[], T]) -> T:
        """Do something on the loop, and let the links write what comes of it."""

        async def turn() -> T:
            result = work()
            await asyncio.sleep(0)
            return result

        return self.runner.run(turn())

    # --- the server and who reports -----------------------------------------------------------------------

    def start(self) -> None:
        self.server = Run(next(self.numbers), HISTORY)
        self.producer = self.client()
        self.producer.say(RegisterProcess(PROCESS, ProcessRegistration(1, "host", self.owned)))

    def client(self) -> Client:
        number = next(self.numbers)
        return Client(self.server, number, UUID(int=number), self.sock)

    def follow(self, folded: FoldedSettings) -> Client:
        reader = self.client()
        reader.hear = folded.hear
        reader.say(FollowSettings(folded.seq, folded.epoch))
        return reader

    def lose_everybody(self) -> None:
        for client in (self.producer, *self.readers):
            client.cut()

    @rule(units=st.lists(st.sampled_from([0, 1, 2]), min_size=1, max_size=HISTORY - 1))
    def report(self, units: list[int]) -> None:
        if self.owned:
            self.do(lambda: [self.report_one(self.owned[unit % len(self.owned)]) for unit in units])
            self.do(self.producer.read)

    def report_one(self, unit: str) -> None:
        update = ProcessSettingsUpdate(unit, reported(float(next(self.gain))), 5.0)
        self.producer.say(ReportSettings(PROCESS, update))

    @rule(owned=st.lists(st.sampled_from(UNITS), unique=True))
    def own(self, owned: list[str]) -> None:
        """What was said of units that are given up is void, and that is told, too."""
        added, removed = set(owned) - set(self.owned), set(self.owned) - set(owned)
        update = ProcessOwnershipUpdate(sorted(added), sorted(removed))
        self.do(lambda: self.producer.say(UpdateOwnership(PROCESS, update)))
        self.do(self.producer.read)
        self.owned = owned

    @precondition(lambda self: self.server.take().seq > HISTORY)
    @rule()
    def start_again(self) -> None:
        """The server begins anew and knows nothing, and everybody comes back to it."""
        self.do(self.lose_everybody)
        self.server.performer.close()
        self.do(self.start)
        self.readers = [self.do(lambda one=one: self.follow(one)) for one in self.folded]

    # --- who reads ----------------------------------------------------------------------------------------

    @rule(reader=st.integers(0, READERS - 1), most=st.integers(1, 600))
    def read(self, reader: int, most: int) -> None:
        self.do(lambda: self.readers[reader].read(most))

    @rule(reader=st.integers(0, READERS - 1))
    def catch_up(self, reader: int) -> None:
        while self.do(self.readers[reader].read):
            pass
        self.folded[reader].check(self.server.take())

    @rule(reader=st.integers(0, READERS - 1), most=st.integers(0, 600))
    def cut(self, reader: int, most: int) -> None:
        """A reader is cut off, perhaps in the middle of an item, and goes on where it was."""
        self.read(reader, most)
        self.do(self.readers[reader].cut)
        self.readers[reader] = self.do(lambda: self.follow(self.folded[reader]))

    @invariant()
    def who_does_not_read_costs_a_bounded_amount(self) -> None:
        assert all(len(reader.wire.unread) <= MOST_UNREAD for reader in self.readers)


TestStreams = Streams.TestCase
TestStreams.settings = settings(max_examples=settings().max_examples // 2, stateful_step_count=40)
