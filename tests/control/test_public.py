"""What the package shows: every listed name is there, nothing more, and its README tells the truth."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ezmsg.control
from ezmsg.control import ControlConnection

README = Path(__file__).parents[2] / "packages/ezmsg-control/README.md"


def test_every_listed_name_is_there() -> None:
    assert sorted(ezmsg.control.__all__) == sorted(ezmsg.control._MODULES)
    for name in ezmsg.control.__all__:
        assert getattr(ezmsg.control, name).__name__ == name
    assert set(ezmsg.control.__all__) <= set(dir(ezmsg.control))
    assert ezmsg.control.ControlConnection is ControlConnection


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = ezmsg.control.no_such_name


def test_the_example_in_the_readme_runs(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", str(server.address))
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", example]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    # How long a step of the loop took depends on the machine, and is no error.
    errors = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, errors) == (0, [])
    assert done.stdout == "FILTER/OUT is fed by ['SOURCE/OUT']\n"
