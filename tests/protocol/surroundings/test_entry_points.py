"""Entry points that are read from files are those that the standard library finds."""

import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, EntryPoints, entry_points
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.surroundings.entry_points import entries, installed

GROUPS = ("ezmsg.commands", "ezmsg.doctor", "other")
_names = st.from_regex(r"[a-z][a-z0-9_.-]{0,8}", fullmatch=True)
_places = st.from_regex(r"[a-z]{1,5}(\.[a-z]{1,5}){0,2}:[a-z]{1,5}", fullmatch=True)
_entry = st.builds("{}{}={}{}{}".format, _names, st.sampled_from(["", " "]), st.sampled_from(["", " "]), _places,
                   st.sampled_from(["", " ", " [extra]"]))  # fmt: skip
_line = st.one_of(_entry, st.sampled_from(["", "  ", "# a = note:x"]), st.sampled_from(GROUPS).map("[{}]".format))


@given(st.lists(_line, max_size=12))
def test_a_file_says_what_the_standard_library_reads(lines: list[str]) -> None:
    lines = ["[other]", *lines]
    for group in GROUPS:
        theirs = EntryPoints._from_text_for("\n".join(lines), None).select(group=group)  # type: ignore[attr-defined]
        ours = dict(entries(lines, group))
        assert ours == {point.name: f"{point.module}:{point.attr}" for point in theirs}


def distribution(folder: Path, name: str, verb: str, place: str, group: str = "lab.verbs") -> Path:
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{group}]\n{verb} = {place}\n", encoding="utf-8")
    return folder


def test_what_is_installed_here_is_found() -> None:
    for group in ("ezmsg.commands", "ezmsg.encodings", "console_scripts"):
        found = {name: place for name, (place, _) in installed(group).items()}
        assert found == {point.name: point.value.partition("[")[0].strip() for point in entry_points(group=group)}
    assert installed("ezmsg.commands")["demo"][1] == "ezmsg-core"


def test_of_two_with_one_name_the_first_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = distribution(tmp_path / "first", "my_lab", "go", "first:go")
    second = distribution(tmp_path / "second", "My.Lab", "run", "second:run")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "nowhere"), str(first), str(second)])
    assert installed("lab.verbs") == {"go": ("first:go", "my-lab")}


def test_an_archive_on_the_path_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = distribution(tmp_path / "tree", "zipped", "go", "zipped:go")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    monkeypatch.syspath_prepend(tmp_path / "all.zip")
    assert installed("lab.verbs") == {"go": ("zipped:go", "zipped")}


def test_a_finder_that_knows_others_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Frozen:
        @staticmethod
        def find_spec(*_: object) -> None:
            return None

        @staticmethod
        def find_distributions(context: object) -> list[Distribution]:
            return [Baked()]

    class Baked(Distribution):
        def read_text(self, filename: str) -> str | None:
            texts = {"METADATA": "Name: baked\n", "entry_points.txt": "[lab.verbs]\ngo = baked:go\n"}
            return texts.get(filename)

        def locate_file(self, path: object) -> Path:
            return Path(str(path))

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Frozen])
    assert installed("lab.verbs") == {"go": ("baked:go", "baked")}


def test_an_egg_is_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "laid-1.0-py3.11.egg" / "EGG-INFO"
    info.mkdir(parents=True)
    (info / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: laid\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[lab.verbs]\ngo = laid:go\n", encoding="utf-8")
    monkeypatch.syspath_prepend(info.parent)
    assert installed("lab.verbs") == {"go": ("laid:go", "laid")}


def test_a_file_that_is_no_text_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = distribution(tmp_path, "broken", "go", "x:y")
    (folder / "broken-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe[lab.verbs]")
    monkeypatch.setattr(sys, "path", [str(folder)])
    assert installed("lab.verbs") == {}


def test_it_is_quick_to_import() -> None:
    slow = {"typing", "email", "zipfile", "pathlib"}
    code = f"import sys, ezmsg.protocol.surroundings.entry_points; print(*{slow} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
