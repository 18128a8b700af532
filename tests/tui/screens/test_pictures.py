"""Every screen on recorded states, as a picture: in two sizes, without a server, and with what is unusual."""

from typing import Any

import pytest
from tests.tui import states
from tests.tui.conftest import until
from tests.tui.snapshots import compare

from ezmsg.protocol.model.profiling import ProcessProfilingTraceBatch, ProfilingTraceSample
from ezmsg.tui.app import TopApp
from ezmsg.tui.keys import Keys
from ezmsg.tui.model import facts
from ezmsg.tui.model.reducing import reduced
from ezmsg.tui.model.view import View

SCREENS = ("overview", "topology", "settings", "profiling", "processes", "sessions", "events")
S = 1_000_000_000


def traced() -> View:
    """A trace of half a second: FILT waits while DECODE works."""
    batches = []
    for process, pid, samples in (
        (states.FIRST, 4121, [("backpressure_wait_ns", states.FILT_OUT, None, 0.012)]),
        (
            states.SECOND,
            4188,
            [
                ("lease_time_ns", states.DECODE_IN, None, 0.012),
                ("user_span_ns", states.DECODE_IN, "on_message", 0.011),
            ],
        ),
    ):
        found = [
            ProfilingTraceSample(
                (1000 + number * 0.02 + 0.012) * S,
                states.endpoint(topic),
                topic,
                metric,
                length * S,
                None,
                number,
                None,
                label,
            )
            for number in range(25)
            for metric, topic, label, length in samples
        ]
        batches.append(ProcessProfilingTraceBatch(process, pid, "lab3", 1001 * S, found))
    return reduced(states.running(), [facts.TraceEnded(tuple(batches), {})])


async def shown(
    view: View, *keys: str, name: str, size: tuple[int, int] = (100, 30), screen: str = "overview"
) -> None:
    app = TopApp(recorded=view, keys=Keys())
    async with app.run_test(size=size) as pilot:
        app.action_go(screen)
        await until(pilot, lambda: app._place is not None and screen == app._place.NAME and app._place._is_ready)
        await pilot.pause()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause()
        compare(app, name)


@pytest.mark.parametrize("screen", SCREENS)
async def test_the_running_graph(screen: str) -> None:
    await shown(states.running(), name=screen, screen=screen, size=(120, 30))


@pytest.mark.parametrize("screen", SCREENS)
async def test_in_a_small_terminal(screen: str) -> None:
    await shown(states.running(), name=f"{screen}-small", screen=screen, size=(60, 18))


@pytest.mark.parametrize(
    ("state", "name"), [("waiting", "no-server"), ("lost", "server-lost")], ids=["no-server", "server-lost"]
)
async def test_without_a_server(state: str, name: str) -> None:
    await shown(getattr(states, state)(), name=name)


async def test_the_drawing_alone() -> None:
    await shown(
        states.running(), "down", "down", "down", "g", "g", name="topology-graph", screen="topology", size=(120, 20)
    )


async def test_a_form_with_what_is_staged() -> None:
    await shown(states.running(), "enter", "shift+right", name="settings-staged", screen="settings", size=(120, 30))


async def test_the_difference_before_it_is_applied() -> None:
    keys = ("enter", "shift+right", "ctrl+s")
    await shown(states.running(), *keys, name="settings-apply", screen="settings", size=(120, 30))


async def test_the_history_of_settings() -> None:
    await shown(states.running(), "ctrl+o", name="settings-history", screen="settings", size=(120, 30))


async def test_lanes_and_flame() -> None:
    await shown(traced(), "l", name="profiling-lanes", screen="profiling", size=(120, 30))
    await shown(traced(), "f", name="profiling-flame", screen="profiling", size=(120, 30))


async def test_help() -> None:
    await shown(states.running(), "question_mark", name="help", screen="processes", size=(120, 30))


async def test_what_would_vanish_with_a_session() -> None:
    await shown(states.running(), "d", name="sessions-drop", screen="sessions")


async def test_wide_characters() -> None:
    view = reduced(states.running(), [facts.GraphSeen(states.graph(more=[("信号/出力", "表示器/入力")]))])
    await shown(view, "end", name="wide-characters", screen="topology", size=(120, 30))


async def test_without_colour(monkeypatch: Any) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    await shown(states.running(), name="no-colour")
