"""Collections with relays, and those who listen to them, for the programs of test_relays.py."""

import asyncio
import sys

from run_units import Counter, CountSettings, Output, Printer, say

import ezmsg.core as ez

LOCALHOST = "127.0.0.1"


class Sender(ez.Collection):
    """Counts, and lets out what it counts."""

    SETTINGS = CountSettings
    OUT = ez.OutputRelay(int, num_buffers=4)
    COUNTER = Counter()

    def configure(self) -> None:
        self.COUNTER.apply_settings(self.SETTINGS)

    def network(self) -> ez.NetworkDefinition:
        return ((self.COUNTER.OUTPUT, self.OUT),)


class ApartSender(Sender):
    """The relay has a process to itself."""

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.COUNTER,)


class Receiver(ez.Collection):
    """Says what it lets in."""

    SETTINGS = CountSettings
    IN = ez.InputRelay(int, copy_on_forward=False)
    PRINTER = Printer()

    def configure(self) -> None:
        self.PRINTER.apply_settings(self.SETTINGS)

    def network(self) -> ez.NetworkDefinition:
        return ((self.IN, self.PRINTER.INPUT),)


class Passing(ez.Collection):
    """Only passes messages on, over relays of all three kinds."""

    IN = ez.InputRelay(int)
    MIDDLE = ez.Relay(int, num_buffers=2, force_tcp=True)
    OUT = ez.OutputRelay(int)

    def network(self) -> ez.NetworkDefinition:
        return ((self.IN, self.MIDDLE), (self.MIDDLE, self.OUT))


class Chain(ez.Collection):
    """A collection for each part, joined by their relays."""

    SETTINGS = CountSettings
    SENDER = Sender()
    PASSING = Passing()
    RECEIVER = Receiver()

    def configure(self) -> None:
        self.SENDER.apply_settings(self.SETTINGS)
        self.RECEIVER.apply_settings(self.SETTINGS)

    def network(self) -> ez.NetworkDefinition:
        return ((self.SENDER.OUT, self.PASSING.IN), (self.PASSING.OUT, self.RECEIVER.IN))


class ApartChain(Chain):
    """Each part has a process of its own."""

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.SENDER, self.PASSING, self.RECEIVER)


def own_server() -> ez.GraphServer:
    """A graph server on a free port."""
    server = ez.GraphServer()
    server.start((LOCALHOST, 0))
    return server


def listen(topic: str, count: int) -> None:
    """Be another program: start a server, say where, and say what comes on a topic."""

    async def run(server: ez.GraphServer) -> None:
        async with ez.GraphContext(server.address) as context:
            subscriber = await context.subscriber(topic)
            say("listening", server.address.port)
            say("heard", *[await subscriber.recv() for _ in range(count)])

    server = own_server()
    asyncio.run(run(server))
    sys.stdin.read()  # until the test has seen the others end
    server.stop()


__all__ = [
    "LOCALHOST",
    "ApartChain",
    "ApartSender",
    "Chain",
    "Counter",
    "Output",
    "Passing",
    "Printer",
    "Receiver",
    "Sender",
    "listen",
    "own_server",
]
