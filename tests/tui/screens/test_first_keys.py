"""Where keys go before anybody has chosen: to the list of each screen, however its graph came to be seen."""

from typing import Any

import pytest
from tests.tui import states
from tests.tui.conftest import until
from tests.tui.screens.test_pictures import SCREENS

from ezmsg.tui.app import TopApp
from ezmsg.tui.keys import Keys
from ezmsg.tui.model.facts import Fact
from ezmsg.tui.model.view import View
from ezmsg.tui.screens.overview import Overview
from ezmsg.tui.widgets.listing import Listing


def tell(app: TopApp, facts: list[Fact]) -> None:
    for fact in facts:
        app.tell(fact)
    app._show()


async def opened(app: TopApp, pilot: Any, screen: str) -> Any:
    """The screen, which says that it waits for a server, and has nothing that takes keys."""
    app.action_go(screen)
    await until(pilot, lambda: app._place is not None and screen == app._place.NAME and app._place._is_ready)
    await pilot.pause()
    place = app._place
    assert place is not None
    assert place.has_class("-empty")
    assert place.focused is None
    return place


@pytest.mark.parametrize("screen", SCREENS)
async def test_a_graph_that_comes_after_the_screen_has_the_keys(screen: str) -> None:
    app = TopApp(recorded=View(), keys=Keys())
    async with app.run_test(size=(120, 30)) as pilot:
        place = await opened(app, pilot, screen)
        tell(app, [*states.beginning(), *states.seconds(11)])
        await until(pilot, lambda: place.focused is place.query(Listing).first(), "the first list has the keys")


async def test_where_the_graph_goes_and_comes_back_keys_go_on() -> None:
    app = TopApp(recorded=states.running(), keys=Keys())
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: isinstance(app.focused, Listing), "a list has the keys")
        app._view = states.waiting()
        app._show()
        await until(pilot, lambda: app.focused is None, "what is hidden has them no more")
        app._view = states.running()
        app._show()
        await until(pilot, lambda: isinstance(app.focused, Listing), "they are back")


async def test_enter_goes_to_the_worst_news_and_to_what_was_chosen_once_a_key_was_pressed() -> None:
    app = TopApp(recorded=View(), keys=Keys())
    async with app.run_test(size=(120, 30)) as pilot:
        place = await opened(app, pilot, "overview")
        assert isinstance(place, Overview)
        told, topics = place.query_one("#news", Listing), place.query_one("#topics", Listing)
        tell(app, [*states.beginning(), *states.seconds(1)])
        late = told.cursor_key
        assert late.startswith("late"), late
        tell(app, list(states.seconds(10, 2)))
        assert told.cursor_key.startswith("waits")
        assert len(told.rows) > 1
        await pilot.press("down")
        chosen = told.cursor_key
        app._view = states.lost()  # something worse comes in above
        app._show()
        assert told.cursor_key == chosen != told.rows[1].key
        app._view = states.running()
        app._show()
        await pilot.press("up", "enter")
        await until(pilot, lambda: app._place is not None and app._place.NAME == "profiling", "one is there")
        assert not topics.has_focus


async def test_without_news_keys_go_to_the_topics_until_there_are_some() -> None:
    app = TopApp(recorded=View(), keys=Keys())
    async with app.run_test(size=(120, 30)) as pilot:
        place = await opened(app, pilot, "overview")
        tell(app, states.beginning())
        assert place.focused.id == "topics"
        tell(app, list(states.seconds(11)))
        assert place.focused.id == "news"
