"""Graphs of one unit and of two thousand, settings of a thousand fields: all of it is there, and keys are quick."""

import time

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


async def test_what_a_second_and_a_key_cost_with_two_thousand_units() -> None:
    """Told as processor time, of which a busy machine takes no more; the limits are those of a slow one."""
    view = states.large(2000)
    told = list(states.many_seconds(list(view.picture.units)[:200], 1, 12))
    begin = time.process_time()
    later = reduced(view, told)
    assert time.process_time() - begin < 0.2
    begin = time.process_time()
    assert view.snapshot is not None
    reduce(view, facts.GraphSeen(view.snapshot))
    assert time.process_time() - begin < 1.0
    app = TopApp(recorded=view, keys=Keys())
    async with app.run_test(size=(120, 40)) as pilot:
        for name in NAMES:
            app.action_go(name)
            await until(pilot, lambda name=name: is_at(app, name))
            assert app._place is not None
            app._place.show(view)
            begin = time.process_time()
            app._place.show(later)
            assert time.process_time() - begin < 0.3, f"{name} is slow"


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
