"""Revisions: the smaller minor of the same major, or nothing."""

from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.protocol.revisions import CURRENT, PACKAGE_VERSION, Revision, negotiate

REVISIONS = st.builds(Revision, st.integers(0, 3), st.integers(0, 3))


@given(REVISIONS, REVISIONS)
def test_both_sides_come_to_the_same_result(ours: Revision, theirs: Revision) -> None:
    assert negotiate(ours, theirs) == negotiate(theirs, ours)


@given(REVISIONS, REVISIONS)
def test_the_result_is_the_newest_that_both_know(ours: Revision, theirs: Revision) -> None:
    agreed = negotiate(ours, theirs)
    if ours.major == theirs.major:
        assert agreed == (ours.major, min(ours.minor, theirs.minor))
    else:
        assert agreed is None


@pytest.mark.parametrize(("revision", "text"), [(Revision(1, 0), "1.0"), (Revision(2, 13), "2.13")])
def test_the_text_of_a_revision(revision: Revision, text: str) -> None:
    assert str(revision) == text


def test_this_release_understands_itself() -> None:
    assert negotiate(CURRENT, CURRENT) == CURRENT


def test_the_version_is_that_of_the_distribution() -> None:
    assert version("ezmsg-protocol") == PACKAGE_VERSION
