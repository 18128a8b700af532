"""The conversation of a process that owns units."""

from typing import ClassVar
from uuid import UUID

from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.model.process_control import ProcessOwnershipUpdate, ProcessRegistration


@declared
class RegisterProcess:
    """A process says which units it owns."""

    TAG: ClassVar[str] = "process.register"
    REPLY: ClassVar[type] = Done
    process_id: UUID
    registration: ProcessRegistration


@declared
class UpdateOwnership:
    """A process gains or loses units."""

    TAG: ClassVar[str] = "process.ownership"
    REPLY: ClassVar[type] = Done
    process_id: UUID
    update: ProcessOwnershipUpdate


MESSAGES = (RegisterProcess, UpdateOwnership)
