"""Which verbs the command has, and where each is: our own, and those that other distributions add.

A distribution adds a verb by an entry point of the group ``ezmsg.commands``: a typed function with a docstring,
that returns an exit code, under the verb's name. Its module is imported for ``ezmsg --help`` too, so what is slow
to import belongs inside the function.
"""

import sys
from collections.abc import Callable, Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

GROUP = "ezmsg.commands"

_OURS = {
    "doctor": "ezmsg.control.cli.doctor:doctor",
    "events": "ezmsg.control.cli.events:events",
    "graph": "ezmsg.control.cli.graph:graph",
    "process": "ezmsg.control.cli.process:process",
    "profile": "ezmsg.control.cli.profile:profile",
    "session": "ezmsg.control.cli.session:session",
    "settings": "ezmsg.control.cli.settings:settings",
    "shutdown": "ezmsg.control.cli.shutdown:shutdown",
    "snapshot": "ezmsg.control.cli.snapshot:snapshot",
    "topic": "ezmsg.control.cli.topic:topic",
    "unit": "ezmsg.control.cli.unit:unit",
}


def known_verbs() -> dict[str, EntryPoint]:
    """Return where each verb is, by name and without an import; ours cannot be replaced."""
    theirs = {point.name: point for point in entry_points(group=GROUP)}
    ours = {name: EntryPoint(name, place, GROUP) for name, place in _OURS.items()}
    return dict(sorted({**theirs, **ours}.items()))


def load(points: Iterable[EntryPoint]) -> dict[str, Callable[..., Any]]:
    """Import verbs; one that cannot be imported is left out with a note, and the others are there."""
    verbs = {}
    for point in points:
        try:
            verbs[point.name] = point.load()
        except Exception as error:  # noqa: BLE001  protects every other verb from a broken distribution
            source = f" of {point.dist.name}" if point.dist else ""
            note = f"ezmsg: the verb {point.name!r}{source} does not work: {type(error).__name__}: {error}"
            print(note, file=sys.stderr)
    return verbs
