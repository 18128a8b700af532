"""A parser of command lines that takes options by their whole names, and never repeats what was given to one.

argparse takes ``--token SECRET`` for ``--token-file SECRET`` otherwise, and what it does not know it writes out
with all that follows: a secret that was typed where none belongs would be in the journal of a service.
"""

import argparse
from collections.abc import Sequence
from typing import Any

_HINT = (
    " A token does not belong into a command line, which everybody on this machine can read: "
    "write it into a file that EZMSG_TOKEN_FILE names."
)


class ExactParser(argparse.ArgumentParser):
    """An :class:`argparse.ArgumentParser` without abbreviations; so are those of its subcommands."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    # One signature says what argparse needs several for.
    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> Any:
        """Parse a command line; what it does not know ends it with status 2, and only options are named."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            self.error(_objection(unknown))
        return options


def _objection(unknown: Sequence[str]) -> str:
    names = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    if not names:
        return f"unrecognized arguments: {' '.join(unknown)}"
    hint = _HINT if any("token" in name for name in names) else ""
    return f"there is no option {' or '.join(names)}.{hint}"
