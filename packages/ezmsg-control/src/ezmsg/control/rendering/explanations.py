"""An error of the tree, explained: what it means, why it comes, what to do next."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from attrs import frozen

from ezmsg.control.rendering.columns import aligned
from ezmsg.protocol.errors import EzmsgError

_WIDTH = 88
_INDENT = " " * 7


@frozen
class Explanation:
    """What is known of one error; ``also`` are the built-in errors that it is, too."""

    code: str
    name: str
    meaning: str
    why: str
    next: str
    also: list[str]


def explained(error: type[EzmsgError], texts: Mapping[str, tuple[str, str]]) -> Explanation:
    """Return what is known of a class of errors; without a text of its own, what the class says must do."""
    why, following = texts.get(error.code, ("", ""))
    first = " ".join((error.__doc__ or "").partition("\n\n")[0].split())
    meaning = first.partition("; ``")[0].replace("``", "`").rstrip(".") + "."
    ours = (error, *(each for each in error.__mro__ if issubclass(each, EzmsgError)))
    also = [each.__name__ for each in error.__bases__ if each not in ours and issubclass(each, Exception)]
    return Explanation(error.code, error.__name__, meaning, why, following, also)


def explanation_lines(explanation: Explanation) -> Iterator[str]:
    """Yield an explanation as text."""
    also = f"   also a {', '.join(explanation.also)}" if explanation.also else ""
    yield f"{explanation.code}  {explanation.name}{also}"
    for head, text in (("What", explanation.meaning), ("Why", explanation.why), ("Next", explanation.next)):
        if text:
            yield from textwrap.wrap(text, _WIDTH, initial_indent=f"{head:<7}", subsequent_indent=_INDENT)


def code_lines(explanations: Iterable[Explanation]) -> Iterator[str]:
    """Yield a head and a line for each error."""
    return aligned([("CODE", "NAME", "WHAT"), *((each.code, each.name, each.meaning) for each in explanations)])
