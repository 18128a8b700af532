"""The demo's units one by one, without a graph: what each makes of what it gets."""

import logging

import numpy as np
import pytest

import ezmsg.core as ez
from ezmsg.core.demo.display import Display
from ezmsg.core.demo.record import load_record
from ezmsg.core.demo.signals import Block, Detection
from ezmsg.core.demo.units import (
    BLOCK_SAMPLES,
    BeatDetector,
    Ecg,
    Filter,
    FilterSettings,
    Screen,
    Source,
    SourceSettings,
)
from ezmsg.core.graph.crawl import resolve_graph


async def ready(unit):
    unit._set_name("U")
    unit._set_location([])
    await unit.setup()
    return unit


async def messages(generator):
    return [message async for _, message in generator]


async def played(seconds):
    source = await ready(Source(SourceSettings(seconds=seconds, real_time=False)))
    return await messages(source.play())


class Counting(Display):
    """Only counts."""

    summaries = 0

    def show(self, detection):
        pass

    def summary(self):
        self.summaries += 1


@pytest.mark.parametrize(
    ("seconds", "samples"), [(1e-9, 1), (0.1, 36), (0.15, 54), (300, 108000), (1e9, 108000), (float("inf"), 108000)]
)
async def test_the_source_plays_every_sample_once_and_says_which_block_is_the_last(seconds, samples):
    blocks = await played(seconds)
    assert np.concatenate([block.signal for block in blocks]).tolist() == load_record().signal_mv[:samples].tolist()
    assert [block.start for block in blocks] == list(range(0, samples, BLOCK_SAMPLES))
    assert [block.last for block in blocks] == [False] * (len(blocks) - 1) + [True]
    assert all(block.count == len(block.signal) for block in blocks)


async def test_at_real_time_no_block_comes_before_its_last_sample():
    import time

    source = await ready(Source(SourceSettings(seconds=0.5)))
    begin_s = time.monotonic()
    async for _, block in source.play():
        assert time.monotonic() - begin_s >= (block.start + block.count) / 360 - 0.002


async def test_filter_and_detector_lose_nothing_and_find_beats():
    filter_, detector = await ready(Filter()), await ready(BeatDetector())
    detections = []
    for block in await played(20):
        for filtered in await messages(filter_.filter(block)):
            detections += await messages(detector.detect(filtered))
    assert sum(detection.count for detection in detections) == 7200
    assert [detection.last for detection in detections].count(True) == 1
    samples = [beat.sample for detection in detections for beat in detection.beats]
    assert samples == sorted(set(samples))
    assert 30 < len(samples) < 50


async def test_the_filter_is_tuned_and_refuses_what_cannot_be(caplog):
    filter_ = await ready(Filter())
    before = filter_.SETTINGS
    with caplog.at_level(logging.ERROR):
        await filter_.tune(FilterSettings(low_hz=20.0, high_hz=10.0))
    assert filter_.SETTINGS is before
    assert "The band stays as it is" in caplog.text
    wanted = FilterSettings(low_hz=8.0, high_hz=20.0)
    await filter_.tune(wanted)
    assert filter_.SETTINGS is wanted


async def test_the_screen_ends_the_run_after_the_last_block():
    screen = Screen(display := Counting())
    await screen.show(Detection(0, 36, [], 0, last=False))
    with pytest.raises(ez.NormalTermination):
        await screen.show(Detection(36, 36, [], 0, last=True))
    assert display.samples_out == 72
    assert display.summaries == 1


async def test_the_screen_ends_the_run_when_nobody_reads():
    class Broken(Counting):
        def show(self, detection):
            raise BrokenPipeError

    with pytest.raises(ez.NormalTermination):
        await Screen(Broken()).show(Detection(0, 36, [], 0, last=False))


def test_the_graph_is_as_the_documentation_has_it():
    graph = resolve_graph({"ECG": Ecg(SourceSettings(seconds=5.0), Counting())})
    assert set(graph.units) == {"ECG/SOURCE", "ECG/FILTER", "ECG/DETECTOR", "ECG/DISPLAY"}
    placed = [sorted(unit.address for unit in process.units) for process in graph.processes]
    assert placed == [["ECG/DISPLAY", "ECG/FILTER"], ["ECG/SOURCE"], ["ECG/DETECTOR"]]
    settings = graph.units["ECG/SOURCE"].SETTINGS
    assert settings == SourceSettings(seconds=5.0)
    assert ("ECG/SOURCE/OUTPUT", "ECG/FILTER/INPUT") in graph.edges
    assert graph.units["ECG/FILTER"].INPUT_SETTINGS.address == "ECG/FILTER/INPUT_SETTINGS"


def test_a_block_is_compared_and_shown_like_data():
    block = Block(0, 1, np.zeros(1), 5, last=True)
    assert block.last
    assert "published_ns=5" in repr(block)
