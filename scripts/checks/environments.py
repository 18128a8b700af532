"""Empty environments: made, filled with what is named and what that declares, and used from outside.

Nothing of the checkout and nothing of the caller's environment reaches what runs in one.
"""

import json
import os
import shutil
import subprocess
import threading
import venv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INSTALL_TIMEOUT_S = 300
RUN_TIMEOUT_S = 60
SEEDS = {"pip", "setuptools"}
"""What an environment made without uv begins with."""

_INSTALLED = """
import importlib.metadata, json
found = {}
for one in importlib.metadata.distributions():
    origin = one.read_text("direct_url.json")
    found[one.metadata["Name"].lower()] = json.loads(origin)["url"] if origin else None
print(json.dumps(found))
"""


class CheckFailed(Exception):
    """Something is not as it must be."""


def require(condition: bool, otherwise: str) -> None:
    """Go on only if a condition holds."""
    if not condition:
        raise CheckFailed(otherwise)


@dataclass(frozen=True)
class Environment:
    """One virtual environment."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, requirements: Sequence[str], constraints: Path | None = None) -> "Environment":
        """Make an environment with the requirements and what they declare."""
        venv.create(folder, with_pip=_uv() is None, symlinks=os.name != "nt")
        environment = cls(folder)
        if requirements:
            environment.install(requirements, constraints)
        return environment

    def install(
        self, requirements: Sequence[str], constraints: Path | None = None, cwd: Path | None = None
    ) -> None:
        """Install more; a constraints file may say where distributions come from."""
        uv = _uv()
        python = str(self._program("python"))
        command = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
        if constraints is not None:
            command += ["--constraint", str(constraints)]
        self._call([*command, "--quiet", *requirements], INSTALL_TIMEOUT_S, cwd)

    def uninstall(self, names: Sequence[str]) -> None:
        """Take distributions away."""
        uv = _uv()
        python = str(self._program("python"))
        command = [uv, "pip", "uninstall", "--python", python] if uv else [python, "-m", "pip", "uninstall", "-y"]
        self._call([*command, "--quiet", *names], INSTALL_TIMEOUT_S)

    def installed(self) -> dict[str, str | None]:
        """What is installed, and the address that it came from, ``None`` for the index."""
        found: dict[str, str | None] = json.loads(self.python("-c", _INSTALLED))
        return {name: origin for name, origin in found.items() if name not in SEEDS}

    def python(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run Python, let it end well, and return its standard output."""
        return self._call([str(self._program("python")), "-I", *arguments], RUN_TIMEOUT_S, cwd)

    def ends(self, *arguments: str, status: int) -> str:
        """Run Python, let it end with a status, and return all that it said."""
        done = self._run([str(self._program("python")), "-I", *arguments], RUN_TIMEOUT_S)
        require(done.returncode == status, f"{arguments} ended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def run(self, program: str, *arguments: str) -> str:
        """Run one of its programs, let it end well, and return its standard output."""
        return self._call([str(self._program(program)), *arguments], RUN_TIMEOUT_S)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Run Python beside us, with its standard error to read; it is killed if that takes too long."""
        command = [str(self._program("python")), "-I", *arguments]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, cwd=self.folder, env=self._variables()
        ) as process:
            watchdog = threading.Timer(RUN_TIMEOUT_S, process.kill)
            watchdog.start()
            try:
                yield process
            finally:
                watchdog.cancel()
                process.kill()

    def _program(self, name: str) -> Path:
        return self.folder / ("Scripts" if os.name == "nt" else "bin") / name

    def _variables(self) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("EZMSG_", "PYTHON")) and name != "VIRTUAL_ENV"
        }
        # All environments of one check find each other's servers, and nobody else's.
        return kept | {"EZMSG_RUNTIME_DIR": str(self.folder.parent / "runtime")}

    def _call(self, command: list[str], timeout: float, cwd: Path | None = None) -> str:
        done = self._run(command, timeout, cwd)
        if done.returncode:
            raise CheckFailed(f"{' '.join(command)}\nended with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _run(self, command: list[str], timeout: float, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                command,
                check=False,
                capture_output=True,
                text=True,
                timeout=timeout,
                cwd=cwd or self.folder,
                env=self._variables(),
            )
        except subprocess.TimeoutExpired as error:
            raise CheckFailed(f"{' '.join(command)}\ndid not end within {timeout:g} s") from error


def _uv() -> str | None:
    """Where uv is, which only makes this faster; hatch says where it has its own."""
    return os.environ.get("HATCH_UV") or shutil.which("uv")
