"""A first system: a sine wave, and a meter that shows it."""

import asyncio
import math
import time

import ezmsg.core as ez


class SineSettings(ez.Settings):
    frequency: float = 0.5


class Sine(ez.Unit):
    SETTINGS = SineSettings
    OUTPUT = ez.OutputStream(float)

    @ez.publisher(OUTPUT)
    async def generate(self):
        while True:
            yield self.OUTPUT, math.sin(2 * math.pi * self.SETTINGS.frequency * time.time())
            await asyncio.sleep(0.05)


class Meter(ez.Unit):
    INPUT = ez.InputStream(float)

    @ez.subscriber(INPUT)
    async def show(self, value: float) -> None:
        print("#" * round(30 + 30 * value), flush=True)


if __name__ == "__main__":
    sine, meter = Sine(SineSettings()), Meter()
    ez.run(SINE=sine, METER=meter, connections=((sine.OUTPUT, meter.INPUT),))
