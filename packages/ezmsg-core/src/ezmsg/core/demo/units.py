"""The demo's graph: source -> band-pass filter -> beat detector -> display, on a real electrocardiogram."""

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import field
from typing import Any, cast

import numpy as np

from ezmsg.core.demo.bandpass import HIGH_HZ, LOW_HZ, BandPass, InvalidCutoffs
from ezmsg.core.demo.detector import Detector
from ezmsg.core.demo.display import Display
from ezmsg.core.demo.record import FS_HZ, Record, load_record
from ezmsg.core.demo.signals import Block, Detection
from ezmsg.core.graph.collection import Collection, NetworkDefinition
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.decorators import publisher, subscriber
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.state import State
from ezmsg.core.graph.streams import InputStream, OutputStream
from ezmsg.core.graph.termination import NormalTermination
from ezmsg.core.graph.unit import Unit

Output = AsyncGenerator[tuple[OutputStream, Any], None]

BLOCK_SAMPLES = 36
"""Samples in a block: a tenth of a second of the record."""


class SourceSettings(Settings):
    """How much of the record is played, in seconds, and whether at the pace of the heart."""

    seconds: float
    real_time: bool = True


class SourceState(State):
    """The record."""

    record: Record


class Source(Unit):
    """Plays the record in blocks."""

    SETTINGS = SourceSettings
    STATE = SourceState
    OUTPUT = OutputStream(Block)

    async def initialize(self) -> None:
        self.STATE.record = load_record()

    @publisher(OUTPUT)
    async def play(self) -> Output:
        """Yield the blocks, each when its last sample would have been measured."""
        record = self.STATE.record
        total = max(1, round(min(self.SETTINGS.seconds, record.duration_s) * record.fs_hz))
        begin_s = time.monotonic()
        for start in range(0, total, BLOCK_SAMPLES):
            end = min(start + BLOCK_SAMPLES, total)
            if self.SETTINGS.real_time:
                await asyncio.sleep(begin_s + end / record.fs_hz - time.monotonic())
            signal = record.signal_mv[start:end]
            yield self.OUTPUT, Block(start, end - start, signal, time.monotonic_ns(), end == total)


MIN_HZ = 0.5
"""The lowest cutoff; below it the baseline wanders, and a filter this short does not see the difference."""


def _cutoff(default_hz: float, edge: str) -> float:
    """Declare a cutoff; the sampling theorem leaves out half the sampling rate itself."""
    nyquist_hz = FS_HZ / 2
    described = f"{edge} edge of the pass band; below {nyquist_hz:g} Hz, half the sampling rate (Nyquist)"
    cutoff: float = field(
        default=default_hz,
        metadata={"min": MIN_HZ, "lt": nyquist_hz, "step": 0.5, "unit": "Hz", "description": described},
    )
    return cutoff


class FilterSettings(Settings):
    """The pass band."""

    low_hz: float = _cutoff(LOW_HZ, "lower")
    high_hz: float = _cutoff(HIGH_HZ, "upper")

    def __post_init__(self) -> None:
        if not self.low_hz < self.high_hz:
            raise InvalidCutoffs(f"low_hz must be below high_hz, and {self.low_hz:g} is not below {self.high_hz:g}")


class FilterState(State):
    """The filter and what it remembers of the signal."""

    band_pass: BandPass


class Filter(Unit):
    """Keeps the band in which the QRS complex stands out; it can be tuned while it runs."""

    SETTINGS = FilterSettings
    STATE = FilterState
    INPUT_SETTINGS = InputStream(FilterSettings)
    INPUT = InputStream(Block)
    OUTPUT = OutputStream(Block)

    async def initialize(self) -> None:
        self.STATE.band_pass = BandPass(self.SETTINGS.low_hz, self.SETTINGS.high_hz, load_record().fs_hz)

    @subscriber(INPUT_SETTINGS)
    async def tune(self, settings: FilterSettings) -> None:
        """Take another band from the next block on; one that cannot be raises, and the old one stays."""
        self.STATE.band_pass.retune(settings.low_hz, settings.high_hz)
        self.apply_settings(settings)

    @subscriber(INPUT)
    @publisher(OUTPUT)
    async def filter(self, block: Block) -> Output:
        """Filter one block; behind the last one comes what the filter still holds."""
        signal = self.STATE.band_pass.process(block.signal)
        if block.last:
            signal = np.concatenate([signal, self.STATE.band_pass.flush()])
        yield self.OUTPUT, Block(block.start, block.count, signal, block.published_ns, block.last)


class DetectorState(State):
    """The detector and what it has learnt."""

    detector: Detector


class BeatDetector(Unit):
    """Finds the beats."""

    STATE = DetectorState
    INPUT = InputStream(Block)
    OUTPUT = OutputStream(Detection)

    async def initialize(self) -> None:
        fs_hz = load_record().fs_hz
        delay_samples = BandPass(LOW_HZ, HIGH_HZ, fs_hz).delay_samples  # the same for every band
        self.STATE.detector = Detector(fs_hz, delay_samples)

    @subscriber(INPUT)
    @publisher(OUTPUT)
    async def detect(self, block: Block) -> Output:
        """Look at one block; at the end, decide what is still open."""
        beats = self.STATE.detector.process(block.signal)
        if block.last:
            beats += self.STATE.detector.flush()
        yield self.OUTPUT, Detection(block.start, block.count, beats, block.published_ns, block.last)


class Screen(Unit):
    """Hands what arrives to a display, and ends the run after the last block."""

    SETTINGS = Settings
    SIGNAL = InputStream(Block)
    INPUT = InputStream(Detection)

    def __init__(self, display: Display) -> None:
        super().__init__()
        self.display = display

    @subscriber(SIGNAL)
    async def draw(self, block: Block) -> None:
        """Remember the signal, for a display that draws it."""
        self.display.signal(block)

    @subscriber(INPUT)
    async def show(self, detection: Detection) -> None:
        """Show beats as they are found."""
        try:
            self.display.detection(detection, time.monotonic_ns())
            if detection.last:
                self.display.sum_up()
        except OSError as error:  # the display keeps it, for the command to tell
            raise NormalTermination from error
        if detection.last:
            raise NormalTermination


class Ecg(Collection):
    """The whole graph; source and detector have processes of their own, the display is where the terminal is."""

    SETTINGS = SourceSettings
    SOURCE = Source()
    FILTER = Filter()
    DETECTOR = BeatDetector()

    def __init__(self, settings: SourceSettings, display: Display) -> None:
        super().__init__(settings)
        self.DISPLAY = Screen(display)
        self._components["DISPLAY"] = self.DISPLAY

    def configure(self) -> None:
        self.SOURCE.apply_settings(cast("SourceSettings", self.SETTINGS))

    def network(self) -> NetworkDefinition:
        return (
            (self.SOURCE.OUTPUT, self.FILTER.INPUT),
            (self.FILTER.OUTPUT, self.DETECTOR.INPUT),
            (self.DETECTOR.OUTPUT, self.DISPLAY.INPUT),
            (self.SOURCE.OUTPUT, self.DISPLAY.SIGNAL),
        )

    def process_components(self) -> tuple[Component, ...]:
        return (self.SOURCE, self.DETECTOR)
