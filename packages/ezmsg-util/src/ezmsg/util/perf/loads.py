"""The graphs under load of ``ezmsg perf benchmark``: sources, relays, sinks, and the layouts that they make."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

import ezmsg.core as ez

Connections = list[tuple[ez.OutputStream[Any], ez.InputStream[Any]]]


class Communication(StrEnum):
    """How the parts are spread: all here, all but the sink in one other process, or each in one of its own."""

    LOCAL = "local"
    SHM = "shm"
    SHM_SPREAD = "shm_spread"
    TCP = "tcp"
    TCP_SPREAD = "tcp_spread"


class LoadSettings(ez.Settings):
    num_msgs: int
    size: int
    max_duration: float
    buffers: int = 1
    force_tcp: bool = False


@dataclass
class LoadMessage:
    """A message that says when it was sent, and how many its source had sent before."""

    sent_s: float
    number: int
    data: "np.ndarray[Any, np.dtype[np.float32]]"
    source: str


Sent = AsyncIterator[tuple[ez.OutputStream[LoadMessage], LoadMessage]]


class LoadSource(ez.Unit):
    """Sends as fast as it is let."""

    SETTINGS = LoadSettings
    OUTPUT = ez.OutputStream(LoadMessage)

    async def initialize(self) -> None:
        """The outlet takes the options that the settings say, before it is opened."""
        self.OUTPUT.num_buffers = self.SETTINGS.buffers
        self.OUTPUT.force_tcp = self.SETTINGS.force_tcp

    @ez.publisher(OUTPUT)
    async def send(self) -> Sent:
        data = np.zeros(max(1, self.SETTINGS.size // 4), np.float32)
        until_s = time.perf_counter() + self.SETTINGS.max_duration
        for number in range(self.SETTINGS.num_msgs):
            now_s = time.perf_counter()
            if now_s >= until_s:
                break
            yield self.OUTPUT, LoadMessage(now_s, number, data, self.address)
        raise ez.Complete


class LoadRelay(ez.Unit):
    """Hands on what comes."""

    SETTINGS = LoadSettings
    INPUT = ez.InputStream(LoadMessage)
    OUTPUT = ez.OutputStream(LoadMessage)

    async def initialize(self) -> None:
        """The outlet takes the options that the settings say, before it is opened."""
        self.OUTPUT.num_buffers = self.SETTINGS.buffers
        self.OUTPUT.force_tcp = self.SETTINGS.force_tcp

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def hand_on(
        self, message: LoadMessage
    ) -> AsyncIterator[tuple[ez.OutputStream[LoadMessage], LoadMessage]]:
        yield self.OUTPUT, message


class ReceiverState(ez.State):
    times: list[tuple[float, float]] = field(default_factory=list)
    """When each message was sent and received, in seconds of one clock."""


class LoadReceiver(ez.Unit):
    """Notes when messages come."""

    SETTINGS = LoadSettings
    STATE = ReceiverState
    INPUT = ez.InputStream(LoadMessage)

    @ez.subscriber(INPUT)
    async def receive(self, message: LoadMessage) -> None:
        self.STATE.times.append((message.sent_s, time.perf_counter()))


class LoadSink(LoadReceiver):
    """Ends the run when it has everything, or when the time is over."""

    INPUT = ez.InputStream(LoadMessage)

    @ez.subscriber(INPUT)
    async def receive(self, message: LoadMessage) -> None:
        await super().receive(message)
        if len(self.STATE.times) >= self.SETTINGS.num_msgs:
            raise ez.NormalTermination

    @ez.task
    async def give_up(self) -> None:
        await asyncio.sleep(self.SETTINGS.max_duration)
        raise ez.NormalTermination


class Elsewhere(ez.Collection):
    """Everything but the sink, for a process of its own."""

    def __init__(self, parts: dict[str, ez.Component]) -> None:
        super().__init__()
        self._components.update(parts)


@dataclass
class Layout:
    """A graph to run: its parts by name, the sink among them, and their connections."""

    parts: dict[str, ez.Component]
    connections: Connections
    sink: LoadSink


def fanin(clients: int, settings: LoadSettings) -> Layout:
    """Return many sources to one sink."""
    everything = LoadSettings(**{**vars(settings), "num_msgs": settings.num_msgs * (clients + 1)})
    sink = LoadSink(everything)
    sources = {f"SOURCE_{number}": LoadSource(settings) for number in range(clients + 1)}
    return Layout(dict(sources), [(source.OUTPUT, sink.INPUT) for source in sources.values()], sink)


def fanout(clients: int, settings: LoadSettings) -> Layout:
    """Return one source to many."""
    source, sink = LoadSource(settings), LoadSink(settings)
    others = {f"CLIENT_{number}": LoadReceiver(settings) for number in range(clients)}
    connections = [(source.OUTPUT, each.INPUT) for each in (sink, *others.values())]
    return Layout({"SOURCE": source, **others}, connections, sink)


def relay(clients: int, settings: LoadSettings) -> Layout:
    """Return one source to one sink, over many that hand on."""
    source, sink = LoadSource(settings), LoadSink(settings)
    relays = {f"RELAY_{number}": LoadRelay(settings) for number in range(clients)}
    outputs = [source.OUTPUT, *(each.OUTPUT for each in relays.values())]
    inputs = [*(each.INPUT for each in relays.values()), sink.INPUT]
    return Layout({"SOURCE": source, **relays}, list(zip(outputs, inputs, strict=True)), sink)


CONFIGS: dict[str, Callable[[int, LoadSettings], Layout]] = {"fanin": fanin, "fanout": fanout, "relay": relay}
"""The layouts by the names that the command knows them under."""


def run_layout(layout: Layout, communication: Communication, address: Any) -> list[tuple[float, float]]:
    """Run a graph, and return when its sink's messages were sent and received."""
    components: dict[str, ez.Component] = {"SINK": layout.sink}
    apart: list[ez.Component] = []
    if communication in (Communication.SHM, Communication.TCP):
        components["ELSEWHERE"] = elsewhere = Elsewhere(layout.parts)
        apart = [elsewhere]
    else:
        components.update(layout.parts)
        if communication is not Communication.LOCAL:
            apart = list(layout.parts.values())
    ez.run(components, connections=layout.connections, process_components=apart, graph_address=address)
    return layout.sink.STATE.times
