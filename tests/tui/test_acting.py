"""Every action of the application, against a real server and a running graph of processes."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.tui.conftest import RunningLab, screen_text, until
from textual.events import Key
from textual.widgets import Input

from ezmsg.control import ControlConnection, Session, take_dag, take_settings, take_snapshot, update_fields
from ezmsg.control.profiling.snapshots import profiling_snapshot_all
from ezmsg.protocol.model.snapshot import SnapshotSession
from ezmsg.tui.app import TopApp
from ezmsg.tui.forms.pane import FormPane
from ezmsg.tui.model.view import Link, Place
from ezmsg.tui.screens import profiling
from ezmsg.tui.screens.asking import Choice, LineAsked, Question
from ezmsg.tui.widgets.listing import Listing

FILT, SLOW = "LAB/FILT", "LAB/SLOW"


@asynccontextmanager
async def top(lab: RunningLab, size: tuple[int, int] = (120, 40)) -> AsyncIterator[tuple[TopApp, Any]]:
    """The application, connected, with the whole graph and its rates in sight."""
    app = TopApp(str(lab.address))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.shown.picture.unit_count == 3, "three units are there")
        await until(pilot, lambda: len(app.shown.counted) > 2, "something was counted")
        yield app, pilot


@asynccontextmanager
async def client(lab: RunningLab) -> AsyncIterator[ControlConnection]:
    connection = await ControlConnection.open(lab.address)
    try:
        yield connection
    finally:
        await connection.close()


def on(app: TopApp, name: str) -> bool:
    place = app._place
    return place is not None and name == place.NAME and place._is_ready


async def at(app: TopApp, pilot: Any, place: Place) -> None:
    app.go_to(place)
    await until(pilot, lambda: on(app, place.screen), f"{place.screen} is shown")
    await pilot.pause()
    await pilot.pause()


async def answer(app: TopApp, pilot: Any, *keys: str, kind: type = Question) -> None:
    """Wait for a window over the screen, and press keys in it."""
    await until(pilot, lambda: isinstance(app.screen, kind), f"a {kind.__name__} is asked")
    asked = app.screen
    await pilot.pause()
    await pilot.press(*keys)
    await until(pilot, lambda: app.screen is not asked, "it is answered")


async def test_the_graph_is_seen_with_its_rates_and_nothing_is_traced(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot), client(lab) as connection:
        await until(pilot, lambda: "LAB/GEN/OUTPUT" in screen_text(app), "a topic is on the screen")
        await until(pilot, lambda: any("waits" in each for each in screen_text(app).splitlines()), "somebody waits")
        found, missing = await profiling_snapshot_all(connection)
        assert (len(found), missing) == (2, {})
        assert not any(process.tracers for process in found.values())
        for key, name in zip(
            "234567", ("topology", "settings", "profiling", "processes", "sessions", "events"), strict=True
        ):
            await pilot.press(key)
            await until(pilot, lambda name=name: on(app, name), f"{name} is shown")
            await pilot.pause(0.3)
        assert app.return_code is None


async def test_a_setting_is_staged_previewed_applied_and_taken_back(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot), client(lab) as connection:
        await at(app, pilot, Place("settings", FILT))
        pane = app.screen.query_one(FormPane)
        await until(pilot, lambda: pane.form is not None and pane.form.address == FILT and pane._rows, "a form")
        before = (await take_settings(connection)).values[FILT]
        await pilot.press("enter")
        await pilot.press("shift+right")
        assert set(pane.staged.values) == {"cutoff"}
        assert "cutoff" in screen_text(app)
        await pilot.press("ctrl+s")
        await answer(app, pilot, "y")
        await until(pilot, lambda: app.shown.settings[FILT].revision == before.revision + 1, "it is applied")
        after = (await take_settings(connection)).values[FILT]
        assert after.structured_value["cutoff"] != before.structured_value["cutoff"]
        change = app.shown.histories[FILT][-1]
        assert change.by == f"tui@{socket.gethostname()}"
        assert not pane.staged

        await pilot.press("ctrl+z")
        await answer(app, pilot, "y")
        await until(pilot, lambda: app.shown.settings[FILT].revision == before.revision + 2, "it is taken back")
        again = (await take_settings(connection)).values[FILT]
        assert again.structured_value == before.structured_value


async def test_what_is_refused_is_said_at_its_field(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot), client(lab) as connection:
        await at(app, pilot, Place("settings", FILT))
        pane = app.screen.query_one(FormPane)
        await until(pilot, lambda: pane.form is not None and pane.form.address == FILT and pane._rows, "a form")
        row = pane._rows["order"]
        line = row.query_one(Input)
        line.focus()
        await pilot.pause()
        line.value = "99"
        await until(pilot, lambda: "order" in pane.staged.complaints, "it is complained of")
        assert "must be 1 .. 12" in screen_text(app)
        line.value = "10"
        await until(pilot, lambda: pane.staged.values.get("order") == 10, "it is staged")
        pane.set_staged(type(pane.staged)({"order": 10, "kind": "bessel"}))
        await pilot.press("ctrl+s")
        await answer(app, pilot, "y")
        await until(pilot, lambda: pane.staged.complaints, "it is refused")
        assert "at most 8 poles" in " ".join(pane.staged.complaints.values())
        assert "at most 8 poles" in screen_text(app)
        assert (await take_settings(connection)).values[FILT].structured_value["kind"] == "butter"
        await pilot.press("ctrl+r")
        assert not pane.staged


async def test_live_changes_are_applied_at_once_and_others_are_seen(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot), client(lab) as connection:
        await at(app, pilot, Place("settings", SLOW))
        pane = app.screen.query_one(FormPane)
        await until(pilot, lambda: pane.form is not None and pane.form.address == SLOW and pane._rows, "a form")
        revision = app.shown.settings[SLOW].revision
        await pilot.press("ctrl+l", "enter", "right", "right", "right")
        await until(pilot, lambda: app.shown.settings[SLOW].structured_value["work_ms"] == 90.0, "it is applied")
        changes = [each.fields for each in app.shown.histories[SLOW]]
        assert app.shown.settings[SLOW].revision <= revision + 3, changes
        await pilot.press("ctrl+l")
        await update_fields(connection, SLOW, {"work_ms": 60.0})
        await until(pilot, lambda: app.shown.settings[SLOW].structured_value["work_ms"] == 60.0, "it is seen")


async def test_topics_are_connected_and_disconnected(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot), client(lab) as connection:
        await at(app, pilot, Place("topology", "LAB/GEN/OUTPUT"))
        await pilot.press("c")
        await answer(app, pilot, "enter", kind=LineAsked)
        await until(pilot, lambda: isinstance(app.screen, LineAsked), "the other end is asked for")
        await pilot.press(*"SPY", "enter")
        await until(pilot, lambda: ("LAB/GEN/OUTPUT", "SPY") in app.shown.picture.edges, "it is connected")
        await until(
            pilot, lambda: "No unit has a topic SPY yet." in screen_text(app), "it is said that nobody has it"
        )
        assert "SPY" in (await take_dag(connection)).graph["LAB/GEN/OUTPUT"]
        await at(app, pilot, Place("topology", "LAB/GEN/OUTPUT"))
        await pilot.press("x")
        await answer(app, pilot, "enter", kind=Choice)
        await until(pilot, lambda: ("LAB/GEN/OUTPUT", "SPY") not in app.shown.picture.edges, "it is gone")
        # An edge of a session is not for an operator to take away.
        await pilot.press("x")
        await until(pilot, lambda: "they are of a session" in screen_text(app), "it is said why not")


async def test_a_cycle_is_refused_with_its_path(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot):
        await at(app, pilot, Place("topology", "LAB/GEN/OUTPUT"))
        await pilot.press("c")
        await answer(app, pilot, "enter", kind=LineAsked)
        await until(pilot, lambda: isinstance(app.screen, LineAsked), "the other end is asked for")
        await pilot.press(*"LAB/GEN/OUTPUT", "enter")
        await until(pilot, lambda: "cycle" in screen_text(app), "it is refused")


@pytest.mark.parametrize(
    ("down", "name", "holds"), [(0, "g.svg", "<svg"), (1, "g.dot", "digraph"), (2, "g.mmd", "flow")]
)
async def test_the_graph_is_written(lab: RunningLab, tmp_path: Path, down: int, name: str, holds: str) -> None:
    async with top(lab) as (app, pilot):
        await at(app, pilot, Place("topology", "LAB/GEN"))
        await pilot.press("e")
        await answer(app, pilot, *["down"] * down, "enter", kind=Choice)
        await until(pilot, lambda: isinstance(app.screen, LineAsked), "the file is asked for")
        app.screen.query_one(Input).value = str(tmp_path / name)
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / name).exists(), "it is written")
        assert holds in (tmp_path / name).read_text(encoding="utf-8")


async def test_stacks_and_ping_of_a_process(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot):
        slow = next(each for each in app.shown.picture.processes.values() if each.units == [SLOW])
        await at(app, pilot, Place("processes", str(slow.process_id)))
        await pilot.press("p")
        await until(pilot, lambda: "answered in" in screen_text(app), "it has answered")
        for _ in range(20):  # it may be looked at between two messages
            await pilot.press("t")
            await until(pilot, lambda: "on the units' event loop" in screen_text(app), "stacks are shown")
            if "in works" in screen_text(app):
                break
        assert "in works" in screen_text(app)


async def test_a_session_is_dropped_after_it_was_shown_what_would_vanish(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot), client(lab) as connection:
        session = Session(connection)
        await session.open()
        await session.connect("A", "B")
        await until(pilot, lambda: ("A", "B") in app.shown.picture.edges, "its edge is seen")
        await at(app, pilot, Place("sessions", str(session.id)))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, Question), "it is asked")
        await until(pilot, lambda: "A -> B" in screen_text(app), "it is said what would vanish")
        await pilot.press("n")
        await pilot.pause()
        assert str(session.id) in (await take_snapshot(connection)).sessions
        await pilot.press("d")
        await answer(app, pilot, "y")
        await until(pilot, lambda: ("A", "B") not in app.shown.picture.edges, "its edge is gone")
        sessions: dict[str, SnapshotSession] = (await take_snapshot(connection)).sessions
        assert str(session.id) not in sessions


async def test_a_trace_ends_by_itself_and_is_drawn_and_written(lab: RunningLab, tmp_path: Path) -> None:
    async with top(lab) as (app, pilot):
        await at(app, pilot, Place("profiling"))
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, LineAsked), "it is asked for how long")
        app.screen.query_one(Input).value = "1"
        await pilot.press("enter")
        await until(pilot, lambda: app.shown.tracing.is_on, "it is on")
        await until(pilot, lambda: app.shown.tracing.batches and not app.shown.tracing.is_on, "it is over")
        await until(pilot, lambda: "lanes, last" in screen_text(app), "lanes are shown")
        assert "█" in screen_text(app)
        await pilot.press("f")
        await until(pilot, lambda: "where" in screen_text(app) and "take" in screen_text(app), "a flame is shown")
        await pilot.press("e")
        await answer(app, pilot, "enter", kind=Choice)
        await until(pilot, lambda: isinstance(app.screen, LineAsked), "the file is asked for")
        app.screen.query_one(Input).value = str(tmp_path / "trace.json")
        await pilot.press("enter")
        await until(pilot, lambda: (tmp_path / "trace.json").exists(), "it is written")
        assert json.loads((tmp_path / "trace.json").read_text(encoding="utf-8"))["traceEvents"]


async def test_a_trace_is_ended_before_its_time_and_nothing_stays_on(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot), client(lab) as connection:
        await at(app, pilot, Place("profiling"))
        await pilot.press("T")
        await until(pilot, lambda: isinstance(app.screen, LineAsked), "it is asked for how long")
        app.screen.query_one(Input).value = "30"
        await pilot.press("enter")
        await until(pilot, lambda: app.shown.tracing.is_on, "it is on")
        await pilot.press("T")
        await until(pilot, lambda: not app.shown.tracing.is_on, "it is over")
        found, _ = await profiling_snapshot_all(connection, 5.0)
        assert not any(process.tracers for process in found.values())


async def test_blame_names_the_slow_unit(lab: RunningLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiling, "BLAME_S", 1.0)
    async with top(lab) as (app, pilot):
        await at(app, pilot, Place("profiling", "LAB/FILT/OUTPUT"))
        await pilot.press("b")
        await until(pilot, lambda: "LAB/SLOW/INPUT   pid" in screen_text(app), "the slow unit is named")
        assert "lab.py" in screen_text(app)


async def test_filter_freeze_copy_help_theme_and_palette(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot):
        topics = app.screen.query_one("#topics", Listing)
        assert len(topics.rows) == 2
        await pilot.press("slash", *"FILT", "enter")
        await until(pilot, lambda: len(topics.rows) == 1, "one is left")
        await pilot.press("y")
        assert app.clipboard.startswith("ezmsg topic hz")
        await pilot.press("escape")
        await until(pilot, lambda: len(topics.rows) == 2, "both are there again")
        await pilot.press("space")
        frozen = app.shown
        await pilot.pause(1.5)
        assert app.shown is frozen
        assert "frozen" in screen_text(app)
        await pilot.press("space")
        assert app.shown is not frozen
        await pilot.press("question_mark")
        await until(pilot, lambda: "who waits for whom" in screen_text(app), "help is shown")
        await pilot.press("question_mark")
        theme = app.theme
        await pilot.press("ctrl+t")
        assert app.theme != theme
        await pilot.press("ctrl+p")
        await pilot.pause(0.2)
        await pilot.press(*"go to sess")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: on(app, "sessions"), "the palette went there")


async def test_letters_typed_faster_than_the_filter_opens_come_into_it(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot):
        for letter in "/a/b":  # without waiting, as a terminal hands on what was typed while all was busy
            app.post_message(Key("slash" if letter == "/" else letter, letter))
        line = app.screen.query_one("#filter", Input)
        await until(pilot, lambda: line.value == "a/b", "it is in the filter, a second slash as well")


async def test_the_mouse_chooses_rows_and_screens(lab: RunningLab) -> None:
    async with top(lab) as (app, pilot):
        await pilot.click("Navigation", offset=(16, 0))
        await until(pilot, lambda: on(app, "topology"), "a click went there")
        tree = app.screen.query_one("#tree", Listing)
        await until(pilot, lambda: len(tree.rows) > 3, "the tree is there")
        await pilot.click("#tree", offset=(5, 3))
        assert tree.cursor_key == tree.rows[2].key
        await pilot.click("#tree", offset=(5, 1), times=2)
        await until(pilot, lambda: len(tree.rows) == 1, "two clicks close it")


@pytest.mark.parametrize("size", [(80, 24), (200, 50), (40, 10), (20, 5)])
async def test_every_screen_fits_every_terminal(lab: RunningLab, size: tuple[int, int]) -> None:
    async with top(lab, size) as (app, pilot):
        for key in "1234567":
            await pilot.press(key)
            await pilot.pause(0.3)
            assert len(screen_text(app).splitlines()) <= size[1]
        assert app.shown.contact.link is Link.LIVE
