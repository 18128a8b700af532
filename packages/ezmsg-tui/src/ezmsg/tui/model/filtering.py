"""What a filter lets through: every word of it must be in the text, or fit it as a pattern with ``*``. Pure."""

from collections.abc import Callable
from fnmatch import fnmatchcase

Fits = Callable[[str], bool]


def everything(_: str) -> bool:
    """What an empty filter lets through."""
    return True


def fitting(pattern: str) -> Fits:
    """Return whether a text fits a pattern; upper and lower case are the same, and ``!word`` must not be there."""
    words = pattern.casefold().split()
    if not words:
        return everything
    return lambda text: all(_fits(word, text.casefold()) for word in words)


def _fits(word: str, text: str) -> bool:
    if word.startswith("!") and len(word) > 1:
        return not _fits(word[1:], text)
    if "*" in word or "?" in word:
        return fnmatchcase(text, f"*{word}*")
    return word in text
