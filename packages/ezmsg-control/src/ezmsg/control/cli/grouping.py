"""A verb that has verbs of its own, for distributions that add such: ``ezmsg components info NAME``."""

from collections.abc import Callable, Mapping
from typing import Any

from cyclopts import App


def group(name: str, *, default: Callable[..., Any], verbs: Mapping[str, Callable[..., Any]], help: str) -> App:  # noqa: A002
    """Return a verb whose first word is one of ``verbs``; without any, ``default`` is carried out.

    :param help: the line that the list of verbs has for it; `overview` reads it in the source.
    """
    verb = App(name=name, help=help, help_format="plaintext")
    verb.default(default)
    for each, function in verbs.items():
        verb.command(function, name=each)
    return verb
