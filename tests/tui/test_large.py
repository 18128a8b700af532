"""Graphs of one unit and of two thousand, settings of a thousand fields: all of it is there, and keys are quick."""

import sys
from collections.abc import Callable

import pytest
from tests.tui import states
from tests.tui.conftest import until
from textual.widgets import Input

from ezmsg.protocol.messages.settings import SettingsTaken
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.tui.app import TopApp
from ezmsg.tui.forms.pane import PART, FormPane
from ezmsg.tui.forms.rows import FieldRow
from ezmsg.tui.keys import Keys
from ezmsg.tui.model import facts
from ezmsg.tui.model.reducing import reduce, reduced
from ezmsg.tui.widgets.graph_canvas import GraphCanvas
from ezmsg.tui.widgets.listing import Listing

NAMES = ("topology", "settings", "profiling", "processes", "sessions", "events", "overview")


def is_at(app: TopApp, name: str) -> bool:
    return app._place is not None and name == app._place.NAME and app._place._is_ready


@pytest.mark.parametrize("units", [1, 2000])
async def test_every_screen_shows_graphs_of_any_size(units: int) -> None:
    view = states.large(units)
    later = reduced(view, states.many_seconds(list(view.picture.units)[:200], 1, 12))
    app = TopApp(recorded=view, keys=Keys())
    async with app.run_test(size=(120, 40)) as pilot:
        for name in NAMES:
            app.action_go(name)
            await until(pilot, lambda name=name: is_at(app, name))
            assert app._place is not None
            for key in ("down", "pagedown", "end", "up", "home"):
                await pilot.press(key)
            app._place.show(later)
            await pilot.pause()
        listing = app.screen.query_one("#topics", Listing)
        assert len(listing.rows) == min(units, 200)


def calls_of(work: Callable[[], object]) -> int:
    """Return how many calls some work takes: what it costs, on a busy machine as on another."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_ten_times_the_units_cost_no_more_where_nothing_has_changed() -> None:
    seconds, snapshots = [], []
    for units in (200, 2000):
        view = states.large(units)
        told = list(states.many_seconds(list(view.picture.units)[:200], 1, 12))
        snapshot = view.snapshot
        assert snapshot is not None
        seen = facts.GraphSeen(snapshot)
        seconds.append(calls_of(lambda view=view, told=told: reduced(view, told)))  # type: ignore[misc]
        snapshots.append(calls_of(lambda view=view, seen=seen: reduce(view, seen)))  # type: ignore[misc]
    assert seconds[1] < 1.1 * seconds[0]
    assert snapshots[1] < 11 * snapshots[0]


async def test_ten_times_the_units_are_shown_for_about_ten_times_as_much() -> None:
    views = []
    for units in (200, 2000):
        view = states.large(units)
        told = list(states.many_seconds(list(view.picture.units)[:200], 1, 12))
        views.append((view, reduced(view, told)))
    app = TopApp(recorded=views[0][0], keys=Keys())
    async with app.run_test(size=(120, 40)) as pilot:
        for name in NAMES:
            app.action_go(name)
            await until(pilot, lambda name=name: is_at(app, name))
            shown = []
            for view, later in views:
                place = app._place
                assert place is not None
                place.show(view)
                shown.append(calls_of(lambda place=place, later=later: place.show(later)))  # type: ignore[misc]
            # What is sorted takes a little more than ten times as much; each beside each would be a hundred times.
            assert shown[1] < 20 * shown[0], (name, shown)


async def test_the_drawing_keeps_near_what_is_chosen() -> None:
    app = TopApp(recorded=states.large(2000), keys=Keys())
    async with app.run_test(size=(140, 40)) as pilot:
        app.action_go("topology")
        await until(
            pilot, lambda: app._place is not None and app._place.NAME == "topology" and app._place._is_ready
        )
        assert app._place is not None
        app._place.choose("BIG/GROUP50/UNIT1000")
        await pilot.pause()
        canvas = app.screen.query_one(GraphCanvas)
        assert canvas.chosen is not None
        assert canvas.chosen.key == "BIG/GROUP50/UNIT1000"
        canvas.focus()
        await pilot.press("right")
        await pilot.pause()
        assert canvas.chosen.key == "BIG/GROUP50/UNIT1001"


async def test_a_thousand_fields_are_shown_a_part_at_a_time_and_found_by_a_filter() -> None:
    fields = {f"field_{number}": float(number) for number in range(1000)}
    value = SettingsSnapshotValue(None, fields, fields, None, 0)
    view = reduce(states.running(), facts.SettingsSeen(SettingsTaken({"DEMO/FILT": value}, 8, states.EPOCH)))
    app = TopApp(recorded=view, keys=Keys())
    async with app.run_test(size=(120, 40)) as pilot:
        app.action_go("settings")
        await until(
            pilot, lambda: app._place is not None and app._place.NAME == "settings" and app._place._is_ready
        )
        pane = app.screen.query_one(FormPane)
        await until(pilot, lambda: len(pane.query(FieldRow)) == PART, "a part is shown")
        pane.action_part(1)
        await until(pilot, lambda: pane.query(FieldRow)[0].field.path == f"field_{PART}", "the next part is shown")
        await pilot.press("slash", *"field_999", "enter")
        await until(pilot, lambda: [row.field.path for row in pane.query(FieldRow)] == ["field_999"], "one is left")
        await pilot.press("enter")
        line = pane.query_one(Input)
        line.value = "5"
        await until(pilot, lambda: pane.staged.values == {"field_999": 5.0}, "it is staged")
