"""Keys that a user has bound anew, by a file; and a file that is not as it should be."""

from pathlib import Path

import pytest
from tests.tui import states
from tests.tui.conftest import screen_text, until
from textual.dom import DOMNode

from ezmsg.tui.app import TopApp, _kinds, actions
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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[keys]\napp.freze = "f9"\n', "there is no action app.freze; is app.freeze meant?"),
        ('[keys]\nprocesses.stack = "f9"\n', "there is no action processes.stack; is processes.stacks meant?"),
        ('[keys]\nzzz = "f9"\n', "there is no action zzz. There are: app.copy, app.freeze,"),
        ('theme = "nrod"\n', "there is no theme nrod; is nord meant?"),
        (
            '[key]\napp.quit = "f9"\n',
            'nothing reads key. Write theme = "nord", and [keys] with app.quit = "ctrl+q".',
        ),
        ('keys = "f9"\n', "nothing reads keys. Write"),
    ],
)
async def test_a_name_that_is_none_is_said_on_the_screen(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "keys.toml").write_text(text, encoding="utf-8")
    app = TopApp(recorded=states.running())
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: bool(app._notifications), "it is complained of")
        (complaint,) = app._notifications
        assert complaint.message.startswith(f"{tmp_path / 'keys.toml'}: {said}")
        await until(pilot, lambda: said[:12] in screen_text(app), "it is on the screen")


async def test_a_file_that_is_as_it_should_be_is_not_complained_of(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(
        'theme = "nord"\n[keys]\napp.quit = "ctrl+q"\nsettings.apply = "f2"\n', encoding="utf-8"
    )
    app = TopApp(recorded=states.running())
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await pilot.press("f1")  # which comes after the first picture
        assert not app._notifications


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
    ids = actions()
    assert {"app.quit", "screen.filter", "list.up", "settings.apply", "slider.less"} <= set(ids)
    assert len(ids) == len(set(ids))
    ours = [each for each in _kinds(DOMNode) if each.__module__.startswith("ezmsg.tui")]
    assert None not in [binding.id for each in ours for binding in vars(each).get("BINDINGS", ())]
