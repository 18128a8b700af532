"""Everybody is told the settings that a unit has, also where its function makes others of what it was given."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control.errors import ProcessRequestFailed
from ezmsg.core.context import publishing_settings

HANG = 30.0

PROGRAM = """
    import dataclasses
    import enum
    import pathlib

    class Mode(enum.Enum):
        FAST = "fast"
        SLOW = "slow"

    @dataclasses.dataclass
    class Record:
        rate: float = 1.0
        mode: Mode = Mode.FAST

    class Tuning(ez.Settings):
        gain: float = 1.0
        record: Record = dataclasses.field(default_factory=Record)
        records: list[Record] = dataclasses.field(default_factory=list)
        path: pathlib.Path = pathlib.Path("a")

    class Amplifier(ez.Unit):
        SETTINGS = Tuning
        INPUT_SETTINGS = ez.InputStream(Tuning)

        @ez.subscriber(INPUT_SETTINGS)
        async def take(self, settings: Tuning) -> None:
            if settings.gain == 66:
                return
            if settings.gain == 55:
                self.SETTINGS = dataclasses.replace(settings, gain=56.0)
                return
            self.apply_settings(dataclasses.replace(settings, gain=float(round(settings.gain))))
            say("has", self.SETTINGS.gain, self.SETTINGS.record, self.SETTINGS.path)
            if settings.gain == 13:
                raise ValueError("after all")

    if __name__ == "__main__":
        amplifier, last = Amplifier(), Last()
        ez.run(AMPLIFIER=amplifier, LAST=last, process_components=(amplifier,), graph_address=sys.argv[2])
"""


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


class Mode(Enum):
    SLOW = "slow"


@dataclass
class Record:
    rate: float
    mode: Mode


@pytest.mark.timeout(120)
async def test_what_is_told_is_in_effect(
    start: Callable[..., Any],
    server: Any,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(publishing_settings, "REPORT_WAIT_S", HANG)
    stop = tmp_path / "stop"
    running = start(PROGRAM, str(stop), str(server.address))
    async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(3 * HANG):
        events = context.subscribe_topology_events()
        async for _ in events:
            owned = {unit for each in (await context.snapshot()).processes.values() for unit in each.units}
            if {"AMPLIFIER", "LAST"} <= owned:
                break
        await events.aclose()  # type: ignore[attr-defined]

        async def everybody_says() -> list[Any]:
            value = (await context.settings_snapshot())["AMPLIFIER"].structured_value
            event = (await context.settings_events())[-1].value.structured_value
            return [each["gain"] for each in (value, event) if each is not None]

        applied = await context.update_setting("AMPLIFIER", "gain", 2.7, timeout=HANG)
        assert (applied.structured_value or {})["gain"] == 3.0
        assert (applied.repr_value, await everybody_says()) == ({**applied.repr_value, "gain": 3.0}, [3.0, 3.0])
        applied = await context.update_setting("AMPLIFIER", "path", "b", timeout=HANG)
        assert (applied.structured_value or {})["gain"] == 3.0, "the next change is one of what is in effect"
        # A function that fails after it has applied the settings has applied them nevertheless.
        follow = context.subscribe_settings_events(after_seq=(await context.settings_events())[-1].seq)
        with pytest.raises(ProcessRequestFailed, match="after all"):
            await context.update_setting("AMPLIFIER", "gain", 13, timeout=HANG)
        assert ((await anext(aiter(follow))).value.structured_value or {})["gain"] == 13.0
        await follow.aclose()  # type: ignore[attr-defined]
        # What is assigned is in effect as well.
        applied = await context.update_setting("AMPLIFIER", "gain", 55, timeout=HANG)
        assert ((applied.structured_value or {})["gain"], await everybody_says()) == (56.0, [56.0, 56.0])
        # Nothing is applied of this one: the function has its own way with it.
        applied = await context.update_setting("AMPLIFIER", "gain", 66, timeout=HANG)
        assert (applied.structured_value or {})["gain"] == 66.0
        # A record, a member and a path are taken as what they are.
        applied = await context.update_setting("AMPLIFIER", "record", Record(0.5, Mode.SLOW), timeout=HANG)
        assert (applied.structured_value or {})["record"] == {"rate": 0.5, "mode": "slow"}
        applied = await context.update_setting("AMPLIFIER", "record.mode", Mode.SLOW, timeout=HANG)
        changes = {"records": [Record(1, Mode.SLOW), {"rate": 2}], "path": Path("/tmp")}
        applied = await context.update_setting("AMPLIFIER", "", changes, timeout=HANG)
        form = applied.structured_value or {}
        assert form["records"] == [{"rate": 1.0, "mode": "slow"}, {"rate": 2.0, "mode": "fast"}]
        assert form["path"] == "/tmp"
    assert "Nobody reported" not in caplog.text
    stop.touch()
    assert await asyncio.to_thread(running.ends) == 0
