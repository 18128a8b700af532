"""Relays and topics at a collection's border: what passes, in which order, and as whose object."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from say import say

import ezmsg.core as ez

COUNT = 30


@dataclass
class Note:
    number: int
    marks: list[str] = field(default_factory=list)


class Source(ez.Unit):
    OUTPUT = ez.OutputStream(Note)

    async def initialize(self) -> None:
        self.sent: list[Note] = []

    @ez.publisher(OUTPUT)
    async def send(self) -> AsyncGenerator:
        for number in range(COUNT):
            self.sent.append(Note(number))
            yield self.OUTPUT, self.sent[-1]

    async def shutdown(self) -> None:
        say(self.address, "has its notes marked with", self.sent[0].marks)


class Marker(ez.Unit):
    """Writes into what it gets, and hands the same object on."""

    INPUT = ez.InputStream(Note)
    OUTPUT = ez.OutputStream(Note)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def mark(self, note: Note) -> AsyncGenerator:
        note.marks.append(self.address)
        yield self.OUTPUT, note


class Sink(ez.Unit):
    INPUT = ez.InputStream(Note)

    async def initialize(self) -> None:
        self.numbers: list[int] = []

    @ez.subscriber(INPUT)
    async def take(self, note: Note) -> None:
        if not self.numbers:
            say(self.address, "first note", note)
        self.numbers.append(note.number)
        if len(self.numbers) == COUNT:
            say(self.address, self.numbers)
            raise ez.NormalTermination


class WithTopics(ez.Collection):
    INPUT = ez.InputTopic(Note)
    OUTPUT = ez.OutputTopic(Note)
    MARKER = Marker()

    def network(self) -> ez.NetworkDefinition:
        return ((self.INPUT, self.MARKER.INPUT), (self.MARKER.OUTPUT, self.OUTPUT))


class WithRelays(WithTopics):
    """What comes in is a copy; so is what goes out."""

    INPUT = ez.InputRelay(Note)
    OUTPUT = ez.OutputRelay(Note, num_buffers=2)


class WithoutCopies(WithTopics):
    INPUT = ez.InputRelay(Note, copy_on_forward=False)
    OUTPUT = ez.OutputRelay(Note, copy_on_forward=False)


class OverTcp(WithTopics):
    INPUT = ez.InputRelay(Note, max_queue=4)
    OUTPUT = ez.OutputRelay(Note, force_tcp=True)


class Nested(WithTopics):
    """Relays before relays."""

    INPUT = ez.InputRelay(Note)
    OUTPUT = ez.OutputRelay(Note)
    MARKER = WithRelays()


class Apart(Nested):
    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.MARKER,)


class Chain(ez.Collection):
    """A relay joined to a relay, with no unit between them."""

    INPUT = ez.InputRelay(Note)
    OUTPUT = ez.OutputRelay(Note)

    def network(self) -> ez.NetworkDefinition:
        return ((self.INPUT, self.OUTPUT),)


def run(name: str, through: ez.Collection, *apart: ez.Component) -> None:
    source, sink = Source(), Sink()
    ez.run(
        {"SOURCE": source, "THROUGH": through, "SINK": sink},
        root_name=name,
        connections=((source.OUTPUT, through.INPUT), (through.OUTPUT, sink.INPUT)),
        process_components=apart,
    )
    say("addresses", through.INPUT.address, through.OUTPUT.address, sorted(through.streams))


def main() -> None:
    run("TOPICS", WithTopics())
    run("RELAYS", WithRelays())
    run("WITHOUT_COPIES", WithoutCopies())
    run("TCP", OverTcp())
    run("NESTED", Nested())
    run("CHAIN", Chain())
    run("APART", Apart())
    through = WithRelays()
    run("IN_ANOTHER_PROCESS", through, through)
    relay = ez.InputRelay(Note, leaky=True, max_queue=3)
    say("options", relay.leaky, relay.max_queue, relay.copy_on_forward, WithRelays().OUTPUT.num_buffers)
    say("options", isinstance(relay, ez.Topic))
    for option in (0, -1):
        try:
            ez.InputRelay(Note, max_queue=option)
        except ValueError:
            say("options", f"max_queue={option} is refused")
    try:
        type("Wrong", (ez.Unit,), {"RELAY": ez.InputRelay(Note)})
    except TypeError:
        say("options", "a unit has no relays")


if __name__ == "__main__":
    main()
