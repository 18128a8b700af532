"""The reference is complete: what it lists is there, and what is there it lists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"EZMSG_[A-Z][A-Z_]*[A-Z]")


CONSTANTS = {"EZMSG_LOG_DATE_FORMAT", "EZMSG_LOG_FORMAT", "EZMSG_STDERR_LOG_LEVEL"}
"""Names of ezmsg 3 for what is no variable: how its log looks."""


def test_every_environment_variable_is_in_the_reference():
    sources = (ROOT / "packages").glob("*/src/**/*.py")
    used = {name for source in sources for name in VARIABLE.findall(source.read_text(encoding="utf-8"))}
    listed = set(VARIABLE.findall((ROOT / "docs/reference/environment.md").read_text(encoding="utf-8")))
    assert used - CONSTANTS == listed


def test_every_file_that_the_page_on_the_control_plane_names_is_there():
    page = (ROOT / "docs/explain/control-plane.md").read_text(encoding="utf-8")
    named = re.findall(r"`([a-z_]+/[a-z_/]+\.py)`", page)
    assert named
    places = [ROOT, *(ROOT / "packages").glob("*/src/ezmsg")]
    assert [name for name in named if not any((place / name).is_file() for place in places)] == []
