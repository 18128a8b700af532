"""Protocol revisions and how two sides agree on one.

A minor revision only adds optional fields, messages and members, so the smaller minor is understood by both;
another major revision is another language.
"""

from typing import NamedTuple


class Revision(NamedTuple):
    """A revision of the wire protocol."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


CURRENT = Revision(1, 0)
"""The revision that this release speaks."""

PACKAGE_VERSION = "0.1.0"
"""The version of this distribution, told to the peer for its messages to people.

It stands here, and in ``pyproject.toml``, because to ask the installation takes longer than all else in this
module; a test holds the two together.
"""


def negotiate(ours: Revision, theirs: Revision) -> Revision | None:
    """Return the revision that both sides understand, or ``None`` if there is none."""
    if ours.major != theirs.major:
        return None
    return min(ours, theirs)
