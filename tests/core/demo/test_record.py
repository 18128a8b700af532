"""The packaged record is the one its attribution says."""

from importlib import resources

import numpy as np
import pytest

from ezmsg.core.demo.record import load_record


def test_the_record_is_five_minutes_in_millivolts() -> None:
    record = load_record()
    assert record.signal_mv.shape == (108_000,)
    assert record.signal_mv.dtype == np.float64
    assert record.fs_hz == 360.0
    assert record.duration_s == 300.0
    steps = record.signal_mv * 200
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    assert 1.0 < np.ptp(record.signal_mv) < 10.0


def test_the_record_cannot_be_changed_by_accident() -> None:
    with pytest.raises(ValueError, match="read-only"):
        load_record().signal_mv[0] = 1.0


def test_the_attribution_travels_with_the_data() -> None:
    record = load_record()
    packaged = (resources.files("ezmsg.core.demo") / "data" / "ATTRIBUTION.md").read_text("utf-8")
    for text in (record.attribution, packaged):
        for words in ("MIT-BIH Arrhythmia Database", "PhysioNet", "ODC-By 1.0", "Moody", "Goldberger"):
            assert words in text
    assert "208" in record.name
