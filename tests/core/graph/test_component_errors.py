"""The errors of components: one code each, a sentence that names the place, and they survive a pickle."""

import pickle

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core import errors
from ezmsg.protocol.declared import written
from ezmsg.protocol.errors import EzmsgError, error_classes

OURS = [each for each in vars(errors).values() if isinstance(each, type) and "code" in vars(each)]
OURS.remove(EzmsgError)


def filled(cls: type[EzmsgError], text: str) -> EzmsgError:
    values = {str: text, int: 3, float: 0.5, bool: True, list[str]: [text, text], dict[str, str]: {text: text}}
    return cls(**{field.name: values[field.type] for field in attrs.fields(written(cls))})


@pytest.mark.parametrize("cls", OURS)
@given(text=st.text(max_size=20))
def test_every_error_has_a_sentence_and_travels(cls: type[EzmsgError], text: str) -> None:
    error = filled(cls, text)
    assert str(error) == f"{cls.code}  {error.sentence()}"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.fields()) == (cls, error.fields())


def test_codes_are_unique_and_of_their_branch() -> None:
    assert len({each.code for each in OURS}) == len(OURS)
    for each in OURS:
        branch = "EZ-5" if issubclass(each, errors.DataPlaneError) else "EZ-6"
        assert each.code.startswith(branch)
        assert error_classes()[each.code] is each


def test_every_error_is_drawn_in_the_tree() -> None:
    for each in OURS:
        assert f"── {each.__name__}" in (errors.__doc__ or "")
