"""The conversation about settings: what units have, what changes, and how an operator changes it.

The process that owns a unit validates and applies a change; the server keeps what was applied, and tells everybody.
"""

from typing import Any, ClassVar
from uuid import UUID

from ezmsg.protocol.declared import declared
from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.model.process_control import ProcessSettingsUpdate
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsSnapshotValue


@declared
class SettingsTaken:
    """The settings of every component at one moment, which is after event ``seq`` of the run ``epoch``."""

    TAG: ClassVar[str] = "settings.taken"
    values: dict[str, SettingsSnapshotValue]
    seq: int
    epoch: UUID


@declared
class TakeSettings:
    """Ask for the settings of every component."""

    TAG: ClassVar[str] = "settings.take"
    REPLY: ClassVar[type] = SettingsTaken


@declared
class SettingsEvent:
    """One change of one component's settings."""

    TAG: ClassVar[str] = "settings.event"
    event: SettingsChangedEvent


@declared
class FollowSettings:
    """Open the stream of settings events after ``after_seq`` of the run ``epoch``, if that is known."""

    TAG: ClassVar[str] = "settings.follow"
    REPLY: ClassVar[type] = Done
    ITEMS: ClassVar[tuple[type, ...]] = (SettingsEvent, Gap, Reset)
    after_seq: int = 0
    epoch: UUID | None = None


@declared
class SettingsRecorded:
    """A report was taken: as event ``seq``, as revision ``revision`` of that component."""

    TAG: ClassVar[str] = "settings.recorded"
    seq: int
    revision: int


@declared
class ReportSettings:
    """A process says which settings one of its units now has.

    ``restored`` is the revision that they had before the process lost the server, if it says so again because of
    that: a server that still knows them takes no notice, another one counts on from there.
    """

    TAG: ClassVar[str] = "settings.report"
    REPLY: ClassVar[type] = SettingsRecorded
    process_id: UUID
    update: ProcessSettingsUpdate
    restored: int | None = None


@declared
class SettingApplied:
    """A change was validated and applied; ``value`` is what the component now has."""

    TAG: ClassVar[str] = "settings.applied"
    value: SettingsSnapshotValue


@declared
class UpdateSetting:
    """Have the field at ``field_path`` set to a plain value by the process that owns the component.

    With the path "", ``value`` is a mapping of paths to values, which are changed together or not at all.
    ``expect`` is the revision that the component must have; ``timeout_s`` is in seconds.
    """

    TAG: ClassVar[str] = "settings.update"
    REPLY: ClassVar[type] = SettingApplied
    component_address: str
    field_path: str
    value: Any
    timeout_s: float
    expect: int | None = None


@declared
class ApplySetting:
    """The server asks the owning process to validate and apply a change; ``revision`` is what it will be then."""

    TAG: ClassVar[str] = "settings.apply"
    REPLY: ClassVar[type] = SettingApplied
    process_id: UUID
    component_address: str
    field_path: str
    value: Any
    revision: int | None = None


MESSAGES = (
    SettingsTaken,
    TakeSettings,
    SettingsEvent,
    FollowSettings,
    SettingsRecorded,
    ReportSettings,
    SettingApplied,
    UpdateSetting,
    ApplySetting,
)
