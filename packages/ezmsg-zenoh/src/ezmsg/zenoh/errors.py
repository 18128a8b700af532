"""The errors of this distribution, a branch of :mod:`ezmsg.protocol.errors`."""

import re
from typing import ClassVar

from ezmsg.core.errors import DataPlaneError
from ezmsg.protocol.declared import declared_error

_SOURCE = re.compile(r"\s+at\s+\S+\.rs:\d+")
"""Where in Zenoh's own source something went wrong, which helps nobody here."""


@declared_error
class ZenohUnusable(DataPlaneError):
    """A session of Zenoh could not be opened."""

    code: ClassVar[str] = "EZ-5030"
    configuration: str
    reason: str

    def sentence(self) -> str:
        return (
            f"Zenoh cannot be used, with {_file(self.configuration)}: {self.reason}. See that the router it names "
            "runs, is reached and takes this host's certificate, and that EZMSG_ZENOH_CONFIG names a file of "
            "Zenoh's own form; RUST_LOG=warn lets Zenoh say more."
        )


@declared_error
class RouterUnusable(DataPlaneError):
    """A router of Zenoh could not be opened."""

    code: ClassVar[str] = "EZ-5031"
    configuration: str
    endpoints: str
    reason: str

    def sentence(self) -> str:
        where = f" at {self.endpoints}" if self.endpoints else ""
        return (
            f"No router can be opened{where}, with {_file(self.configuration)}: {self.reason}. End what listens "
            "there already or name another place, and see that the file is one of `ezmsg zenoh config`, or of "
            "Zenoh's own form with the mode router."
        )


@declared_error
class NothingPrepared(DataPlaneError):
    """Configuration files for Zenoh cannot be made as they are wished for."""

    code: ClassVar[str] = "EZ-5032"
    reason: str

    def sentence(self) -> str:
        return f"No configuration file was made: {self.reason}"


@declared_error
class NameShared(DataPlaneError):
    """Several graph servers answer to the name of one."""

    code: ClassVar[str] = "EZ-5033"
    name: str
    servers: int

    def sentence(self) -> str:
        return (
            f"{self.servers} graph servers answer to zenoh:{self.name} and hold this token, so that nobody can "
            "tell which is meant. End all but one, or start one of them under another name."
        )


@declared_error
class MessageStuck(DataPlaneError):
    """A message was sent again and again over Zenoh, and does not arrive; its publisher waits meanwhile."""

    code: ClassVar[str] = "EZ-5034"
    topic: str
    size: int
    times: int

    def sentence(self) -> str:
        return (
            f"A message of {self.topic} with {self.size} bytes was sent {self.times} times over Zenoh, and does "
            "not arrive. A link on the way takes less: raise transport/link/rx/max_message_size in the "
            "configuration of every host and router, or send less at a time."
        )


def reason_of(error: Exception) -> str:
    """Return what an error of Zenoh's says, in one line and as a part of a sentence."""
    return " ".join(_SOURCE.sub("", str(error)).split()).rstrip(" .!")


def _file(configuration: str) -> str:
    return f"the file {configuration}" if configuration else "no configuration file"
