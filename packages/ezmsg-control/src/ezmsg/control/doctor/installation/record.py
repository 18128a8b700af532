"""What is installed, as plain data; the look at it takes no module of what it looks at into use."""

import base64
import csv
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from attrs import frozen

NAMESPACE = "ezmsg/"


@frozen
class Part:
    """One distribution whose name begins with ezmsg.

    ``requires`` are its requirements as it states them. ``files`` are its own in the namespace ``ezmsg``, with the
    digests that it was installed with (``None`` where it states none); one that is edited in place has none.
    """

    name: str
    version: str
    requires: tuple[str, ...]
    files: Mapping[str, str | None]


@frozen
class Installation:
    """All parts, and the digest that each of their files has now, ``None`` for one that is gone."""

    parts: tuple[Part, ...]
    found: Mapping[str, str | None]


def take_record(every: Iterable[Distribution] | None = None) -> Installation:
    """Look at what is installed where this runs; of two distributions with one name, the first is in use."""
    parts: dict[str, Part] = {}
    places: dict[str, Path] = {}
    for each in distributions() if every is None else every:
        name = str(each.metadata["Name"] or "").lower().replace("_", "-")  # what is half removed has none
        if name in parts or not (name == "ezmsg" or name.startswith("ezmsg-")):
            continue
        files = {file: stated for file, stated in _recorded(each) if file.startswith(NAMESPACE)}
        places.update((file, Path(str(each.locate_file(file)))) for file in files)
        parts[name] = Part(name, each.version, tuple(each.requires or ()), files)
    ordered = tuple(parts[name] for name in sorted(parts))
    return Installation(ordered, {name: _digest(place) for name, place in places.items()})


def _recorded(distribution: Distribution) -> Iterator[tuple[str, str | None]]:
    """Yield each file that was installed, and its digest; ``Distribution.files`` leaves out what is gone."""
    for path, stated, *_ in csv.reader((distribution.read_text("RECORD") or "").splitlines()):
        kind, _, digest = stated.partition("=")
        yield path, digest if kind == "sha256" else None


def _digest(place: Path) -> str | None:
    try:
        content = place.read_bytes()
    except OSError:
        return None
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
