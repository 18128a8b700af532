"""What a command line names, found and imported; each failure is a sentence."""

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from ezmsg.core.commands.programs import loading
from ezmsg.core.errors import NothingToRun, ProgramNotLoaded

PARTS = str(Path(__file__).with_name("parts.py"))


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("parts", None)


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (PARTS, (PARTS, "")),
        (f"{PARTS}:Filter", (PARTS, "Filter")),
        ("lab/first.py:System.PART", ("lab/first.py", "System.PART")),
        ("some.module:Filter", ("some.module", "Filter")),
        ("sigproc.ButterworthFilter", None),
    ],
)
def test_what_a_text_means(target: str, place: tuple[str, str] | None) -> None:
    assert loading.place_of(target) == place


def test_a_file_is_imported_under_its_name_and_with_what_is_beside_it(tmp_path: Path) -> None:
    (tmp_path / "beside_it.py").write_text("NUMBER = 7\n")
    (tmp_path / "the_program.py").write_text("from beside_it import NUMBER\n")
    module = loading.load(str(tmp_path / "the_program.py"))
    assert module.NUMBER == 7
    assert sys.modules["the_program"] is module


def test_a_module_is_imported_by_its_name() -> None:
    assert loading.load("ezmsg.core.graph.unit").__name__ == "ezmsg.core.graph.unit"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.py", None, "there is no such file"),
        ("wrong.py", "1 +", "SyntaxError"),
        ("failing.py", "raise KeyError('x')", "KeyError: 'x'"),
        ("leaving.py", "import sys; sys.exit(3)", "SystemExit: 3"),
        ("select.py", "", "there is another module of this name"),
        ("pytest.py", "", "there is another module of this name"),
    ],
)
def test_what_cannot_be_loaded_says_why(tmp_path: Path, name: str, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ProgramNotLoaded, match=said):
        loading.load(str(tmp_path / name))
    assert name.removesuffix(".py") not in ("absent", "wrong") or name not in sys.modules


def test_a_module_that_there_is_not() -> None:
    with pytest.raises(ProgramNotLoaded, match=r"no_such_module cannot be loaded: ModuleNotFoundError"):
        loading.load("no_such_module")


def test_objects_are_found_by_name() -> None:
    module = loading.load(PARTS)
    assert loading.find(module, loading.Place(PARTS, "Filter")) is module.Filter
    assert loading.find(module, loading.Place(PARTS, "Pair.FIRST")) is module.Pair.FIRST
    assert list(loading.component_classes(module)) == ["Filter", "Sayer", "Pair", "Failing"]


def test_what_is_not_there_names_what_is() -> None:
    module = loading.load(PARTS)
    with pytest.raises(NothingToRun, match=r"it has no Fitler\. There is: Filter, Sayer, Pair, Failing, ready\."):
        loading.find(module, loading.Place(PARTS, "Fitler"))
    with pytest.raises(NothingToRun, match=r"it defines several components; say which, as in .*parts\.py:Filter"):
        loading.find(module, loading.Place(PARTS, ""))


def test_the_only_component_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "only_one.py"
    path.write_text("import ezmsg.core as ez\nclass Only(ez.Unit): ...\n")
    module = loading.load(str(path))
    assert loading.find(module, loading.Place(str(path), "")) is module.Only
    path = tmp_path / "none_at_all.py"
    path.write_text("x = 1\n")
    with pytest.raises(NothingToRun, match="it defines no Unit or Collection"):
        loading.find(loading.load(str(path)), loading.Place(str(path), ""))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("if __name__ == '__main__': pass", True),
        ("x = 1", False),
        ("import ezmsg.core as ez\nez.run()", False),
    ],
)
def test_what_a_program_is(tmp_path: Path, content: str, expected: bool) -> None:
    path = tmp_path / "one.py"
    path.write_text(content)
    assert loading.is_program(str(path)) is expected


def test_a_program_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ProgramNotLoaded, match="No such file"):
        loading.is_program(str(tmp_path / "absent.py"))


def test_a_registered_component_has_to_be_one() -> None:
    point = EntryPoint("lab.Thing", "ezmsg.core.graph.unit:UnitMeta", loading.GROUP)
    with pytest.raises(
        NothingToRun, match=r"lab\.Thing: ezmsg\.core\.graph\.unit:UnitMeta is no Unit or Collection"
    ):
        loading.load_registered(point)
    unit = loading.load_registered(EntryPoint("lab.Unit", "ezmsg.core.graph.unit:Unit", loading.GROUP))
    assert unit.__name__ == "Unit"
