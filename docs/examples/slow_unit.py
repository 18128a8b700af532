"""Four units in a row, one of which is too slow. `ezmsg profile blame GENERATOR/OUTPUT` says which."""

import time
from collections.abc import AsyncGenerator
from typing import Any

import numpy as np

import ezmsg.core as ez

Output = AsyncGenerator[tuple[ez.OutputStream, Any], None]


class Generator(ez.Unit):
    OUTPUT = ez.OutputStream(np.ndarray)

    @ez.publisher(OUTPUT)
    async def generate(self) -> Output:
        random = np.random.default_rng(0)
        while True:
            yield self.OUTPUT, random.normal(size=256)


class Smooth(ez.Unit):
    INPUT = ez.InputStream(np.ndarray)
    OUTPUT = ez.OutputStream(np.ndarray)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def smooth(self, block: np.ndarray) -> Output:
        yield self.OUTPUT, np.convolve(block, np.ones(8) / 8, mode="valid")


def looks_interesting(block: np.ndarray) -> bool:
    time.sleep(0.02)  # stands for a model that takes its time
    return bool(block.max() > 1.0)


class Classify(ez.Unit):
    INPUT = ez.InputStream(np.ndarray)
    OUTPUT = ez.OutputStream(bool)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def classify(self, block: np.ndarray) -> Output:
        yield self.OUTPUT, looks_interesting(block)


class Display(ez.Unit):
    INPUT = ez.InputStream(bool)

    @ez.subscriber(INPUT)
    async def show(self, found: bool) -> None:
        print("found" if found else "nothing", flush=True)


generator, smooth, classify, display = Generator(), Smooth(), Classify(), Display()
if __name__ == "__main__":
    ez.run(
        GENERATOR=generator,
        SMOOTH=smooth,
        CLASSIFY=classify,
        DISPLAY=display,
        connections=(
            (generator.OUTPUT, smooth.INPUT),
            (smooth.OUTPUT, classify.INPUT),
            (classify.OUTPUT, display.INPUT),
        ),
        process_components=(smooth, classify),
    )
