"""Screens as pictures: what the application shows is compared with an SVG that somebody has looked at.

``EZMSG_UPDATE_SNAPSHOTS=1`` writes the pictures anew. (The plugin that Textual's makers have for this holds pytest
below 9, and unpickles what it compares; this is all of it that is needed here.)
"""

import os
import re
from pathlib import Path

import pytest

from ezmsg.tui.app import TopApp

FOLDER = Path(__file__).parent / "pictures"
UPDATE = "EZMSG_UPDATE_SNAPSHOTS"


def normal(svg: str) -> str:
    """Without the number by which a picture's parts are named, which is another for each text."""
    return re.sub(r"terminal-\d+", "terminal", svg)


def texts(svg: str) -> list[str]:
    """The lines of text in a picture, for a failure that can be read."""
    rows: dict[float, list[tuple[float, str]]] = {}
    for x, y, text in re.findall(r'<text[^>]* x="([\d.]+)" y="([\d.]+)"[^>]*>(.*?)</text>', svg):
        rows.setdefault(float(y), []).append((float(x), text.replace("&#160;", " ")))
    return ["".join(text for _, text in sorted(row)) for _, row in sorted(rows.items())]


def compare(app: TopApp, name: str) -> None:
    """Compare what is on the screen with the stored picture."""
    shown = normal(app.export_screenshot(title="ezmsg top"))
    path = FOLDER / f"{name}.svg"
    if os.environ.get(UPDATE) == "1":
        FOLDER.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
        return
    if not path.exists():
        pytest.fail(f"there is no {path}: look at it, with {UPDATE}=1")
    known = path.read_text(encoding="utf-8")
    assert texts(shown) == texts(known), f"{UPDATE}=1 writes it anew"
    assert shown == known, f"the same text in other colours: {UPDATE}=1 writes it anew"
