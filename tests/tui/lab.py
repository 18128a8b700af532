"""A small laboratory that runs: GEN -> FILT -> SLOW, FILT tunable, SLOW too slow and in a process of its own."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import field
from typing import Any, Literal

import ezmsg.core as ez

Output = AsyncGenerator[tuple[ez.OutputStream, Any], None]


class FilterSettings(ez.Settings):
    cutoff: float = field(
        default=40.0, metadata={"min": 0.5, "max": 500.0, "unit": "Hz", "description": "where the pass band ends"}
    )
    order: int = field(default=4, metadata={"min": 1, "max": 12})
    kind: Literal["butter", "cheby1", "bessel"] = "butter"
    enabled: bool = True
    label: str = "left"

    def __post_init__(self) -> None:
        if self.kind == "bessel" and self.order > 8:
            raise ValueError("a bessel filter has at most 8 poles")


class SlowSettings(ez.Settings):
    work_ms: float = field(default=60.0, metadata={"min": 0.0, "max": 500.0, "step": 10.0, "unit": "ms"})


class Gen(ez.Unit):
    OUTPUT = ez.OutputStream(int, num_buffers=4)

    @ez.publisher(OUTPUT)
    async def generate(self) -> Output:
        number = 0
        while True:
            await asyncio.sleep(0.02)
            number += 1
            yield self.OUTPUT, number


class Filt(ez.Unit):
    SETTINGS = FilterSettings
    INPUT_SETTINGS = ez.InputStream(FilterSettings)
    INPUT = ez.InputStream(int)
    OUTPUT = ez.OutputStream(int, num_buffers=4)

    @ez.subscriber(INPUT_SETTINGS)
    async def tune(self, settings: FilterSettings) -> None:
        self.apply_settings(settings)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def pass_on(self, number: int) -> Output:
        yield self.OUTPUT, number


def works(milliseconds: float) -> None:
    time.sleep(milliseconds / 1000)


class Slow(ez.Unit):
    SETTINGS = SlowSettings
    INPUT_SETTINGS = ez.InputStream(SlowSettings)
    INPUT = ez.InputStream(int)

    @ez.subscriber(INPUT_SETTINGS)
    async def tune(self, settings: SlowSettings) -> None:
        self.apply_settings(settings)

    @ez.subscriber(INPUT)
    async def take(self, number: int) -> None:
        works(self.SETTINGS.work_ms)


class Lab(ez.Collection):
    GEN = Gen()
    FILT = Filt(FilterSettings())
    SLOW = Slow(SlowSettings())

    def network(self) -> ez.NetworkDefinition:
        return ((self.GEN.OUTPUT, self.FILT.INPUT), (self.FILT.OUTPUT, self.SLOW.INPUT))

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.SLOW,)


if __name__ == "__main__":
    ez.run(LAB=Lab())
