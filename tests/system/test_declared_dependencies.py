"""Each distribution declares exactly what its sources import: nothing is missing, nothing is carried along."""

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
DISTRIBUTIONS = sorted(folder.name for folder in PACKAGES.iterdir() if (folder / "src").exists())

EXTRAS = {
    ("ezmsg-control", "cli"): "src/ezmsg/control/cli/**/*.py src/ezmsg/control/doctor/**/*.py",
    ("ezmsg-control", "tls"): "src/ezmsg/control/certifying/*.py",
    ("ezmsg-control", "trace"): "src/ezmsg/control/exporting/perfetto.py",
    ("ezmsg-core", "mypy"): "src/ezmsg/core/graph/mypy_plugin.py",
    ("ezmsg-graphserver", "uvloop"): "src/ezmsg/graphserver/sockets/loops.py",
    ("ezmsg-protocol", "testing"): "src/ezmsg/protocol/testing.py",
    ("ezmsg-util", "perf"): "",  # the name is kept, and all that it needs is there anyway
    ("ezmsg-tui", "web"): "src/ezmsg/tui/serving.py",
    ("ezmsg-util", "xarray"): "src/ezmsg/util/messages/axisarray/conversion.py",
    ("ezmsg-util", "progress"): "src/ezmsg/util/units/progress.py",
}
"""The sources that have a use for an extra; what they alone import is what the extra must declare.

Several patterns have spaces between them.
"""

AHEAD: dict[str, set[str]] = {}
"""Declared before the code that imports it."""

UMBRELLA = "ezmsg"
"""It imports nothing, for it holds no code: what it declares is what it is."""

SIBLING_RANGE = re.compile(r"^ezmsg-[a-z]+(\[[a-z]+\])?>=\d+\.\d+,<\d+\.\d+$")


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_dependencies_are_what_is_imported(name: str) -> None:
    optional = {path for (owner, _), pattern in EXTRAS.items() if owner == name for path in sources(name, pattern)}
    imported = distributions_imported(set(sources(name, "src/**/*.py")) - optional) - {name}
    ahead = AHEAD.get(name, set())

    assert not imported & ahead, "these are imported by now: take them out of AHEAD"
    assert names(project(name)["dependencies"]) == imported | ahead


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_every_extra_is_known_here(name: str) -> None:
    known = {extra for owner, extra in EXTRAS if owner == name}

    assert set(project(name).get("optional-dependencies", {})) == known


@pytest.mark.parametrize(("name", "extra"), EXTRAS)
def test_an_extra_is_what_only_its_sources_import(name: str, extra: str) -> None:
    always = names(project(name)["dependencies"]) | {name}
    imported = distributions_imported(sources(name, EXTRAS[name, extra]))

    assert names(project(name)["optional-dependencies"][extra]) == imported - always


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_sibling_is_declared_with_a_range(name: str) -> None:
    siblings = [one for one in project(name)["dependencies"] if one.startswith("ezmsg")]

    assert [one for one in siblings if not SIBLING_RANGE.match(one)] == []


def test_the_umbrella_brings_what_programs_of_ezmsg_3_import() -> None:
    umbrella = project(UMBRELLA)

    assert not (PACKAGES / UMBRELLA / "src").exists()
    assert names(umbrella["dependencies"]) == {"ezmsg-control", "ezmsg-core", "ezmsg-util"}
    assert [one for one in umbrella["dependencies"] if not SIBLING_RANGE.match(one)] == []


def test_the_umbrella_asks_for_extras_that_there_are() -> None:
    extras = project(UMBRELLA)["optional-dependencies"]
    asked = re.compile(r"(ezmsg-\w+)\[(\w+)\]")

    everything = set(extras) - {"all"}
    assert extras["all"] == [f"{UMBRELLA}[{','.join(sorted(everything))}]"]
    for requirement in (one for extra in everything for one in extras[extra]):
        for name, extra in asked.findall(requirement):
            assert extra in project(name)["optional-dependencies"]


def project(name: str) -> dict:
    return tomllib.loads((PACKAGES / name / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    """The names in a list of requirements, without ranges, extras and markers."""
    return {re.match(r"[\w.-]+", requirement).group().lower() for requirement in requirements}


def sources(name: str, pattern: str) -> Iterator[Path]:
    return (path for each in pattern.split() for path in (PACKAGES / name).glob(each))


def distributions_imported(paths: Iterator[Path] | set[Path]) -> set[str]:
    return {distribution(module) for path in paths for module in modules_imported(path)} - {None}


def modules_imported(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, at its top or anywhere in it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports here are absolute"
            if node.module == "ezmsg":
                yield from (f"ezmsg.{alias.name}" for alias in node.names)
            else:
                yield node.module


@functools.cache
def installed() -> Mapping[str, list[str]]:
    """The distributions that bring each package; to look through all of them takes half a second."""
    return packages_distributions()


def distribution(module: str) -> str | None:
    """The distribution that a module is from; ``None`` for the standard library's."""
    top, *rest = module.split(".")
    if top in sys.stdlib_module_names:
        return None
    if top == "ezmsg":
        return f"ezmsg-{rest[0]}"
    (found,) = {one.lower() for one in installed()[top]}
    return found
