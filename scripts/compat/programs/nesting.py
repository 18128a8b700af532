"""Collections in collections: the order of their hooks, what they are called, and how settings reach the units."""

import warnings
from collections.abc import AsyncGenerator

from say import say

import ezmsg.core as ez


class Range(ez.Settings):
    first: int
    count: int = 3


class Source(ez.Unit):
    SETTINGS = Range
    OUTPUT = ez.OutputStream(int)

    async def initialize(self) -> None:
        say(self.address, "initialize with", self.SETTINGS)

    @ez.publisher(OUTPUT)
    async def send(self) -> AsyncGenerator:
        for number in range(self.SETTINGS.first, self.SETTINGS.first + self.SETTINGS.count):
            yield self.OUTPUT, number

    async def shutdown(self) -> None:
        say(self.address, "shutdown")


class Relabel(ez.Unit):
    INPUT = ez.InputStream(int)
    OUTPUT = ez.OutputStream(str)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def relabel(self, number: int) -> AsyncGenerator:
        yield self.OUTPUT, f"{self.address} {number}"


class Sink(ez.Unit):
    SETTINGS = Range
    INPUT = ez.InputStream(str)

    async def initialize(self) -> None:
        self.seen: list[str] = []

    @ez.subscriber(INPUT)
    async def take(self, text: str) -> None:
        self.seen.append(text)
        if len(self.seen) == self.SETTINGS.count:
            for line in sorted(self.seen):
                say(self.address, line)
            raise ez.NormalTermination


class Hooks(ez.Collection):
    """Tells of every hook that is called."""

    def configure(self) -> None:
        say("hooks", "configure", self.address, self.SETTINGS)

    def network(self) -> ez.NetworkDefinition:
        say("hooks", "network", self.address, self.SETTINGS)
        return ()

    def process_components(self) -> tuple[ez.Component, ...]:
        say("hooks", "process_components", self.address)
        return ()


class Inner(Hooks):
    SETTINGS = Range
    OUTPUT = ez.OutputTopic(str)
    SOURCE = Source()
    RELABEL = Relabel()

    def configure(self) -> None:
        super().configure()
        self.SOURCE.apply_settings(self.SETTINGS)

    def network(self) -> ez.NetworkDefinition:
        super().network()
        return ((self.SOURCE.OUTPUT, self.RELABEL.INPUT), (self.RELABEL.OUTPUT, self.OUTPUT))


class Middle(Hooks):
    """Two children of one class: each has a copy, and with it an address, of its own."""

    SETTINGS = Range
    OUTPUT = ez.OutputTopic(str)
    LEFT = Inner()
    RIGHT = Inner(Range(first=100))

    def configure(self) -> None:
        super().configure()
        self.LEFT.apply_settings(self.SETTINGS)

    def network(self) -> ez.NetworkDefinition:
        super().network()
        return [(child.OUTPUT, self.OUTPUT) for child in (self.LEFT, self.RIGHT)]


class Outer(Hooks):
    INPUT = ez.InputTopic(str)
    MIDDLE = Middle(Range(first=10, count=2))
    SINK = Sink(Range(first=0, count=5))

    def network(self) -> ez.NetworkDefinition:
        super().network()
        return iter(((self.MIDDLE.OUTPUT, self.INPUT), (self.INPUT, self.SINK.INPUT)))


class Alone(ez.Unit):
    @ez.task
    async def tell(self) -> None:
        say("alone", self.address)


def refused(what: str, error: type[Exception] | tuple[type[Exception], ...], call: object) -> None:
    """Say whether something is refused, and with an error that programs can catch."""
    try:
        call()  # type: ignore[operator]
    except error:
        say("refused", what, "yes")
    except Exception as other:  # noqa: BLE001  that is the finding
        say("refused", what, "with", type(other).__name__)
    else:
        say("refused", what, "no")


def unit_with_topic() -> None:
    type("Wrong", (ez.Unit,), {"TOPIC": ez.InputTopic(int)})


def collection_with_stream() -> None:
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")
        made = type("Old", (ez.Collection,), {"INPUT": ez.InputStream(int), "OUTPUT": ez.OutputStream(int)})()
    say("old-fashioned", sorted(made.streams), [each.category.__name__ for each in complaints])


def main() -> None:
    outer = Outer()
    say("before", sorted(outer.components), sorted(outer.streams), outer.MIDDLE is Outer.MIDDLE)
    ez.run(OUTER=outer, root_name="ROOT")
    say("after", outer.address, outer.MIDDLE.RIGHT.address, outer.MIDDLE.RIGHT.OUTPUT.address)
    say("after", outer.INPUT.address, outer.SINK.INPUT.address, outer.SINK.location, outer.SINK.name)
    ez.run(Alone())
    ez.run({"GIVEN": Alone()})
    ez.run(BY_KEYWORD=Alone())
    collection_with_stream()
    refused("address before a run", AssertionError, lambda: Alone().address)
    refused("a topic on a unit", TypeError, unit_with_topic)
    refused("an edge to a number", TypeError, lambda: ez.run(A=Alone(), connections=(("A", 1),)))
    refused("a component in two places", AssertionError, lambda: ez.run(A=outer.SINK))
    refused("names twice", ValueError, lambda: ez.run({"A": Alone()}, B=Alone()))


if __name__ == "__main__":
    main()
