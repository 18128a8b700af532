"""The public surface: what is listed exists, and importing it brings in nothing more than is declared."""

import subprocess
import sys
from pathlib import Path

import pytest

import ezmsg.protocol
import ezmsg.protocol.model
import ezmsg.protocol.testing

ABSENT = ("hypothesis", "numpy", "socket", "email", "asyncio", "ezmsg.core", "ezmsg.control", "ezmsg.graphserver")


@pytest.mark.parametrize("module", [ezmsg.protocol, ezmsg.protocol.model, ezmsg.protocol.testing])
def test_what_is_listed_exists(module: object) -> None:
    listed = module.__all__  # type: ignore[attr-defined]
    assert len(set(listed)) == len(listed)
    assert [name for name in listed if not hasattr(module, name)] == []


def test_importing_the_protocol_imports_no_more() -> None:
    question = f"import sys, ezmsg.protocol; print([name for name in {ABSENT} if name in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True, timeout=50, check=True
    )
    assert answer.stdout.strip() == "[]"


def test_the_example_in_the_readme_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    readme = Path(__file__).parents[2] / "packages" / "ezmsg-protocol" / "README.md"
    (code,) = readme.read_text(encoding="utf-8").split("```python\n")[1:]
    scope: dict[str, object] = {}
    exec(code.partition("```")[0], scope)
    assert scope["again"] == scope["snapshot"]
    assert "would close a cycle" in capsys.readouterr().out
