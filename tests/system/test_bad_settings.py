"""Bad input to a running unit's settings: a sentence with path and allowed values, and the unit goes on."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.control.errors import (
    InvalidSettingsValue,
    ProcessRequestFailed,
    SettingsFixed,
    SettingsRefused,
    UnknownSettingsField,
)
from ezmsg.core.context import publishing_settings
from ezmsg.core.errors import UnencodableMessage
from ezmsg.protocol.errors import FrameTooLarge, SettingsUnavailable
from ezmsg.protocol.wire.frames import FRAME_LIMIT

HANG = 30.0

PROGRAM = """
    import dataclasses
    from typing import Literal

    @dataclasses.dataclass
    class Filter:
        cutoff: float = dataclasses.field(default=10.0, metadata={"min": 0.5, "max": 50.0, "unit": "Hz"})

    class Tuning(ez.Settings):
        gain: float = dataclasses.field(default=1.0, metadata={"min": 0.0, "max": 10.0})
        count: int = 3
        mode: Literal["low", "high"] = "low"
        label: str = "first"
        anything: object = None
        filters: list[Filter] = dataclasses.field(default_factory=lambda: [Filter(), Filter()])
        table: dict[str, float] = dataclasses.field(default_factory=lambda: {"a": 1.0})

    class Amplifier(ez.Unit):
        SETTINGS = Tuning
        INPUT_SETTINGS = ez.InputStream(Tuning)
        OUTPUT = ez.OutputStream(float)

        @ez.subscriber(INPUT_SETTINGS)
        async def take(self, settings: Tuning) -> None:
            if settings.label == "unwelcome":
                raise ValueError("not this one")
            if settings.label == "slow" != self.SETTINGS.label:
                say("slowly")
                while not os.path.exists(os.path.join(os.path.dirname(sys.argv[1]), "go on")):
                    await asyncio.sleep(0.01)
            self.apply_settings(settings)

        @ez.publisher(OUTPUT)
        async def amplify(self) -> Output:
            while True:
                yield self.OUTPUT, self.SETTINGS.gain
                await asyncio.sleep(0.01)

    if __name__ == "__main__":
        amplifier, last = Amplifier(), Last()
        ez.run(AMPLIFIER=amplifier, LAST=last, process_components=(amplifier,), graph_address=sys.argv[2])
"""


class Unsayable:
    """What cannot travel, and says so badly."""

    def __repr__(self) -> str:
        raise ZeroDivisionError


INSIDE_ITSELF: list[Any] = []
INSIDE_ITSELF.append(INSIDE_ITSELF)

BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("gain", "loud", InvalidSettingsValue, r"gain cannot be 'loud'.*number"),
    ("gain", None, InvalidSettingsValue, r"gain"),
    ("gain", [1.0], InvalidSettingsValue, r"gain"),
    ("gain", b"\x00", InvalidSettingsValue, r"gain"),
    ("gain", 10.5, InvalidSettingsValue, r"gain cannot be 10\.5.*0.*10"),
    ("gain", math.nan, InvalidSettingsValue, r"gain cannot be nan.*0.*10"),
    ("gain", math.inf, InvalidSettingsValue, r"gain cannot be inf.*0.*10"),
    ("gain", 10**400, InvalidSettingsValue, r"gain cannot be 1.*0.*10"),
    ("count", 2.5, InvalidSettingsValue, r"count cannot be 2\.5"),
    ("mode", "medium", InvalidSettingsValue, r"mode cannot be 'medium'.*'low'.*'high'"),
    ("mode", ["low"], InvalidSettingsValue, r"mode cannot be \['low'\].*'low'.*'high'"),
    ("mode", {"a": {1}}, InvalidSettingsValue, r"mode cannot be .*'low'.*'high'"),
    ("filters[1].cutoff", 51, InvalidSettingsValue, r"filters\[1\]\.cutoff cannot be 51.*0\.5.*50"),
    ("filters[0]", {"cutoff": 51}, InvalidSettingsValue, r"filters\[0\]\.cutoff cannot be 51.*0\.5.*50"),
    ("filters", [{"cutoff": 51}], InvalidSettingsValue, r"filters\[0\]\.cutoff cannot be 51.*0\.5.*50"),
    ("table.a", "x", InvalidSettingsValue, r"table\.a cannot be 'x'"),
    ("nothing", 1, UnknownSettingsField, r"'nothing'.*gain"),
    ("filters[2].cutoff", 1, UnknownSettingsField, r"filters\[2\]"),
    ("filters[x]", 1, UnknownSettingsField, r"filters"),
    ("gain.more", 1, UnknownSettingsField, r"gain\.more"),
    ("__class__", 1, UnknownSettingsField, r"__class__"),
    ("", 1, InvalidSettingsValue, r"the settings cannot be 1.*mapping"),
    ("", {"gain": 2.0, "mode": "x"}, InvalidSettingsValue, r"mode cannot be 'x'.*'low'"),
    ("", {"gain": 2.0, "label": object()}, InvalidSettingsValue, r"label cannot be <object.*numbers"),
    ("label", "unwelcome", SettingsRefused, r"label cannot be 'unwelcome'.*not this one"),
    ("label", object(), InvalidSettingsValue, r"label cannot be <object.*numbers"),
    ("anything", Unsayable(), InvalidSettingsValue, r"anything cannot be <.*numbers"),
    ("anything", {"deep": [print]}, InvalidSettingsValue, r"anything\.deep\[0\] cannot be <built-in.*numbers"),
    ("anything", INSIDE_ITSELF, InvalidSettingsValue, r"anything.* cannot be .*numbers"),
]


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@asynccontextmanager
async def looking_into(server: Any) -> AsyncIterator[ez.GraphContext]:
    async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(2 * HANG):
        events = context.subscribe_topology_events()
        async for _ in events:
            owned = {unit for each in (await context.snapshot()).processes.values() for unit in each.units}
            if {"AMPLIFIER", "LAST"} <= owned:
                break
        await events.aclose()  # type: ignore[attr-defined]
        yield context


async def test_what_is_refused_changes_nothing(
    start: Callable[..., Any], server: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing_settings, "REPORT_WAIT_S", 0.1)  # there is none to wait for
    stop = tmp_path / "stop"
    running = start(PROGRAM, str(stop), str(server.address))
    async with looking_into(server) as context:
        process = (await context.process_ping("AMPLIFIER", timeout=HANG)).process_id
        before = await context.settings_snapshot(), await context.settings_events()
        for path, value, kind, words in BAD:
            told = rf"\(HANDLER_ERROR\): .*{words}.* was changed\."
            with pytest.raises(ProcessRequestFailed, match=told) as refusal:
                await context.update_setting("AMPLIFIER", path, value, timeout=HANG)
            assert type(refusal.value.__cause__) is kind
        for unit, kind in (("LAST", SettingsFixed), ("NOBODY", SettingsUnavailable)):
            with pytest.raises(ProcessRequestFailed, match=unit) as refusal:
                await context.update_setting(unit, "gain", 1.0, timeout=HANG)
            assert type(refusal.value.__cause__) is kind
        with pytest.raises(FrameTooLarge):
            await context.update_setting("AMPLIFIER", "label", "x" * (FRAME_LIMIT + 1), timeout=HANG)
        with pytest.raises(UnencodableMessage, match="INPUT_SETTINGS"):
            await context.update_settings("AMPLIFIER", lambda: None)
        await context.update_settings("AMPLIFIER", "no settings at all")
        assert (await context.settings_snapshot(), await context.settings_events()) == before
        output = await context.subscriber("AMPLIFIER/OUTPUT")
        assert await output.recv() == 1.0, "it goes on as it was"
        applied = await context.update_setting("AMPLIFIER", "filters[1].cutoff", 50, timeout=HANG)
        assert (applied.revision, applied.structured_value["filters"][1]) == (1, {"cutoff": 50.0})
        assert (await context.process_ping("AMPLIFIER", timeout=HANG)).process_id == process
        stop.touch()
        assert await asyncio.to_thread(running.ends) == 0


async def test_a_client_that_waits_no_more_leaves_the_change_whole(
    start: Callable[..., Any], server: Any, tmp_path: Any
) -> None:
    stop = tmp_path / "stop"
    running = start(PROGRAM, str(stop), str(server.address))
    async with looking_into(server) as context:
        events = context.subscribe_settings_events(after_seq=(await context.settings_events())[-1].seq)
        asked = asyncio.ensure_future(context.update_setting("AMPLIFIER", "label", "slow", timeout=HANG))
        await asyncio.to_thread(running.says, "slowly")
        behind = asyncio.ensure_future(context.update_setting("AMPLIFIER", "gain", 2.0, timeout=HANG))
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert not behind.done()
        (tmp_path / "go on").touch()
        both = [(await anext(aiter(events))).value.structured_value for _ in range(2)]
        assert [(one["label"], one["gain"]) for one in both] == [("slow", 1.0), ("slow", 2.0)]
        assert (await behind).structured_value == both[1]
        await events.aclose()  # type: ignore[attr-defined]
        stop.touch()
        assert await asyncio.to_thread(running.ends) == 0


ENDS_OVER_IT = """
    class Tuning(ez.Settings):
        gain: float = 1.0

    class Amplifier(ez.Unit):
        SETTINGS = Tuning
        INPUT_SETTINGS = ez.InputStream(Tuning)

        @ez.subscriber(INPUT_SETTINGS)
        async def take(self, settings: Tuning) -> None:
            self.apply_settings(settings)
            raise ez.{ending}

    if __name__ == "__main__":
        amplifier, last = Amplifier(), Last()
        ez.run(AMPLIFIER=amplifier, LAST=last, process_components=(amplifier,), graph_address=sys.argv[2])
"""


@pytest.mark.parametrize("ending", ["Complete", "NormalTermination"])
async def test_settings_over_which_a_function_ends_were_taken(
    start: Callable[..., Any],
    server: Any,
    tmp_path: Any,
    ending: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(publishing_settings, "REPORT_WAIT_S", HANG)
    stop = tmp_path / "stop"
    running = start(ENDS_OVER_IT.format(ending=ending), str(stop), str(server.address))
    async with looking_into(server) as context:
        after = (await context.settings_events())[-1].seq
        await context.update_settings("AMPLIFIER", {"gain": 2.0})
        reports = [event for event in await context.settings_events(after_seq=after) if event.source_process_id]
        assert [event.value.structured_value for event in reports] == [{"gain": 2.0}]
    assert "Nobody reported" not in caplog.text
    stop.touch()
    assert await asyncio.to_thread(running.ends) == 0
