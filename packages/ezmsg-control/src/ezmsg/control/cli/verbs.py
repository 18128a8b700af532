"""Which verbs the command has, and where each is: our own, and those that other distributions add.

A distribution adds a verb by an entry point of the group ``ezmsg.commands``: a typed function with a docstring,
that returns an exit code, under the verb's name. For ``ezmsg --help`` its source is read; what is slow to import
belongs inside the function all the same.
"""

import sys
from collections.abc import Mapping
from importlib import import_module

from ezmsg.protocol.surroundings.entry_points import installed

TYPE_CHECKING = False  # the module that has it is slow to import, and help needs nothing of it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GROUP = "ezmsg.commands"

OURS = {
    "completion": "ezmsg.control.cli.completion:completion",
    "doctor": "ezmsg.control.cli.doctor:doctor",
    "events": "ezmsg.control.cli.events:events",
    "explain": "ezmsg.control.cli.explain:explain",
    "graph": "ezmsg.control.cli.graph:graph",
    "process": "ezmsg.control.cli.process:process",
    "profile": "ezmsg.control.cli.profile:profile",
    "server": "ezmsg.control.cli.server:server",
    "session": "ezmsg.control.cli.session:session",
    "settings": "ezmsg.control.cli.settings:settings",
    "shutdown": "ezmsg.control.cli.shutdown:shutdown",
    "snapshot": "ezmsg.control.cli.snapshot:snapshot",
    "topic": "ezmsg.control.cli.topic:topic",
    "unit": "ezmsg.control.cli.unit:unit",
}

ELSEWHERE = {
    "components": "ezmsg-core",
    "demo": "ezmsg-core",
    "inspect": "ezmsg-core",
    "perf": "ezmsg-util",
    "run": "ezmsg-core",
    "top": "ezmsg-tui",
    "zenoh": "ezmsg-zenoh",
}
"""The distributions that add some verbs, for who has them not."""


def known_verbs() -> dict[str, tuple[str, str]]:
    """Return where each verb is and whose, by name and without an import; ours cannot be replaced."""
    ours = {name: (place, "ezmsg-control") for name, place in OURS.items()}
    return dict(sorted({**installed(GROUP), **ours}.items()))


def load(places: Mapping[str, tuple[str, str]]) -> "dict[str, Callable[..., Any]]":
    """Import verbs; one that cannot be imported is left out with a note, and the others are there."""
    verbs = {}
    for name, (place, distribution) in places.items():
        module, _, attribute = place.partition(":")
        try:
            verbs[name] = getattr(import_module(module), attribute)
        except Exception as error:  # noqa: BLE001  protects every other verb from a broken distribution
            note = f"ezmsg: the verb {name!r} of {distribution} does not work: {type(error).__name__}: {error}"
            print(note, file=sys.stderr)
    return verbs
