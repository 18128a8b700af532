"""Settings of any size: the program starts, everybody gets a picture of it, and its units have what was given."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import ezmsg.core as ez
from ezmsg.core.context import publishing_settings

HANG = 30.0

PROGRAM = """
    import dataclasses

    import numpy as np

    class Tuning(ez.Settings):
        weights: np.ndarray
        taps: np.ndarray = dataclasses.field(default_factory=lambda: np.ones(3, np.float32))
        gain: float = 1.0
        table: object = None
        default: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(500_000))

    class Small(ez.Settings):
        weights: np.ndarray

    class Beside(ez.Unit):
        SETTINGS = Small

    class Amplifier(ez.Unit):
        SETTINGS = Tuning
        INPUT_SETTINGS = ez.InputStream(Tuning)

        async def initialize(self) -> None:
            say(self.name, self.SETTINGS.weights.nbytes, self.SETTINGS.gain)

        @ez.subscriber(INPUT_SETTINGS)
        async def take(self, settings: Tuning | dict[str, object]) -> None:
            if isinstance(settings, dict):
                settings = Tuning(**settings)
            self.apply_settings(settings)
            taps = settings.taps
            say("took", settings.weights.nbytes, settings.weights[-1], settings.gain, taps.dtype, *taps)

    if __name__ == "__main__":
        table = [float(n) for n in range(200_000)]
        first = Amplifier(weights=np.full(5_000_000, 0.5), table={"inside": table})
        second, last = Amplifier(weights=np.ones(3_000_000)), Last()
        others = {f"OTHER{n}": Beside(weights=np.ones(8_000)) for n in range(40)}
        ez.run(
            AMPLIFIER=first, SECOND=second, LAST=last, process_components=(first, second), **others,
            graph_address=sys.argv[2], root_name=sys.argv[3],
        )
"""


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@pytest.mark.timeout(150)
async def test_no_value_takes_the_control_plane_down(
    start: Callable[..., Any], server: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_settings, "REPORT_WAIT_S", HANG)
    stop = tmp_path / "stop"
    programs = [start(PROGRAM, str(stop), str(server.address), root) for root in ("ONE", "TWO")]
    for running in programs:
        assert (await asyncio.to_thread(running.says, "AMPLIFIER"))[1:] == ["40000000", "1.0"]
    async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(2 * HANG):
        events = context.subscribe_topology_events()
        async for _ in events:
            owned = {unit for each in (await context.snapshot()).processes.values() for unit in each.units}
            if {"ONE/SECOND", "TWO/SECOND", "ONE/AMPLIFIER", "TWO/AMPLIFIER"} <= owned:
                break
        await events.aclose()  # type: ignore[attr-defined]
        values = await context.settings_snapshot()
        assert len(values) == 2 * 43
        form = values["ONE/AMPLIFIER"].structured_value
        assert form is not None
        json.dumps([each.structured_value for each in values.values()])
        digest = form["weights"].pop("digest")
        assert form["weights"] == {"$omitted": "ndarray", "dtype": "<f8", "shape": [5_000_000]}
        assert (form["taps"], form["gain"]) == ([1.0, 1.0, 1.0], 1.0)
        assert form["table"]["inside"]["shape"] == [200_000]
        assert values["ONE/AMPLIFIER"].serialized is None
        changed = await context.update_setting("ONE/AMPLIFIER", "gain", "2.5", timeout=HANG)
        assert changed.structured_value is not None
        assert changed.structured_value["weights"]["digest"] == digest
        said = await asyncio.to_thread(programs[0].says, "took")
        assert said == ["took", "40000000", "0.5", "2.5", "float32", "1.0", "1.0", "1.0"]
        await context.update_setting("ONE/AMPLIFIER", "taps", [3, 0.5], timeout=HANG)
        assert (await asyncio.to_thread(programs[0].says, "took", 2))[3:] == ["2.5", "float32", "3.0", "0.5"]
        after = (await context.settings_events())[-1].seq
        await context.update_settings("ONE/AMPLIFIER", {"weights": np.full(6_000_000, 0.25), "gain": 7.0})
        assert (await asyncio.to_thread(programs[0].says, "took", 3))[1:4] == ["48000000", "0.25", "7.0"]
        reports = [each.value.structured_value for each in await context.settings_events(after_seq=after)]
        assert [each["weights"]["shape"] for each in reports if each] == [[6_000_000]]
        assert reports[0] is not None
        assert reports[0]["weights"]["digest"] != digest
    stop.touch()
    for running in programs:
        assert await asyncio.to_thread(running.ends) == 0
    said = programs[0].errors
    assert "ONE/AMPLIFIER.weights (ndarray <f8 of 5000000), ONE/AMPLIFIER.table.inside (list of 200000)" in said
    assert said.count("ONE/AMPLIFIER.weights") == 2, "by the program and by the unit's process, once each"
