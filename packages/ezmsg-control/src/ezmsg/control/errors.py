"""The errors that only a client of the control plane can meet: 4xxx of the tree in :mod:`ezmsg.protocol.errors`.

::

    EzmsgError
    └── ControlError               4xxx  using the control plane
        ├── StreamOverrun
        └── InvalidTimeout               also a ValueError
"""

from typing import ClassVar

from attrs import define

from ezmsg.protocol.errors import EzmsgError


class ControlError(EzmsgError):
    """A fault in how the control plane is used."""


@define(kw_only=True, slots=False, eq=False)
class StreamOverrun(ControlError, RuntimeError):
    """A stream's items came faster than they were read; those read until now are complete."""

    code: ClassVar[str] = "EZ-4001"
    stream: str
    limit: int

    def sentence(self) -> str:
        return (
            f"The stream {self.stream} was read too slowly: {self.limit} items wait, and more came. "
            "Follow it again after the last sequence number that was read, and do slow work elsewhere."
        )


@define(kw_only=True, slots=False, eq=False)
class InvalidTimeout(ControlError, ValueError):
    """An operation was given a time that cannot be waited for."""

    code: ClassVar[str] = "EZ-4002"
    operation: str
    seconds: float

    def sentence(self) -> str:
        return f"{self.operation} cannot wait {self.seconds} s. Give it a finite time from 0 on, or None to wait."
