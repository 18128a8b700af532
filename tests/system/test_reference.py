"""The reference is complete: what it lists is there, and what is there it lists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"EZMSG_[A-Z][A-Z_]*[A-Z]")


def test_every_environment_variable_is_in_the_reference():
    sources = (ROOT / "packages").glob("*/src/**/*.py")
    used = {name for source in sources for name in VARIABLE.findall(source.read_text(encoding="utf-8"))}
    listed = set(VARIABLE.findall((ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")))
    assert used == listed
