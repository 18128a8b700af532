"""Settings of components: what sessions gave them at first, what processes report, and the log of every change.

The newest value that a process reported stands; when that process goes, the session's initial value comes back.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID

from attrs import define

from ezmsg.graphserver.deciding.state.event_log import EventLog
from ezmsg.protocol.messages.settings import SettingsEvent
from ezmsg.protocol.model.metadata import CollectionMetadata, ComponentMetadata, GraphMetadata, UnitMetadata
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsEventType, SettingsSnapshotValue
from ezmsg.protocol.wire.codec import encode


class Held(NamedTuple):
    """A value, and the session that gave it or the process that reported it."""

    by: UUID
    value: SettingsSnapshotValue


@define
class Component:
    """What is known of one component; ``revision`` counts the changes of its visible value, its first is 0."""

    initial: Held | None = None
    reported: Held | None = None
    revision: int = -1

    @property
    def held(self) -> Held | None:
        """The value that stands."""
        return self.reported or self.initial

    @property
    def visible(self) -> SettingsSnapshotValue:
        """The value that stands, as clients see it."""
        assert self.held is not None, "a component without a value is not kept"
        return replace(self.held.value, revision=self.revision)

    @property
    def session(self) -> UUID | None:
        """The session that describes it."""
        return None if self.initial is None else self.initial.by


class Settings:
    """The settings of every component that has any, and the log of their changes.

    :param history: how many events are kept.
    """

    def __init__(self, history: int) -> None:
        self.log: EventLog[SettingsEvent] = EventLog(history)
        self._components: dict[str, Component] = {}

    def describe(
        self, session: UUID, before: GraphMetadata | None, now: GraphMetadata | None, timestamp: float
    ) -> None:
        """Take the initial values of a session's components, in place of those that it gave before."""
        given, taken = _components(now), _components(before)
        for address in sorted(given.keys() | taken.keys()):
            initial = Held(session, initial_value(given[address])) if address in given else None
            self._set_initial(address, initial, timestamp)

    def report(
        self,
        process: UUID,
        address: str,
        value: SettingsSnapshotValue,
        timestamp: float,
        restored: int | None = None,
        by: str | None = None,
    ) -> SettingsSnapshotValue:
        """Take what a process says of a unit that it owns; return it with its revision.

        :param restored: the revision that this had when the process lost the server: nothing new if it stands here.
        :param by: who has asked for it.
        """
        component = self._components.setdefault(address, Component())
        reported = Held(process, replace(value, revision=0))  # the count is ours, whatever a process writes there
        if restored is not None and _is_same(component.reported, reported):
            return component.visible
        component.reported = reported
        component.revision = max(component.revision + 1, restored or 0)
        self._log(SettingsEventType.SETTINGS_UPDATED, address, component, timestamp, process, by)
        return component.visible

    def withdraw(self, process: UUID, units: set[str], timestamp: float) -> None:
        """Forget what a process said of units that it owns no more; their initial values come back."""
        for address in sorted(units):
            component = self._components.get(address)
            if component is None or component.reported is None:
                continue
            assert component.reported.by == process, "only the owner reports"
            if component.initial is None:
                self._remove(address, component, timestamp, process)
            else:
                component.reported = None
                component.revision += 1
                self._log(SettingsEventType.SETTINGS_UPDATED, address, component, timestamp)

    def revision(self, address: str) -> int | None:
        """Return the revision of a component, ``None`` if nothing is known of its settings."""
        component = self._components.get(address)
        return None if component is None else component.revision

    def initial_fields(self, address: str) -> Mapping[str, Any]:
        """Return by name the fields that a component's session gave it at first, as far as that is known."""
        component = self._components.get(address)
        if component is None or component.initial is None:
            return {}
        return component.initial.value.structured_value or {}

    def values(self) -> dict[str, SettingsSnapshotValue]:
        """Return the value of every component, sorted."""
        return {address: component.visible for address, component in sorted(self._components.items())}

    def validate(self, initial: Mapping[str, UUID], owners: Mapping[str, UUID]) -> None:
        """Assert every invariant, given which session describes and which process owns which unit. For tests."""
        described = {address: component.session for address, component in self._components.items()}
        assert {address: session for address, session in described.items() if session is not None} == initial
        for address, component in self._components.items():
            assert component.held is not None, "a component without a value"
            assert component.revision >= 0
            if component.reported is not None:
                assert owners[address] == component.reported.by, "a report that nobody stands for"

    # --- inside -------------------------------------------------------------------------------------------

    def _set_initial(self, address: str, initial: Held | None, timestamp: float) -> None:
        component = self._components.setdefault(address, Component())
        before, is_hidden = component.initial, component.reported is not None
        if initial is None and not is_hidden:
            self._remove(address, component, timestamp)
            return
        component.initial = initial
        if not is_hidden and not _is_same(before, initial):
            component.revision += 1
            self._log(SettingsEventType.INITIAL_SETTINGS, address, component, timestamp)

    def _remove(self, address: str, component: Component, timestamp: float, process: UUID | None = None) -> None:
        """Forget a component of which nobody says anything any more; the event shows its last value."""
        self._log(SettingsEventType.SETTINGS_REMOVED, address, component, timestamp, process)
        del self._components[address]

    def _log(
        self,
        kind: SettingsEventType,
        address: str,
        component: Component,
        timestamp: float,
        process: UUID | None = None,
        by: str | None = None,
    ) -> None:
        session = None if component.session is None else str(component.session)
        seq = self.log.last_seq + 1
        event = SettingsChangedEvent(seq, kind, address, timestamp, session, process, component.visible, by)
        self.log.append(SettingsEvent(event))


def _is_same(one: Held | None, other: Held | None) -> bool:
    if one is None or other is None or one.by != other.by:
        return one is other
    # Also as bytes, because a NaN is not equal to itself.
    return one.value == other.value or encode(one.value) == encode(other.value)


def initial_value(component: ComponentMetadata) -> SettingsSnapshotValue:
    """Return the settings that a component has at first, as its session describes them."""
    serialized, readable = component.initial_settings
    structured = readable if isinstance(readable, dict) else None
    if isinstance(component, CollectionMetadata | UnitMetadata) and component.initial_structured is not None:
        structured = component.initial_structured
    return SettingsSnapshotValue(serialized, readable, structured, component.settings_schema)


def _components(metadata: GraphMetadata | None) -> dict[str, ComponentMetadata]:
    return {} if metadata is None else dict(metadata.components)
