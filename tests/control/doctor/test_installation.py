"""What is installed, judged as data; and a look at distributions that lie in a folder."""

import base64
import hashlib
from importlib.metadata import distributions
from pathlib import Path

import pytest

from ezmsg.control.doctor.findings import Finding, Verdict
from ezmsg.control.doctor.installation.judging import judge
from ezmsg.control.doctor.installation.record import Installation, Part, take_record

INIT, RUN, ENGINE = "ezmsg/core/__init__.py", "ezmsg/core/run.py", "ezmsg/core/engine.py"
CORE = Part("ezmsg-core", "0.1.0", ("ezmsg-protocol<0.2,>=0.1",), {INIT: "ours", RUN: "ours", ENGINE: "ours"})
PROTOCOL = Part("ezmsg-protocol", "0.1.3", ("attrs>=24.2",), {"ezmsg/protocol/__init__.py": "ours"})
UMBRELLA = Part("ezmsg", "4.0.0", ("ezmsg-core<0.2,>=0.1", "ezmsg-tui>=0.1; extra == 'tui'"), {})
PUBLIC = Part("ezmsg", "3.10.0b5", (), {INIT: "theirs", RUN: "theirs", "ezmsg/core/relay.py": "theirs"})
SIGPROC = Part("ezmsg-sigproc", "3.11.1", ("ezmsg[axisarray]>=3.10.0b5",), {"ezmsg/sigproc/__init__.py": "sigproc"})


def installed(*parts: Part, **changed: str | None) -> Installation:
    found = {name: digest for part in parts for name, digest in part.files.items()}
    return Installation(parts, {**found, **{{"init": INIT, "engine": ENGINE}[k]: v for k, v in changed.items()}})


def findings(*parts: Part, **changed: str | None) -> list[Finding]:
    return list(judge(installed(*parts, **changed)))


def test_what_is_whole_is_told_with_its_versions() -> None:
    (finding,) = findings(CORE, PROTOCOL, UMBRELLA, SIGPROC)
    assert finding.verdict is Verdict.OK
    assert "core 0.1.0, protocol 0.1.3" in finding.text


def test_the_public_package_over_ours() -> None:
    finding, *more = findings(CORE, PROTOCOL, PUBLIC)  # the later one's digests are what is found
    assert (finding.verdict, finding.code, more) == (Verdict.FAIL, "EZ-4401", [])
    assert finding.text == (
        'distribution "ezmsg" 3.10.0b5, the public package, is installed over ezmsg-core 0.1.0: 2 of its files are '
        "overwritten, ezmsg/core/__init__.py, ezmsg/core/run.py"
    )
    assert finding.advice.startswith(
        "pip uninstall ezmsg && pip install --force-reinstall --no-deps ./packages/ezmsg ./packages/ezmsg-control"
    )


def test_the_public_package_under_ours() -> None:
    finding, *more = findings(PUBLIC, CORE, PROTOCOL)
    assert (finding.verdict, finding.code, more) == (Verdict.FAIL, "EZ-4401", [])
    assert finding.text.endswith("lies under ezmsg-core 0.1.0: whoever removes it takes 2 files along")


def test_the_public_package_beside_ours_that_is_edited_in_place() -> None:
    finding, *more = findings(Part("ezmsg-core", "0.1.0", (), {}), PUBLIC)
    assert (finding.verdict, finding.code, more) == (Verdict.FAIL, "EZ-4401", [])
    assert "stands beside ezmsg-core, and hides them" in finding.text


def test_the_public_package_alone_is_none_of_our_business() -> None:
    assert [each.verdict for each in findings(PUBLIC, SIGPROC)] == [Verdict.OK]


def test_files_that_went_with_the_public_package() -> None:
    (finding,) = findings(CORE, PROTOCOL, init=None)
    assert finding.verdict is Verdict.FAIL
    assert finding.text.startswith("1 files of ezmsg-core 0.1.0 are gone, ezmsg/core/__init__.py;")
    assert "--force-reinstall --no-deps ./packages/ezmsg-core" in finding.advice


def test_files_that_somebody_changed() -> None:
    (finding,) = findings(CORE, PROTOCOL, engine="mended")
    assert finding.verdict is Verdict.WARN
    assert "1 files of ezmsg-core 0.1.0 were changed, ezmsg/core/engine.py" in finding.text


def test_a_version_that_does_not_fit() -> None:
    (finding,) = findings(CORE, Part("ezmsg-protocol", "0.2.0", (), {}))
    assert finding.verdict is Verdict.FAIL
    assert finding.text == "ezmsg-core 0.1.0 asks for ezmsg-protocol<0.2,>=0.1, and 0.2.0 is installed"


def test_a_part_that_is_not_there() -> None:
    (finding,) = findings(CORE)
    assert finding == Finding(
        Verdict.FAIL,
        "ezmsg-core 0.1.0 asks for ezmsg-protocol<0.2,>=0.1, which is not installed",
        "pip install ezmsg-protocol",
    )


def test_without_the_umbrella_pip_would_bring_the_public_package() -> None:
    (finding,) = findings(CORE, PROTOCOL, SIGPROC)
    assert finding.verdict is Verdict.WARN
    assert "pip would bring the public one, over ours" in finding.text


# --- the look -----------------------------------------------------------------------------------------------------


def install(folder: Path, name: str, version: str, files: dict[str, str], requires: str = "") -> None:
    """Lay a distribution into a folder as an installer does."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    wanted = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{wanted}")
    lines = [f"{info.name}/METADATA,,"]
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(content)}")
    (info / "RECORD").write_text("\n".join([*lines, f"{info.name}/RECORD,,"]) + "\n")


def test_a_look_at_a_folder_in_which_the_public_package_came_second(tmp_path: Path) -> None:
    install(tmp_path, "ezmsg-core", "0.1.0", {INIT: "ours", ENGINE: "ours"})
    install(tmp_path, "ezmsg", "3.9.0", {INIT: "theirs"})
    install(tmp_path, "numpy", "2.0", {"numpy/__init__.py": ""})
    record = take_record(distributions(path=[str(tmp_path)]))
    assert [part.name for part in record.parts] == ["ezmsg", "ezmsg-core"]
    assert record.found.keys() == {INIT, ENGINE}
    (finding,) = judge(record)
    assert "1 of its files are overwritten, ezmsg/core/__init__.py" in finding.text


def test_a_look_at_files_that_are_gone(tmp_path: Path) -> None:
    install(tmp_path, "ezmsg-core", "0.1.0", {INIT: "ours", ENGINE: "ours"}, "ezmsg-protocol>=0.1; extra == 'no'")
    (tmp_path / INIT).unlink()
    record = take_record(distributions(path=[str(tmp_path)]))
    assert record.found[INIT] is None
    assert [finding.verdict for finding in judge(record)] == [Verdict.FAIL]


def test_what_is_installed_here_is_well() -> None:
    assert [finding.verdict for finding in judge(take_record()) if finding.verdict is Verdict.FAIL] == []


@pytest.mark.parametrize("name", ["ezmsg-core", "ezmsg_core", "Ezmsg-Core"])
def test_names_are_taken_as_installers_do(tmp_path: Path, name: str) -> None:
    install(tmp_path, name, "0.1.0", {})
    assert [part.name for part in take_record(distributions(path=[str(tmp_path)])).parts] == ["ezmsg-core"]
