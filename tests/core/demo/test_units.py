"""The demo's units one by one, without a graph: what each makes of what it gets."""

from types import SimpleNamespace

import numpy as np
import pytest

import ezmsg.core as ez
from ezmsg.control.errors import InvalidSettingsValue, SettingsRefused
from ezmsg.control.settingsmeta import patched, settings_schema_from_type
from ezmsg.core.demo.bandpass import BandPass, InvalidCutoffs
from ezmsg.core.demo.display import Display
from ezmsg.core.demo.record import FS_HZ, load_record
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


async def test_the_filter_is_tuned_and_refuses_what_cannot_be():
    filter_ = await ready(Filter())
    before = filter_.SETTINGS
    with pytest.raises(InvalidCutoffs, match=r"must satisfy 0 < low < high < 180 Hz"):
        await filter_.tune(SimpleNamespace(low_hz=5.0, high_hz=200.0))
    assert filter_.SETTINGS is before
    wanted = FilterSettings(low_hz=8.0, high_hz=20.0)
    await filter_.tune(wanted)
    assert filter_.SETTINGS is wanted


def test_a_band_that_contradicts_itself_cannot_be_made():
    with pytest.raises(InvalidCutoffs, match="low_hz must be below high_hz, and 20 is not below 10"):
        FilterSettings(low_hz=20.0, high_hz=10.0)


def test_the_cutoffs_say_what_they_allow():
    for field in settings_schema_from_type(FilterSettings).fields:
        lower, upper = field.bounds
        assert lower == 0.5
        assert upper == np.nextafter(load_record().fs_hz / 2, 0.0)
        assert field.widget_hint == "slider"
        assert "half the sampling rate" in field.description
    assert load_record().fs_hz == FS_HZ


@pytest.mark.parametrize(
    ("path", "value", "error", "words"),
    [
        ("high_hz", 180.0, InvalidSettingsValue, r"high_hz cannot be 180.0: .* from 0.5 to below 180"),
        ("low_hz", 0, InvalidSettingsValue, r"low_hz cannot be 0: .* from 0.5 to below 180"),
        ("low_hz", 15, SettingsRefused, r"low_hz cannot be 15: low_hz must be below high_hz"),
        ("", {"low_hz": 20, "high_hz": 10}, SettingsRefused, r"low_hz, high_hz cannot be .*: low_hz must be below"),
    ],
)
def test_what_an_operator_cannot_set(path, value, error, words):
    with pytest.raises(error, match=words):
        patched(FilterSettings(), path, value)


def test_both_cutoffs_move_together():
    assert patched(FilterSettings(), "", {"low_hz": 20, "high_hz": 40}) == FilterSettings(20.0, 40.0)


async def test_a_change_between_two_blocks_costs_no_sample_and_repeats_none():
    """What comes out has the place in the record that it would have without the change."""
    tuned, steady = await ready(Filter()), await ready(Filter())
    blocks, outputs = await played(5), []
    for number, block in enumerate(blocks):
        if number == 20:
            await tuned.tune(FilterSettings(high_hz=40.0))
        outputs.append([(await messages(each.filter(block)))[0] for each in (tuned, steady)])
    assert [(ours.start, ours.count, len(ours.signal)) for ours, _ in outputs] == [
        (theirs.start, theirs.count, len(theirs.signal)) for _, theirs in outputs
    ]
    ours, theirs = (np.concatenate([each.signal for each in one]) for one in zip(*outputs, strict=True))
    assert np.array_equal(ours[: 20 * BLOCK_SAMPLES], theirs[: 20 * BLOCK_SAMPLES])
    new = BandPass(5.0, 40.0, FS_HZ)
    raw = np.concatenate([block.signal for block in blocks])
    settled = 20 * BLOCK_SAMPLES + 2 * new.delay_samples + 1  # when the fade is over
    assert np.allclose(ours[settled : len(raw)], new.process(raw)[settled:])


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
