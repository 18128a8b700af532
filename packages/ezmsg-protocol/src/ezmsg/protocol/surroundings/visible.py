"""Texts as a terminal may show them: what could steer it, or cannot be seen, is written as an escape.

Names of units, topics and fields are a program's own, and reach people on screens that obey control characters.
"""


def visible(text: str) -> str:
    """Return a text with its control characters, and others that cannot be seen, as Python's escape sequences."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)


def visible_lines(text: str) -> str:
    """Return a text of several lines with each of them made visible; where a line ends stays."""
    return "\n".join(map(visible, text.split("\n")))
