"""The house: what may stand at the top of a distribution, what a door may hold, and that nobody inside uses one.

Which room may use which is the import linter's to say, see ``pyproject.toml``.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
HOUSES = {path.name: path for path in sorted(PACKAGES.glob("*/src/ezmsg/*")) if path.is_dir()}
CORE, UTIL = HOUSES["core"], HOUSES["util"]
NO_DOORS = {"__init__", "__main__", "errors", "explanations"}

DOORS_OF_CORE = {
    *("addressable", "backend", "backendprocess", "collection", "command", "component", "dag", "graph_util"),
    *("graphcontext", "graphmeta", "graphserver", "logconfig", "message", "messagemarshal", "netprotocol"),
    *("processclient", "pubclient", "relay", "settings", "settingsmeta", "state", "stream", "subclient", "sync"),
    *("type_resolution", "unit", "util"),
}
DOORS_OF_UTIL = {
    *("debuglog", "gen_to_unit", "generator", "messagecodec", "messagegate", "messagelogger", "messagequeue"),
    *("messagereplay", "profiler", "rate", "terminate"),
}
DOORS = {CORE: DOORS_OF_CORE, UTIL: DOORS_OF_UTIL}
"""The old import paths that stay alive."""


def modules() -> Iterator[Path]:
    for house in HOUSES.values():
        yield from house.rglob("*.py")


def folders() -> list[Path]:
    return sorted({path.parent for path in modules()} - set(HOUSES.values()))


def imported(path: Path) -> Iterator[str]:
    """Yield every module of ours that a module imports, whenever it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{each.name}" for each in node.names)


@pytest.mark.parametrize("house", DOORS, ids=lambda house: house.name)
def test_every_file_beside_the_rooms_is_a_door(house: Path) -> None:
    assert {path.stem for path in house.glob("*.py")} - NO_DOORS == DOORS[house]


@pytest.mark.parametrize(
    ("house", "name"),
    [(house, name) for house, names in DOORS.items() for name in sorted(names)],
    ids=lambda each: each.name if isinstance(each, Path) else each,
)
def test_a_door_says_so_and_holds_no_code(house: Path, name: str) -> None:
    document, *rest = ast.parse((house / f"{name}.py").read_text(encoding="utf-8")).body
    assert isinstance(document, ast.Expr)
    assert isinstance(document.value, ast.Constant)
    assert str(document.value.value).startswith("A door: ")
    *imports, names = rest
    assert all(isinstance(node, ast.Import | ast.ImportFrom) for node in imports)
    assert isinstance(names, ast.Assign)
    assert ast.unparse(names.targets[0]) == "__all__"


@pytest.mark.parametrize("house", HOUSES.values(), ids=HOUSES)
def test_nobody_inside_goes_through_a_face_or_a_door(house: Path) -> None:
    package = f"ezmsg.{house.name}"
    doors = DOORS.get(house, set())
    shut = {package} | {f"{package}.{door}" for door in doors}
    allowed = {f"{package}.errors"} if house in DOORS else set()
    for path in house.rglob("*.py"):
        if path.parent == house and path.stem in doors | {"__init__"}:
            continue
        used = {name for name in imported(path) if name in shut and name not in allowed}
        # `from ezmsg.core import errors` names a module beside the face, and not what the face hands out.
        text = path.read_text(encoding="utf-8")
        if used == {package} and not re.search(rf"^\s*import {re.escape(package)}( as \w+)?$", text, re.MULTILINE):
            names = {name for name in imported(path) if name.startswith(f"{package}.")}
            used = {name for name in names if name.count(".") == 2 and not _exists(name)}
        assert not used, f"{path} imports {sorted(used)}"


def _exists(name: str) -> bool:
    place = HOUSES[name.split(".")[1]] / name.split(".")[2]
    return place.is_dir() or place.with_suffix(".py").exists()


@pytest.mark.parametrize("folder", folders(), ids=lambda path: path.as_posix().rpartition("/src/ezmsg/")[2])
def test_a_room_says_what_lives_there_who_enters_and_what_it_uses(folder: Path) -> None:
    if not list(folder.glob("*.py")):
        pytest.fail("a folder of data wants no __init__")
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert re.search(r"\benters?\b", text), f"{folder} does not say who enters"
    assert re.search(r"\b(use|uses|used|using)\b", text), f"{folder} does not say what it uses"


@pytest.mark.parametrize("house", HOUSES.values(), ids=HOUSES)
def test_a_distribution_is_read_at_a_glance(house: Path) -> None:
    doors = DOORS.get(house, set())
    rooms = [path for path in house.iterdir() if path.is_dir() and path.name != "__pycache__"]
    files = {path.stem for path in house.glob("*.py")} - doors - {"__init__", "__main__"}
    assert len(rooms) <= 12
    assert len(files - {"errors"}) + len(rooms) <= 12


def test_nothing_that_decides_waits() -> None:
    """What the graph server decides, no client can hold up; see ``docs/explain/control-plane.md``."""
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    for path in (HOUSES["graphserver"] / "deciding").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not isinstance(node, waiting), f"{path}:{getattr(node, 'lineno', 0)} waits"
