"""What a program does, as data: run it under an interpreter, and compare that with another outcome.

A program's standard output is lines ``voice: text``. Lines of one voice have an order, voices among each other have
none (see ``programs/say.py``). The exit status counts as a voice, so that it is compared and declared like any.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

PROGRAMS = Path(__file__).parent / "programs"
SERVER = Path(__file__).parent / "server.py"
LIMIT_S = 60.0
"""For a program that hangs; none needs a fraction of it."""
GRACE_S = 10.0
"""For a graph server to end after its program did."""

EXIT_STATUS = "exit status"

Outcome = dict[str, list[str]]
"""The lines of each voice."""

_DECLARATION = re.compile(r"^(?P<kind>differs|open) (?P<voices>[^:\n]+): (?P<reason>.+(?:\n[ ]+.+)*)", re.MULTILINE)


class ProgramError(RuntimeError):
    """A program could not be run to its end."""


def programs(pattern: str = "") -> list[Path]:
    """Return the programs whose name contains ``pattern``."""
    found = sorted(path for path in PROGRAMS.glob("*.py") if path.name != "say.py")
    return [path for path in found if pattern in path.stem]


@dataclass(frozen=True)
class Declaration:
    """A difference that a program's header tells of, as ``differs VOICES: REASON`` or ``open VOICES: REASON``.

    What differs deliberately is a weakness mended; what is open is a fault of ours that is still there.
    """

    kind: str
    voices: str
    """The voices that it is about, as a pattern for :func:`fnmatch.fnmatchcase`."""
    reason: str

    def covers(self, voice: str) -> bool:
        """Return whether it is about ``voice``."""
        return fnmatchcase(voice, self.voices)


def declarations(program: Path) -> list[Declaration]:
    """Return the differences that a program's header declares."""
    header = ast.get_docstring(ast.parse(program.read_text(encoding="utf-8"))) or ""
    return [
        Declaration(found["kind"], found["voices"], " ".join(found["reason"].split()))
        for found in _DECLARATION.finditer(header)
    ]


def differences(expected: Outcome, seen: Outcome) -> list[str]:
    """Return the voices that do not say the same, sorted."""
    return sorted(voice for voice in expected.keys() | seen.keys() if expected.get(voice) != seen.get(voice))


# --- running ----------------------------------------------------------------------------------------------


def run(python: str, program: Path, limit_s: float = LIMIT_S) -> Outcome:
    """Run a program beside a graph server of its own, and return what it did.

    :raises ProgramError: if it hangs, with what it said until then.
    """
    with tempfile.TemporaryDirectory(prefix="ezmsg-compat-") as folder:
        environment = _environment(folder)
        with _graph_server(python, environment) as address:
            environment["EZMSG_GRAPHSERVER_ADDR"] = address
            return _outcome(python, program, environment, limit_s)


def _environment(folder: str) -> dict[str, str]:
    """Return a user's environment in which no graph server of this machine is seen."""
    hidden = ("EZMSG_", "PYTHONWARNINGS", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    # Marks of whoever started this, such as a test that looks for processes left behind, go through.
    kept |= {name: value for name, value in os.environ.items() if name.startswith("EZMSG_TEST_")}
    # Some versions write their lesser log lines to standard output.
    return kept | {"EZMSG_RUNTIME_DIR": folder, "EZMSG_LOGLEVEL": "WARNING"}


@contextmanager
def _graph_server(python: str, environment: dict[str, str]) -> Iterator[str]:
    with subprocess.Popen(
        [python, str(SERVER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            said = next((line for line in server.stdout if line.startswith("address ")), None)
            if said is None:
                raise ProgramError(f"there is no graph server under {python}; has it the package?")
            yield said.split()[1]
        finally:
            server.stdin.close()
            try:
                server.wait(GRACE_S)
            except subprocess.TimeoutExpired:
                server.kill()


def _outcome(python: str, program: Path, environment: dict[str, str], limit_s: float) -> Outcome:
    with subprocess.Popen(
        [python, str(program)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    ) as process:
        try:
            out, complaints = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, complaints = process.communicate()
            raise ProgramError(f"{program.name} did not end; it said\n{out}{complaints}") from None
    if process.returncode != 0:
        print(complaints, file=sys.stderr)
    return by_voice(out) | {EXIT_STATUS: [str(process.returncode)]}


def by_voice(out: str) -> Outcome:
    """Sort the lines of a program's standard output by the voices that said them."""
    outcome: Outcome = {}
    for line in out.splitlines():
        voice, _, text = line.partition(": ")
        outcome.setdefault(voice, []).append(text)
    return outcome


# --- what was recorded --------------------------------------------------------------------------------------


def record(program: Path, public: Outcome, ours: Outcome) -> None:
    """Write down how the public package behaves, and how ours does where the header says that it differs."""
    declared = declarations(program)
    differing = {
        voice: ours.get(voice)
        for voice in sorted(public.keys() | ours.keys())
        if any(each.covers(voice) for each in declared)
    }
    recorded = {"public": public, "ours_where_it_differs": differing}
    text = json.dumps(recorded, indent=1, sort_keys=True, ensure_ascii=False)
    _record_of(program).write_text(text + "\n", encoding="utf-8")


def expected_of_ours(program: Path) -> Outcome:
    """Return what our packages have to do: what the public one does, except where the header says that we differ.

    :raises ProgramError: if nothing was recorded of the program.
    """
    try:
        recorded = json.loads(_record_of(program).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProgramError(f"nothing is recorded of {program.name}; run compare.py --record") from None
    expected: dict[str, list[str] | None] = recorded["public"] | recorded["ours_where_it_differs"]
    return {voice: lines for voice, lines in expected.items() if lines is not None}


def _record_of(program: Path) -> Path:
    return program.with_suffix(".json")
