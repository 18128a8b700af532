"""A module of components, for tests that load it by its file or its name."""

import math
import sys
from dataclasses import field

import ezmsg.core as ez


class Band(ez.Settings):
    low: float = 1.0
    high: float = 40.0


class FilterSettings(ez.Settings):
    order: int
    gain: float = field(default=math.inf, metadata={"min": 0, "description": "How much."})
    band: Band = field(default_factory=Band)


class Filter(ez.Unit):
    """Filters what comes.

    At length.
    """

    SETTINGS = FilterSettings
    INPUT = ez.InputStream(float)
    INPUT_SETTINGS = ez.InputStream(FilterSettings)
    OUTPUT = ez.OutputStream(list[float], num_buffers=4)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def filter(self, value: float) -> object:
        yield self.OUTPUT, [value]


class Sayer(ez.Unit):
    SETTINGS = Band

    @ez.task
    async def say(self) -> None:
        sys.stdout.write(f"says {self.address} {self.SETTINGS.low}\n")


class Pair(ez.Collection):
    FIRST = Sayer()
    SECOND = Filter(order=2)
    ENTRY = ez.InputTopic(float)

    def network(self) -> ez.NetworkDefinition:
        return ((self.ENTRY, self.SECOND.INPUT),)


class Failing(ez.Unit):
    async def initialize(self) -> None:
        raise OSError("no amplifier")


ready = Sayer(low=3.0)


def built() -> ez.Collection:
    return Pair()


def several() -> dict[str, ez.Component]:
    return {"LEFT": Sayer(low=5.0), "RIGHT": Sayer(low=6.0)}


number = 3
