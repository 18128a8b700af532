"""Environments with a package on ours or on the public ezmsg, and the package's tests, as its makers ship them."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

from outcomes import PASSED, Suite, read_report
from packages import Package

ROOT = Path(__file__).parents[2]
PUBLIC = "ezmsg==3.10.0b5"
INSTALL_LIMIT_S = 1200
SUITE_LIMIT_S = 2400
TEST_LIMIT_S = 120


class NotPossible(Exception):
    """Something could not be installed, fetched or run, and the text says why."""


@dataclass(frozen=True)
class Side:
    """Ours or the public package: what is installed first."""

    name: str
    requirements: tuple[str, ...]

    @classmethod
    def ours(cls, wheels: Path) -> "Side":
        """Ours, from a folder of wheels, as they are now: their names are those of yesterday's."""
        names = sorted(path.parent.name for path in ROOT.glob("packages/*/pyproject.toml"))
        fresh = [word for name in names for word in ("--refresh-package", name)]
        return cls("ours", ("--find-links", str(wheels), *fresh, "ezmsg>=4"))

    @classmethod
    def public(cls) -> "Side":
        """The public package."""
        return cls("public", (PUBLIC,))


@dataclass(frozen=True)
class Environment:
    """A virtual environment with one package on one side."""

    folder: Path

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))

    @classmethod
    def make(cls, folder: Path, side: Side, package: Package | None, more: tuple[str, ...] = ()) -> "Environment":
        """Make it anew; the same index and the same day give both sides the same versions of all else.

        :raises NotPossible: if something cannot be installed, or replaces what the side is about.
        """
        shutil.rmtree(folder, ignore_errors=True)
        run([uv(), "venv", "--quiet", "--python", sys.executable, str(folder)], INSTALL_LIMIT_S)
        environment = cls(folder)
        wanted = () if package is None else (package.distribution, *package.needs, "pytest", "pytest-timeout")
        command = [uv(), "pip", "install", "--quiet", "--python", environment.python, *side.requirements]
        run([*command, *wanted, *more], INSTALL_LIMIT_S)
        version = environment.version("ezmsg")
        if (version.partition(".")[0] == "4") != (side.name == "ours"):
            raise NotPossible(f"the side {side.name} has come to ezmsg {version}")
        return environment

    def version(self, distribution: str) -> str:
        """Return the version of a distribution that is installed."""
        code = f"import importlib.metadata as m; print(m.version({distribution!r}))"
        return run([self.python, "-c", code], INSTALL_LIMIT_S).strip()

    def run_suite(self, tests: Path, package: Package) -> Suite:
        """Run a suite from a copy of its source distribution that has no sources; each on a graph of its own."""
        report = self.folder / "report.xml"
        report.unlink(missing_ok=True)
        command = [self.python, "-m", "pytest", "tests", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        command += [f"--timeout={TEST_LIMIT_S}", "--continue-on-collection-errors"]  # one that lacks torch, say
        began_s = time.monotonic()
        ended = self._call([*command, *package.arguments], tests, SUITE_LIMIT_S)
        seconds = time.monotonic() - began_s
        if not report.exists():
            return Suite(seconds=seconds, problem=f"the suite wrote no report: {ended[-500:]}")
        return Suite(read_report(report), seconds)

    def run_again(self, tests: Path, package: Package, suite: Suite, names: list[str]) -> None:
        """Run single tests once more, and take what passes now: a busy machine fails a test for nothing."""
        files = sorted({name.partition("::")[0].replace(".", "/") for name in names})
        paths = [path for path in (_test_file(tests, file) for file in files) if path is not None]
        if not paths:
            return
        report = self.folder / "again.xml"
        report.unlink(missing_ok=True)
        command = [self.python, "-m", "pytest", *paths, "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        self._call([*command, f"--timeout={TEST_LIMIT_S}", *package.arguments], tests, SUITE_LIMIT_S)
        if report.exists():
            again = read_report(report)
            suite.outcomes.update({name: PASSED for name in names if again.get(name) == PASSED})

    def run_script(self, script: Path, *arguments: str, limit_s: float = 300.0) -> dict[str, object]:
        """Run a script of ours here; the last line of it that is no line of a log is JSON.

        :raises NotPossible: if it ends with an error, or without such a line.
        """
        out = run([self.python, str(script), *arguments], limit_s, environment=self._variables())
        told = [line for line in out.splitlines() if line.startswith("{")]
        if not told:
            raise NotPossible(f"{script.name} ended and told nothing: {out[-500:]}")
        form: dict[str, object] = json.loads(told[-1])
        return form

    def _call(self, command: list[str], folder: Path, limit_s: float) -> str:
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=self._variables(),
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return f"it took more than {limit_s:g} s"
        return done.stdout + done.stderr

    def _variables(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EZMSG_", "PYTHON"))}
        runtime, home = self.folder / "runtime", self.folder / "home"
        runtime.mkdir(mode=0o700, exist_ok=True)
        home.mkdir(exist_ok=True)
        return kept | {"EZMSG_RUNTIME_DIR": str(runtime), "HOME": str(home), "QT_QPA_PLATFORM": "offscreen"}


def build_wheels(into: Path) -> None:
    """Build all of ours."""
    into.mkdir(parents=True, exist_ok=True)
    for old in into.glob("*.whl"):
        old.unlink()
    for project in sorted(ROOT.glob("packages/*/pyproject.toml")):
        run([uv(), "build", "--wheel", "--quiet", "--out-dir", str(into), str(project.parent)], INSTALL_LIMIT_S)


def fetch_tests(package: Package, version: str, into: Path) -> Path | None:
    """Return a folder with a package's tests from its source distribution; ``None`` if it ships none.

    :raises NotPossible: if there is no source distribution.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    name = package.distribution
    command = [
        _pip_python(into.parent / "pip"),
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        name,
    ]
    run([*command, "-d", str(into), f"{name}=={version}"], INSTALL_LIMIT_S)
    (archive,) = into.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(into, filter="data")
    (folder,) = (path for path in into.iterdir() if path.is_dir())
    shutil.rmtree(folder / "src", ignore_errors=True)  # what is installed is tried, and not what lies beside it
    return folder if list(folder.glob("tests/**/test_*.py")) else None


def _pip_python(folder: Path) -> str:
    """Return an interpreter with pip, which fetches source distributions; uv cannot."""
    environment = Environment(folder)
    if not Path(environment.python).exists():
        run([uv(), "venv", "--quiet", "--seed", "--python", sys.executable, str(folder)], INSTALL_LIMIT_S)
    return environment.python


def run(command: list[str], limit_s: float, environment: dict[str, str] | None = None) -> str:
    """Run a command and return what it says.

    :raises NotPossible: if it ends with an error, or in no time.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotPossible(f"{' '.join(command[:5])} ...: {error}") from error
    if done.returncode:
        raise NotPossible(f"{' '.join(command[:5])} ...: {(done.stderr or done.stdout).strip()[-1500:]}")
    return done.stdout


def uv() -> str:
    """Return where uv is; hatch says where it has its own.

    :raises NotPossible: if it is not here.
    """
    found = os.environ.get("HATCH_UV") or shutil.which("uv")
    if found is None:
        raise NotPossible("uv is not here: pip install uv")
    return found


def _test_file(tests: Path, dotted: str) -> str | None:
    """Return the file of a test's module, which a report names with the class in it, if there is one."""
    path = Path(dotted)
    for candidate in (path, path.parent):
        if (tests / candidate.with_suffix(".py")).exists():
            return str(candidate.with_suffix(".py"))
    return None
