"""A program as users write it, in which type checkers in strict mode must find nothing. It is read, and not run.

Where a line says so, mypy sees that it is right only with its plugin for ezmsg.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import field, replace
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import ezmsg.core as ez

Block = npt.NDArray[np.float64]


class FilterSettings(ez.Settings):
    low_hz: float
    order: int = 2

    @property
    def high_hz(self) -> float:
        return 2 * self.low_hz

    def sharper(self) -> "FilterSettings":
        return replace(self, order=self.order + 1)


class FilterState(ez.State):
    count: int = 0
    names: list[str] = field(default_factory=list[str])
    last: Block

    def reset(self) -> None:
        self.count = 0


class Filter(ez.Unit):
    SETTINGS = FilterSettings
    STATE = FilterState

    INPUT = ez.InputStream(np.ndarray, leaky=True, max_queue=3)
    INPUT_SETTINGS = ez.InputStream(FilterSettings)
    LEVEL = ez.InputStream(float)
    ANYTHING = ez.InputStream(Any)
    EITHER = ez.InputStream(int | None)
    LATER = ez.InputStream("DefinedLater")
    OUTPUT = ez.OutputStream(np.ndarray, num_buffers=8)
    TEXT = ez.OutputStream(str)

    async def initialize(self) -> None:
        assert_type(self.SETTINGS, FilterSettings)  # plugin
        assert_type(self.SETTINGS.low_hz, float)
        assert_type(self.STATE, FilterState)  # plugin
        assert_type(self.STATE.names, list[str])
        assert_type(self.LEVEL, ez.InputStream[float])
        assert_type(self.TEXT, ez.OutputStream[str])
        assert_type(self.LATER, ez.InputStream[Any])
        self.STATE.last = np.zeros(3)
        self.STATE.names.append("filter")

    def shutdown(self) -> None:
        self.STATE.reset()  # plugin

    @ez.subscriber(INPUT_SETTINGS)
    async def tune(self, settings: FilterSettings) -> None:
        self.apply_settings(settings)
        self.apply_settings(replace(self.SETTINGS, order=3))  # plugin
        self.apply_settings(self.SETTINGS.sharper())  # plugin
        width: float = self.SETTINGS.high_hz - self.SETTINGS.low_hz  # plugin
        self.STATE.count += int(width)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    @ez.publisher(TEXT)
    async def work(
        self, block: Block
    ) -> AsyncIterator[tuple[ez.OutputStream[np.ndarray], Block] | tuple[ez.OutputStream[str], str]]:
        self.STATE.last = block
        yield self.OUTPUT, block * self.SETTINGS.low_hz
        yield self.TEXT, "a block"

    @ez.publisher(TEXT)
    @ez.subscriber(LEVEL)
    async def say(self, level: float) -> AsyncGenerator[tuple[ez.OutputStream, str], None]:
        yield self.TEXT, f"{level:.1f}"

    @ez.subscriber(ANYTHING)
    async def on_anything(self, message: str) -> None: ...

    @ez.subscriber(EITHER)
    def on_either(self, message: int | None) -> None: ...

    @ez.subscriber(LEVEL)
    async def on_wider(self, level: object, weight: float = 1.0) -> None: ...

    @ez.publisher(TEXT)
    async def count(self) -> AsyncIterator[tuple[ez.OutputStream[str], str]]:
        yield self.TEXT, str(self.STATE.count)
        raise ez.Complete

    @ez.task
    async def idle(self) -> None:
        raise ez.NormalTermination

    @ez.main
    def on_main(self) -> None: ...


class Both(ez.Collection):
    SETTINGS = FilterSettings

    INLET = ez.InputTopic(np.ndarray)
    OUTLET = ez.OutputRelay(str, num_buffers=4)
    FIRST = Filter()
    SECOND = Filter(low_hz=2.0)

    def configure(self) -> None:
        self.FIRST.apply_settings(self.SETTINGS)  # plugin
        self.SECOND.apply_settings(FilterSettings(low_hz=self.SETTINGS.low_hz, order=4))

    def network(self) -> ez.NetworkDefinition:
        return (
            (self.INLET, self.FIRST.INPUT),
            (self.FIRST.OUTPUT, self.SECOND.INPUT),
            (self.SECOND.TEXT, self.OUTLET),
            (self.OUTLET, "TEXTS"),
        )

    def process_components(self) -> tuple[ez.Component, ...]:
        return (self.SECOND,)


assert_type(Filter.SETTINGS, type[FilterSettings])

both = Both(FilterSettings(low_hz=1.0))
one = Filter(low_hz=1.0, order=3)
ez.run(BOTH=both, ONE=one, connections=((both.OUTLET, "SAID"), ("LEVELS", one.LEVEL)), process_components=(one,))
