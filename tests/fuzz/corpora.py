"""Which targets there are, and the files that each begins with."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
TARGETS = sorted(path.stem for path in (Path(__file__).parent / "targets").glob("*.py"))


def load(name: str) -> Callable[[bytes], None]:
    """Return a target."""
    target: Callable[[bytes], None] = import_module(f"tests.fuzz.targets.{name}").target
    return target


def inputs(name: str) -> list[bytes]:
    """Return the files of a target's corpus."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
