"""Type checkers see a user's program as its author means it: mypy and pyright, in strict mode, right and wrong."""

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "programs"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "weather"
RIGHT, WRONG = "typed_right.py", "typed_wrong.py"
SHOWN = ("weather.py", "station.py")
"""What a page shows, of which there is nothing to be said, either."""

HANG = 200.0

Found = dict[str, dict[int, str]]
"""What a checker says of which line of which program."""

pytestmark = pytest.mark.timeout(240)  # mypy reads NumPy's types first, on a busy machine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The programs, in a folder without settings of anybody's."""
    for path in (PROGRAMS / RIGHT, PROGRAMS / WRONG, *(EXAMPLES / name for name in SHOWN)):
        shutil.copy(path, tmp_path)
    return tmp_path


def mypy(folder: Path, *, plugins: str) -> Found:
    (folder / "mypy.ini").write_text(f"[mypy]\nstrict = true\n{plugins}", encoding="utf-8")
    reported = said(folder, "-m", "mypy", "--output", "json", RIGHT, WRONG, *SHOWN).splitlines()
    return sorted_by_line((each["file"], each["line"], each["message"]) for each in map(json.loads, reported))


def pyright(folder: Path) -> Found:
    settings = {"typeCheckingMode": "strict", "pythonVersion": "3.11"}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    reported = json.loads(said(folder, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable))
    assert reported["summary"]["filesAnalyzed"] == 2 + len(SHOWN)
    found = reported["generalDiagnostics"]
    return sorted_by_line((each["file"], each["range"]["start"]["line"] + 1, each["message"]) for each in found)


def said(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout


def sorted_by_line(reported: Iterable[tuple[str, int, str]]) -> Found:
    found: Found = defaultdict(dict)
    for file, line, message in reported:
        found[Path(file).name][line] = message
    return found


def lines_with(mark: str, program: str) -> set[int]:
    lines = (PROGRAMS / program).read_text(encoding="utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith(f"  # {mark}")}


def finds(found: Found, program: str, expected: set[int]) -> None:
    unexpected = {line: words for line, words in found[program].items() if line not in expected}
    assert (unexpected, expected - found[program].keys()) == ({}, set())
    assert {name: found[name] for name in SHOWN if name in found} == {}


def test_pyright_finds_what_is_wrong_and_nothing_else(folder: Path) -> None:
    found = pyright(folder)
    finds(found, RIGHT, set())
    finds(found, WRONG, lines_with("wrong", WRONG))


def test_mypy_with_the_plugin_finds_what_is_wrong_and_nothing_else(folder: Path) -> None:
    found = mypy(folder, plugins="plugins = ezmsg.core.graph.mypy_plugin\n")
    finds(found, RIGHT, set())
    finds(found, WRONG, lines_with("wrong", WRONG))


def test_mypy_without_the_plugin_sees_fields_but_no_values(folder: Path) -> None:
    found = mypy(folder, plugins="")
    finds(found, RIGHT, lines_with("plugin", RIGHT))
    finds(found, WRONG, lines_with("wrong", WRONG))
