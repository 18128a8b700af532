"""The demo's filter tuned from a second process while it runs: applied, told, refused, and no sample lost.

What the commands print of this is in `test_examples.py`, which runs the page that shows them.
"""

import asyncio
import json
import sys
from contextlib import aclosing
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control import find_running
from ezmsg.control.errors import InvalidSettingsValue, SettingsRefused
from ezmsg.protocol.errors import StaleRevision

HANG = 30.0
DEMO = [sys.executable, "-m", "ezmsg.core", "demo", "--json", "--seconds", "10"]
FILTER = "ECG/FILTER"


async def test_a_second_process_tunes_the_filter(
    start: Any, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", environment["EZMSG_RUNTIME_DIR"])
    demo = start.command(*DEMO)
    await asyncio.to_thread(demo.says, '{"sample"')

    async with asyncio.timeout(HANG), ez.GraphContext(find_running(), auto_start=False) as context:
        seq = (await context.settings_events())[-1].seq
        applied = await context.update_setting(FILTER, "high_hz", 40.0, timeout=HANG, expect=0)
        assert applied.structured_value == {"low_hz": 5.0, "high_hz": 40.0}
        assert applied.revision == 1

        for path, value, cause, words in (
            ("high_hz", 180.0, InvalidSettingsValue, "high_hz cannot be 180.0: .* number from 0.5 to below 180"),
            ("", {"low_hz": 8.0, "high_hz": 1e3}, InvalidSettingsValue, "high_hz cannot be 1000.0: .* below 180"),
            ("low_hz", 40.0, SettingsRefused, "low_hz cannot be 40.0: low_hz must be below high_hz"),
        ):
            with pytest.raises(RuntimeError, match=words) as refusal:
                await context.update_setting(FILTER, path, value, timeout=HANG)
            assert type(refusal.value.__cause__) is cause
        with pytest.raises(RuntimeError, match="expected at revision 0, but they are at revision 1") as refusal:
            await context.update_setting(FILTER, "high_hz", 20.0, timeout=HANG, expect=0)
        assert type(refusal.value.__cause__) is StaleRevision

        both = {"low_hz": 8.0, "high_hz": 20.0}
        assert (await context.update_setting(FILTER, "", both, timeout=HANG, expect=1)).revision == 2
        async with aclosing(context.subscribe_settings_events(after_seq=seq)) as events:  # type: ignore[type-var]
            told = [await anext(events), await anext(events)]
        assert [event.value.structured_value for event in told] == [applied.structured_value, both]
        assert [event.seq for event in told] == [seq + 1, seq + 2]
        owner = (await context.process_ping(FILTER, timeout=HANG)).process_id
        assert all(event.source_process_id == owner for event in told)

    assert await asyncio.to_thread(demo.ends) == 0
    *beats, last = [json.loads(line) for line in demo.out]
    assert last["summary"]["samples_in"] == last["summary"]["samples_out"] == 3600
    assert len(beats) == last["summary"]["beats"] > 5
    assert demo.errors == ""
