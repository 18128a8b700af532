"""A program with a user's mistakes: type checkers must find each line that says "wrong", and no other.

It is read, and not run.
"""

from collections.abc import AsyncIterator

import ezmsg.core as ez


class FilterSettings(ez.Settings):
    low_hz: float
    order: int = 2


class FilterState(ez.State):
    count: int = 0


class Filter(ez.Unit):
    SETTINGS = FilterSettings
    STATE = FilterState

    INPUT = ez.InputStream(float)
    OUTPUT = ez.OutputStream(float)
    TEXT = ez.OutputStream(str)

    async def initialize(self) -> None:
        self.STATE.count = "none"  # wrong
        self.STATE.counter = 1  # wrong
        ez.logger.info("from %g Hz", self.SETTINGS.lo_hz)  # wrong
        name: str = self.SETTINGS.low_hz  # wrong
        stream: ez.OutputStream[str] = self.OUTPUT  # wrong
        ez.logger.info("%s %s", name, stream)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    @ez.publisher(TEXT)
    async def work(
        self, value: float
    ) -> AsyncIterator[tuple[ez.OutputStream[float], float] | tuple[ez.OutputStream[str], str]]:
        yield self.OUTPUT, value
        yield self.OUTPUT, "value"  # wrong
        yield self.TEXT, value  # wrong
        yield self.TEXT  # wrong
        yield self.INPUT, value  # wrong

    @ez.subscriber(INPUT)  # wrong
    async def on_text(self, text: str) -> None: ...

    @ez.subscriber(INPUT)  # wrong
    async def on_nothing(self) -> None: ...

    @ez.publisher(OUTPUT)  # wrong
    async def returns(self) -> tuple[ez.OutputStream[float], float]:
        return self.OUTPUT, 1.0

    @ez.subscriber(OUTPUT)  # wrong
    async def from_outlet(self, value: float) -> None: ...


FilterSettings(low_hz="low")  # wrong
FilterSettings(low_hz=1.0).order = 3  # wrong
filter_ = Filter(low_hz=1.0)
filter_.apply_settings(FilterState())  # wrong
ez.run(FILTER=filter_, connections=((filter_.OUTPUT, filter_),))  # wrong
ez.run(FILTER=Filter)  # wrong
