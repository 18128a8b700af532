"""A verb whose words are read by somebody else, as those that ezmsg 3 had: all that follows it is handed on.

For distributions that add such verbs; what reads the words answers ``--help``, too.
"""

from collections.abc import Callable
from typing import Annotated

from cyclopts import App, Parameter

Words = Annotated[str, Parameter(allow_leading_hyphen=True, show=False)]


def passing_on(name: str, carry_out: Callable[[list[str]], int], *, help: str) -> App:  # noqa: A002
    """Return a verb that hands its name and what follows it to a function, which returns an exit code.

    :param help: the line that the list of verbs has for it; `overview` reads it in the source.
    """
    verb = App(name=name, help=help, help_flags=(), version_flags=(), help_format="plaintext")

    @verb.default
    def hand_on(*words: Words) -> int:
        return carry_out([name, *words])

    return verb
