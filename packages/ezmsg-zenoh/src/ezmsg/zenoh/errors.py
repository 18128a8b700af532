"""The errors of this distribution, a branch of :mod:`ezmsg.protocol.errors`."""

from typing import ClassVar

from ezmsg.core.errors import DataPlaneError
from ezmsg.protocol.declared import declared_error


@declared_error
class ZenohUnusable(DataPlaneError):
    """A session of Zenoh could not be opened."""

    code: ClassVar[str] = "EZ-5030"
    configuration: str
    reason: str

    def sentence(self) -> str:
        file = f"the file {self.configuration}" if self.configuration else "no configuration file"
        return (
            f"Zenoh cannot be used, with {file}: {self.reason}. See that the router it names runs and is reached, "
            "and that EZMSG_ZENOH_CONFIG names a file of Zenoh's own form."
        )


@declared_error
class NameShared(DataPlaneError):
    """Several graph servers answer to the name of one."""

    code: ClassVar[str] = "EZ-5031"
    name: str
    servers: int

    def sentence(self) -> str:
        return (
            f"{self.servers} graph servers answer to zenoh:{self.name} and hold this token, so that nobody can "
            "tell which is meant. End all but one, or start one of them under another name."
        )
