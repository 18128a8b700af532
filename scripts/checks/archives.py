"""Build wheels and source distributions, and look into them."""

import configparser
import shutil
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import Any

from environments import CheckFailed, Environment, require

PACKAGES = Path(__file__).parents[2] / "packages"

DATA = {
    "ezmsg-core": {
        "ezmsg/core/demo/data/ATTRIBUTION.md",
        "ezmsg/core/demo/data/mitbih_208_mlii.npz",
    }
}
"""What is no code and must be there all the same."""


@dataclass(frozen=True)
class Distribution:
    """One folder under ``packages/``."""

    name: str

    @property
    def folder(self) -> Path:
        return PACKAGES / self.name

    @property
    def has_code(self) -> bool:
        """Whether it holds a portion of the namespace; the umbrella holds none."""
        return (self.folder / "src").exists()

    @property
    def package(self) -> str:
        """Its portion of the namespace, as a path: ``ezmsg/core``."""
        return self.name.replace("-", "/", 1)

    @cached_property
    def pyproject(self) -> dict[str, Any]:
        return tomllib.loads((self.folder / "pyproject.toml").read_text(encoding="utf-8"))

    @property
    def entry_points(self) -> dict[str, dict[str, str]]:
        project = self.pyproject["project"]
        groups: dict[str, dict[str, str]] = dict(project.get("entry-points", {}))
        if "scripts" in project:
            groups["console_scripts"] = project["scripts"]
        return groups

    def sources(self) -> dict[str, bytes]:
        """Every file under ``src``, as ``ezmsg/...``; what Python left there does not count."""
        root = self.folder / "src"
        files = (path for path in root.rglob("*") if path.is_file() and path.suffix not in (".pyc", ".pyo"))
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def all_distributions() -> list[Distribution]:
    return [Distribution(path.parent.name) for path in sorted(PACKAGES.glob("*/pyproject.toml"))]


class Builder:
    """Builds with the backend that the distributions ask for."""

    def __init__(self, folder: Path, distributions: list[Distribution]) -> None:
        requirements = {one for each in distributions for one in each.pyproject["build-system"]["requires"]}
        self._environment = Environment.make(folder, sorted(requirements))

    def build(self, source: Path, target: str, into: Path) -> Path:
        """Build a ``wheel`` or an ``sdist`` of a source folder; return the archive."""
        before = set(into.glob("*"))
        self._environment.python("-m", "hatchling", "build", "-t", target, "-d", str(into), cwd=source)
        (archive,) = set(into.glob("*")) - before
        return archive

    def rebuild(self, sdist: Path, into: Path) -> Path:
        """Build a wheel out of nothing but a source distribution."""
        unpacked = into / "unpacked"
        shutil.unpack_archive(sdist, unpacked)
        (source,) = unpacked.iterdir()
        return self.build(source, "wheel", into)


def check_wheel(distribution: Distribution, wheel: Path) -> None:
    """Hold a wheel against its sources, and its metadata against ``pyproject.toml``."""
    files = wheel_files(wheel)
    code = {name: data for name, data in files.items() if name.startswith("ezmsg/")}
    _check_code(distribution, code)
    info = {name.partition(".dist-info/")[2]: data for name, data in files.items() if name not in code}
    expected = {"METADATA", "RECORD", "WHEEL", "licenses/LICENSE"}
    if distribution.entry_points:
        expected.add("entry_points.txt")
        found = _sections(info.get("entry_points.txt", b""))
        require(found == distribution.entry_points, f"{wheel.name} has the entry points {found}")
    require(set(info) == expected, f"beside the code, {wheel.name} holds {sorted(info)}")
    _check_metadata(distribution, message_from_bytes(info["METADATA"]))


def check_sdist(distribution: Distribution, sdist: Path) -> None:
    """Hold a source distribution against its folder."""
    files = sdist_files(sdist)
    _check_code(distribution, {name[4:]: data for name, data in files.items() if name.startswith("src/")})
    for name in ("README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"):
        require(files.get(name) == (distribution.folder / name).read_bytes(), f"{sdist.name} lacks its {name}")
    _check_metadata(distribution, message_from_bytes(files["PKG-INFO"]))


def wheel_files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sdist_files(sdist: Path) -> dict[str, bytes]:
    """The files of a source distribution, named from its own folder on."""
    files = {}
    with tarfile.open(sdist) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                files[member.name.partition("/")[2]] = content.read()
    return files


def _check_code(distribution: Distribution, code: Mapping[str, bytes]) -> None:
    if not distribution.has_code:
        require(not code, f"{distribution.name} is to hold no code, and holds {sorted(code)}")
        return
    # One such file would hide every other distribution of the namespace.
    require("ezmsg/__init__.py" not in code, f"{distribution.name} has an ezmsg/__init__.py")
    needed = {f"{distribution.package}/py.typed", f"{distribution.package}/__init__.py"}
    missing = (needed | DATA.get(distribution.name, set())) - set(code)
    require(not missing, f"{distribution.name} lacks {sorted(missing)}")
    elsewhere = [name for name in code if not name.startswith(f"{distribution.package}/")]
    require(not elsewhere, f"{distribution.name} reaches into another distribution: {elsewhere}")
    sources = distribution.sources()
    require(code == sources, f"{distribution.name} is not its sources: {sorted(set(code) ^ set(sources))}")


def _check_metadata(distribution: Distribution, metadata: Message) -> None:
    project = distribution.pyproject["project"]
    expected = {
        "Name": project["name"],
        "Version": project["version"],
        "Summary": project["description"],
        "License-Expression": "MIT",
        "License-File": "LICENSE",
        "Requires-Python": ">=3.11",
        "Description-Content-Type": "text/markdown",
    }
    for field, value in expected.items():
        require(metadata[field] == value, f"the metadata of {distribution.name} says {field}: {metadata[field]}")
    readme = (distribution.folder / "README.md").read_text(encoding="utf-8")
    payload = metadata.get_payload(decode=True)
    if not isinstance(payload, bytes) or payload.decode().strip() != readme.strip():
        raise CheckFailed(f"the metadata of {distribution.name} does not hold its README")
    changelog = (distribution.folder / "CHANGELOG.md").read_text(encoding="utf-8")
    require(
        f"\n## [{project['version']}]" in changelog,
        f"the changelog of {distribution.name} has nothing on {project['version']}",
    )


def _sections(text: bytes) -> dict[str, dict[str, str]]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    parser.read_string(text.decode())
    return {name: dict(parser[name]) for name in parser.sections()}
