"""What installed distributions declare by entry points, read from their files.

:func:`importlib.metadata.entry_points` gives the same, and brings the parsers of mails and archives with it: more
than all the rest of ``ezmsg --help``, paid again by each process that sends what is neither array nor bytes.
It is asked where a distribution may lie in something else than a folder.
"""

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import PathFinder

TYPE_CHECKING = False  # as of `typing`, whose import is what this module avoids
if TYPE_CHECKING:
    from typing import Any

_INFO = (".dist-info", ".egg-info")


def installed(group: str) -> dict[str, tuple[str, str]]:
    """Return what a group of entry points holds: by name, where it is (``module:object``) and who declares it.

    Of two distributions with one name, the first on :data:`sys.path` is in use.
    """
    if any(map(_is_archive, sys.path)) or any(map(_knows_others, sys.meta_path)):
        return _by_library(group)
    found: dict[str, tuple[str, str]] = {}
    distributions: set[str] = set()
    for folder in sys.path:
        for info in _infos(folder or os.curdir):
            distribution = os.path.basename(info).partition("-")[0].removesuffix(".egg-info")
            known = distribution.lower().replace("_", "-").replace(".", "-")
            if known not in distributions:
                distributions.add(known)
                for name, place in _read(os.path.join(info, "entry_points.txt"), group):
                    found[name] = place, distribution.replace("_", "-")
    return found


def loaded(place: str) -> "Any":
    """Return the object that an entry point names, ``module:object``; raises whatever importing it does."""
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _is_archive(path: str) -> bool:
    """Tell if a path is that of distributions in a form of their own; the standard library's archive holds none."""
    name = os.path.basename(path)
    return name.endswith(".egg") or (
        os.path.isfile(path) and not (name.startswith("python3") and name.endswith(".zip"))
    )


def _knows_others(finder: object) -> bool:
    """Tell if a finder of modules knows distributions that lie in no folder, as those of frozen programs may."""
    return finder is not PathFinder and hasattr(finder, "find_distributions")


def _infos(folder: str) -> list[str]:
    try:
        return sorted(entry.path for entry in os.scandir(folder) if entry.name.endswith(_INFO))
    except OSError:  # a path that is not there, or may not be read, has nothing to offer
        return []


def _read(path: str, group: str) -> Iterator[tuple[str, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError):  # most declare none
        return iter(())
    return entries(lines, group)


def entries(lines: Iterable[str], group: str) -> Iterator[tuple[str, str]]:
    """Return name and place of each entry that the lines of an ``entry_points.txt`` have in one group."""
    section = ""
    for line in map(str.strip, lines):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, place = line.partition("=")
            yield name.strip(), place.partition("[")[0].strip()


def _by_library(group: str) -> dict[str, tuple[str, str]]:
    from importlib.metadata import entry_points

    points = entry_points(group=group)
    return {point.name: (point.value, point.dist.name if point.dist else "") for point in points}
