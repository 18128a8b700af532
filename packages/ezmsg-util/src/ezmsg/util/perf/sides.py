"""The two sides of ``ezmsg perf ab``: an interpreter, the sources that it is to use, and its environment."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ezmsg.util.errors import SideFailed

CURRENT = "CURRENT"
"""The name of the tree as it is, in place of a commit's."""

LIMIT_S = 600.0
"""How long one run of a side may take, in seconds."""


@dataclass(frozen=True)
class Side:
    """One side: ``sources`` go first where modules are looked for; none uses what the interpreter has installed."""

    name: str
    python: str
    sources: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Measure the hot path once, and return the results.

        :raises SideFailed: if it ends with an error, in no time, or without results.
        """
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "results.json"
            command = [self.python, "-m", "ezmsg.util.perf.command", "hotpath", *arguments, "--json-out", str(out)]
            environment = {**os.environ, **self.variables}
            if self.sources:
                environment["PYTHONPATH"] = os.pathsep.join(self.sources)
            try:
                done = subprocess.run(
                    command, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
                )
                form: dict[str, Any] = json.loads(out.read_text(encoding="utf-8")) if not done.returncode else {}
            except (OSError, subprocess.TimeoutExpired, ValueError) as error:
                raise SideFailed(side=self.name, reason=str(error)) from error
            if done.returncode:
                raise SideFailed(side=self.name, reason=done.stderr.strip()[-500:] or f"status {done.returncode}")
        return form


@contextlib.contextmanager
def tree(ref: str | None, folder: Path | None, keep: bool) -> Iterator[Path | None]:
    """Yield the folder of a side's sources: as given, the tree of a commit, or ``None`` for what is installed.

    :raises SideFailed: if there is no such commit here.
    """
    if folder is not None:
        yield folder.resolve()
    elif ref is None or ref == CURRENT:
        yield None
    else:
        place = Path(tempfile.mkdtemp(prefix="ezmsg-perf-")) / "tree"
        _git("worktree", "add", "--detach", str(place), ref)
        try:
            yield place
        finally:
            if not keep:
                _git("worktree", "remove", "--force", str(place))


def sources_of(folder: Path | None) -> tuple[str, ...]:
    """Return where a tree keeps its packages: ours under ``packages/*/src``, others under ``src``."""
    if folder is None:
        return ()
    found = sorted(str(path) for path in folder.glob("packages/*/src")) or [str(folder / "src")]
    return tuple(path for path in found if Path(path).is_dir())


def interpreter(explicit: str | None, folder: Path | None, env_mode: str) -> str:
    """Return the interpreter of a side: as given, the one in its tree's ``.venv``, or this one."""
    if explicit is not None:
        return explicit
    if env_mode == "existing" and folder is not None:
        own = folder / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        if not own.exists():
            raise SideFailed(side=str(folder), reason="it has no .venv; make one, or leave --env-mode shared")
        return str(own)
    return sys.executable


def variables(texts: Sequence[str]) -> dict[str, str]:
    """Return ``NAME=VALUE`` texts as a mapping.

    :raises SideFailed: if one is no such text.
    """
    for text in texts:
        if "=" not in text:
            raise SideFailed(side=text, reason="write what is to be set as NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


def _git(*arguments: str) -> None:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SideFailed(side=" ".join(arguments), reason=done.stderr.strip())
