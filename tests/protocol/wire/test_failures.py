"""Errors: one drawn tree, a stable code each, and the same class again on the other side of the wire."""

import copy
import pickle
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol import errors as tree
from ezmsg.protocol.errors import EzmsgError, FrameTooLarge, InternalError, RemoteError, error_classes
from ezmsg.protocol.messages.envelopes import Failure, Fields
from ezmsg.protocol.testing import ERRORS, errors, plain_values
from ezmsg.protocol.wire.codec import decode, encode
from ezmsg.protocol.wire.failures import from_failure, to_failure
from ezmsg.protocol.wire.plain import pack, unpack

DRAWN = re.compile(r"^ {4}(?P<indent>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<code>\d[\dx]{3})  .*)?$", re.MULTILINE)


def subclasses(cls: type[Any]) -> Iterator[type[Any]]:
    """Every class below ``cls`` that a distribution of ours defines."""
    for child in cls.__subclasses__():
        if child.__module__.startswith("ezmsg."):
            yield child
            yield from subclasses(child)


OURS = [cls for cls in subclasses(EzmsgError) if cls.__module__.startswith(f"{tree.__name__}.")]


def drawn_tree() -> Iterator[tuple[str, str, str | None]]:
    """Parent, child and code of every line of the drawing."""
    ancestors: list[str] = []
    for line in DRAWN.finditer(tree.__doc__ or ""):
        depth = len(line["indent"]) // 4
        del ancestors[depth:]
        if ancestors:
            yield ancestors[-1], line["name"], line["code"]
        ancestors.append(line["name"])


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = [(parent, child) for parent, child, _ in drawn_tree()]
    assert sorted(drawn) == sorted((cls.__bases__[0].__name__, cls.__name__) for cls in OURS)
    assert len(drawn) == len(ERRORS) + len([cls for cls in OURS if cls.__subclasses__()])


def test_the_drawn_codes_are_the_codes() -> None:
    for _, name, pattern in drawn_tree():
        cls = getattr(tree, name)
        if pattern is not None:
            # A kind of errors inside a family has no code of its own.
            family = [child for child in subclasses(cls) if child in OURS and "code" in vars(child)] or [cls]
            expected = re.compile("EZ-" + pattern.replace("x", r"\d"))
            assert [child.code for child in family if not expected.fullmatch(child.code)] == []


def test_codes_are_unique() -> None:
    coded = [cls for cls in subclasses(EzmsgError) if "code" in vars(cls)]
    assert {cls.code: cls for cls in coded} == error_classes()
    assert len({cls.code for cls in coded}) == len(coded)


@pytest.mark.parametrize("cls", ERRORS)
def test_a_leaf_has_a_code_and_a_branch_has_none(cls: type[EzmsgError]) -> None:
    assert re.fullmatch(r"EZ-\d{4}", cls.code)
    assert not cls.__subclasses__()


@given(errors())
def test_an_error_says_its_code_and_a_sentence(error: EzmsgError) -> None:
    sentence = error.sentence()
    assert str(error) == f"{error.code}  {sentence}"
    if not isinstance(error, RemoteError):  # its text is the peer's
        assert len(sentence) > 20
        assert sentence.rstrip()[-1] in ".?!"


@given(errors())
def test_an_error_crosses_the_wire_as_the_same_class_with_the_same_fields(error: EzmsgError) -> None:
    sent = Failure(7, *to_failure(error))
    received = decode(encode(sent), Failure)
    again = from_failure(received.code, received.text, received.fields)
    assert type(again) is type(error)
    assert again.fields() == error.fields()
    assert str(again) == str(error)


@given(errors())
def test_an_error_can_be_pickled_and_copied(error: EzmsgError) -> None:
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is type(error)
        assert again.fields() == error.fields()


@pytest.mark.parametrize("cls", ERRORS)
def test_an_error_can_be_raised_and_caught_as_what_it_is(cls: type[EzmsgError]) -> None:
    for base in cls.__mro__[:-1]:
        if issubclass(base, BaseException):
            with pytest.raises(base):
                raise cls.__new__(cls)


@given(st.text(), st.text(), st.dictionaries(st.text(), plain_values(), max_size=3))
def test_an_unknown_code_becomes_a_remote_error(code: str, text: str, fields: dict[str, Any]) -> None:
    error = from_failure(f"XX-{code}", text, Fields(fields))
    assert type(error) is RemoteError
    assert error.fields() == {"remote_code": f"XX-{code}", "text": text, "remote_fields": fields}


@given(st.text(), st.text(), st.dictionaries(st.text(), plain_values(), max_size=3))
def test_an_unknown_error_that_is_handed_on_is_what_it_was(code: str, text: str, fields: dict[str, Any]) -> None:
    error = from_failure(f"XX-{code}", text, Fields(fields))
    parts = to_failure(error)
    assert (parts.code, parts.text, unpack(pack(parts.fields))) == (f"XX-{code}", text, fields)


@given(st.sampled_from(ERRORS), st.text(), st.data())
def test_fields_that_do_not_fit_become_a_remote_error(
    cls: type[EzmsgError], text: str, data: st.DataObject
) -> None:
    names = st.sampled_from(list(get_names(cls)))
    fields = data.draw(st.dictionaries(names, plain_values(), max_size=4))
    error = from_failure(cls.code, text, Fields(fields))
    assert type(error) in (cls, RemoteError)
    assert isinstance(str(error), str)


def get_names(cls: type[EzmsgError]) -> Iterator[str]:
    yield from (name for name in cls.__annotations__ if name != "code")


def test_a_field_of_a_later_release_is_ignored() -> None:
    fields = Fields({"size": 3, "limit": 2, "advice": "later"})
    error = from_failure(FrameTooLarge.code, "", fields)
    assert type(error) is FrameTooLarge


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError("hostile")


@pytest.mark.parametrize(
    ("error", "reason"),
    [(KeyError("a"), "KeyError: 'a'"), (ValueError(), "ValueError: "), (Unspeakable(), "Unspeakable")],
)
def test_an_error_of_somebody_else_becomes_an_internal_error(error: Exception, reason: str) -> None:
    parts = to_failure(error)
    assert parts.code == InternalError.code
    assert parts.fields == {"reason": reason}


def test_huge_numbers_from_a_peer_cannot_break_an_errors_text() -> None:
    error = from_failure(FrameTooLarge.code, "text", Fields({"size": 10**5000, "limit": 1}))
    assert str(error) == f"{RemoteError.code}  The peer reported {FrameTooLarge.code}: text"
