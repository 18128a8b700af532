"""Keys that a user has bound anew, by a file; and a file that is not as it should be."""

from pathlib import Path

import pytest
from tests.tui import states
from tests.tui.conftest import screen_text, until

from ezmsg.tui.app import TopApp
from ezmsg.tui.keys import Keys, keys_file, read_keys


def test_without_a_file_nothing_is_bound_anew(tmp_path: Path) -> None:
    assert read_keys(tmp_path / "keys.toml") == Keys()


@pytest.mark.parametrize("text", ['[keys]\napp.quit = "ctrl+q"\n', '[keys]\n"app.quit" = "ctrl+q"\n'])
def test_keys_are_read_by_the_ids_of_actions(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.toml").write_text(f'theme = "nord"\n{text}', encoding="utf-8")

    assert read_keys(tmp_path / "keys.toml") == Keys({"app.quit": "ctrl+q"}, "nord")


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text("[keys\n", encoding="utf-8")
    (complaint,) = read_keys(path).complaints
    assert str(path) in complaint
    path.write_text("theme = 3\n[keys]\napp.quit = 5\n", encoding="utf-8")
    assert [each.partition(": ")[2] for each in read_keys(path).complaints] == [
        'app.quit wants a text of keys, such as "ctrl+q" or "f5,r".',
        "theme wants the name of a theme as a text.",
    ]


def test_the_file_is_where_such_files_are() -> None:
    assert keys_file({"XDG_CONFIG_HOME": "/etc/x"}) == Path("/etc/x/ezmsg/keys.toml")
    assert keys_file({"EZMSG_KEYS": "/a/b.toml"}) == Path("/a/b.toml")
    assert keys_file({}) == Path.home() / ".config" / "ezmsg" / "keys.toml"


async def test_keys_do_what_the_file_says() -> None:
    keys = Keys({"app.freeze": "f9", "go.events": "e"}, "nord", ["the file is odd"])
    app = TopApp(recorded=states.running(), keys=keys)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        assert app.theme == "nord"
        await until(pilot, lambda: "the file is odd" in screen_text(app), "it is complained of")
        await pilot.press("space")
        assert not app.is_frozen
        await pilot.press("f9")
        assert app.is_frozen
        await pilot.press("e")
        await until(pilot, lambda: app._place is not None and app._place.NAME == "events", "events are shown")


def test_every_action_has_an_id_of_its_own() -> None:
    from ezmsg.tui.forms.pane import FormPane
    from ezmsg.tui.forms.slider import Slider
    from ezmsg.tui.screens.asking import Choice, LineAsked, Question
    from ezmsg.tui.screens.frame import ViewScreen
    from ezmsg.tui.widgets.graph_canvas import GraphCanvas
    from ezmsg.tui.widgets.listing import Listing

    places = [TopApp, ViewScreen, Listing, GraphCanvas, Slider, FormPane, Question, LineAsked, Choice]
    places += TopApp.MODES.values()
    ids = [binding.id for place in places for binding in vars(place).get("BINDINGS", ())]
    assert None not in ids
    assert len(ids) == len(set(ids))
