"""9xxx: faults."""

from typing import Any, ClassVar

import attrs

from ezmsg.protocol.declared import declared_error
from ezmsg.protocol.errors.root import EzmsgError


@declared_error
class InternalError(EzmsgError, RuntimeError):
    """A fault of ezmsg itself."""

    code: ClassVar[str] = "EZ-9001"
    reason: str

    def sentence(self) -> str:
        return f"ezmsg itself failed: {self.reason}. Please report this with the log around it."


@declared_error
class RemoteError(EzmsgError, RuntimeError):
    """The peer reported an error whose code this release does not know; handed on, it is what it was."""

    code: ClassVar[str] = "EZ-9002"
    remote_code: str
    text: str
    remote_fields: dict[str, Any] = attrs.field(factory=dict)

    def sentence(self) -> str:
        return f"The peer reported {self.remote_code}: {self.text}"
