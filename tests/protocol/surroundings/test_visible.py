"""What a terminal may show: everything that could steer it is an escape, and nothing else is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.surroundings.visible import visible, visible_lines


@given(st.text())
def test_what_is_visible_stays_as_it_is_and_all_else_can_be_read_back(text: str) -> None:
    shown = visible(text)
    assert shown.isprintable()
    if text.isprintable():
        assert shown == text
    elif text.isascii() and "\\" not in text:
        assert shown.encode().decode("unicode_escape") == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("A/B", "A/B"),
        ("A\u202eB", r"A\u202eB"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b1m", r"\x9b1m"),
        ("\udcff", r"\udcff"),
        ("µ→", "µ→"),
    ],
)
def test_names(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_lines_stay_lines() -> None:
    assert visible_lines("a\x07\nb\r\n") == "a\\x07\nb\\r\n"
