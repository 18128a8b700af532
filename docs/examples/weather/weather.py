"""A thermometer, a smoother, and a log that is written to a file."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TextIO

import ezmsg.core as ez

READINGS = (20.0, 20.4, 26.0, 20.6, 20.8)


class Thermometer(ez.Unit):
    OUTPUT = ez.OutputStream(float)

    @ez.publisher(OUTPUT)
    async def read(self) -> AsyncIterator[tuple[ez.OutputStream[float], float]]:
        for reading in READINGS:
            yield self.OUTPUT, reading
            await asyncio.sleep(0.1)
        raise ez.Complete


class SmootherSettings(ez.Settings):
    weight: float
    start: float = 20.0


class SmootherState(ez.State):
    level: float
    count: int = 0


class Smoother(ez.Unit):
    SETTINGS = SmootherSettings
    STATE = SmootherState

    INPUT = ez.InputStream(float)
    OUTPUT = ez.OutputStream(float)

    async def initialize(self) -> None:
        self.STATE.level = self.SETTINGS.start

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def smooth(self, reading: float) -> AsyncIterator[tuple[ez.OutputStream[float], float]]:
        self.STATE.count += 1
        self.STATE.level += self.SETTINGS.weight * (reading - self.STATE.level)
        yield self.OUTPUT, self.STATE.level

    async def shutdown(self) -> None:
        ez.logger.info("smoothed %d readings", self.STATE.count)


class LogSettings(ez.Settings):
    path: str
    lines: int


class LogState(ez.State):
    file: TextIO
    written: int = 0


class Log(ez.Unit):
    SETTINGS = LogSettings
    STATE = LogState

    INPUT = ez.InputStream(float)

    def initialize(self) -> None:
        self.STATE.file = Path(self.SETTINGS.path).open("w", encoding="utf-8")

    @ez.subscriber(INPUT)
    async def write(self, level: float) -> None:
        self.STATE.file.write(f"{level:.2f}\n")
        self.STATE.written += 1
        if self.STATE.written == self.SETTINGS.lines:
            raise ez.NormalTermination

    def shutdown(self) -> None:
        self.STATE.file.close()
        print(f"{self.STATE.written} lines are in {self.SETTINGS.path}")


if __name__ == "__main__":
    thermometer = Thermometer()
    smoother = Smoother(SmootherSettings(weight=0.5))
    log = Log(path="levels.txt", lines=len(READINGS))
    ez.run(
        THERMOMETER=thermometer,
        SMOOTHER=smoother,
        LOG=log,
        connections=((thermometer.OUTPUT, smoother.INPUT), (smoother.OUTPUT, log.INPUT)),
    )
