"""What is said of a command line that no verb takes: what is wrong with it, and which one may be meant."""

import shlex
from difflib import get_close_matches

from cyclopts import App, CycloptsError, UnknownOptionError, UnusedCliTokensError

_LOOKS = ("info", "get")
"""The verbs that show one thing: what somebody means who writes a name after a noun."""


def misuse(error: CycloptsError) -> str:
    """Return what is wrong, with a verb that may be meant if it is wrong where one could stand."""
    chain = list(error.command_chain or ())
    command = " ".join(("ezmsg", *chain))
    words = _words(error, len(chain))
    verbs = _verbs(error.app)
    if words and verbs:
        what = f"{command} has no verb {words[0]!r}. {_meant(command, words, verbs)}Its verbs: {', '.join(verbs)}."
    elif isinstance(error, UnusedCliTokensError):
        what = f"{command} takes no {' '.join(error.unused_tokens or ())!r}."
    else:
        what = str(error)
    return f"{what} See: {command} --help"


def _words(error: CycloptsError, verbs: int) -> list[str]:
    """Return what begins where another verb could stand; after options, what nobody took."""
    if not isinstance(error, (UnusedCliTokensError, UnknownOptionError)):
        return []
    words = (error.root_input_tokens or [])[verbs:]
    return (error.unused_tokens or []) if words[:1] and words[0].startswith("-") else words


def _verbs(app: App | None) -> list[str]:
    return [] if app is None else sorted(name for name in app if not name.startswith("-"))


def _meant(command: str, words: list[str], verbs: list[str]) -> str:
    """Return the whole line that may be meant: with the verb that is written almost so, or one that looks."""
    if near := get_close_matches(words[0], verbs, n=1):
        return f"Did you mean: {command} {shlex.join([*near, *words[1:]])}? "
    look = next((each for each in _LOOKS if each in verbs), None)
    return f"Did you mean: {command} {shlex.join([look, *words])}? " if look else ""
