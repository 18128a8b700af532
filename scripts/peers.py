"""The interpreters that are compared: ours, and one for each peer, in an environment of its own.

Ours and the public package must never share an environment: the public wheel installs over ours without a word.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PUBLIC = "ezmsg==3.9.0"
PRE_RELEASE = "ezmsg==3.10.0b5"
PYZMQ = "pyzmq==27.3.0"
ZENOH = "eclipse-zenoh==1.10.2"
INSTALL_TIMEOUT_S = 600
PROBE_TIMEOUT_S = 60

_PROBE = """
import importlib.util, json, sys
import numpy
print(json.dumps({
    "python": "%d.%d" % sys.version_info[:2],
    "numpy": numpy.__version__,
    "uvloop": importlib.util.find_spec("uvloop") is not None,
}))
"""


class PeerError(RuntimeError):
    """An interpreter cannot be used, or an environment could not be made."""


@dataclass(frozen=True)
class Interpreter:
    """What the driver needs to know of an interpreter."""

    path: str
    python: str
    numpy: str
    uvloop: bool


def probe(path: str) -> Interpreter:
    """Ask an interpreter for its versions; it must have numpy."""
    facts = json.loads(_run([path, "-c", _PROBE], PROBE_TIMEOUT_S))
    return Interpreter(path, facts["python"], facts["numpy"], facts["uvloop"])


def public_peer(ours: Interpreter) -> str:
    """Return the path of an interpreter with the public package, making its environment the first time."""
    return peer(PUBLIC, ours)


def peer(requirement: str, ours: Interpreter) -> str:
    """Return the path of an interpreter that has what is required, making its environment the first time.

    It has the Python and the numpy of `ours`, so that the packages are the only difference.
    """
    folder = _cache_folder() / f"{requirement.replace('==', '-')}-py{ours.python}-numpy-{ours.numpy}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([ours.path, "-m", "venv", str(folder)], INSTALL_TIMEOUT_S)
        _run([str(python), "-m", "pip", "install", "-q", requirement, f"numpy=={ours.numpy}"], INSTALL_TIMEOUT_S)
        complete.touch()
    return str(python)


def _cache_folder() -> Path:
    if os.name == "nt" and "LOCALAPPDATA" in os.environ:
        base = Path(os.environ["LOCALAPPDATA"])
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "ezmsg-peers"


def _run(command: list[str], timeout: float) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
    except subprocess.CalledProcessError as error:
        raise PeerError(f"{' '.join(command[:4])}...: {error.stderr.strip()[-1500:]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"{' '.join(command[:4])}...: {error}") from error
    return done.stdout
