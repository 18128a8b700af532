"""Settings of running components, as the graph server knows them, each a function of the connection."""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from ezmsg.control.connection.client import DEFAULT_TIMEOUT, ControlConnection
from ezmsg.control.errors import InvalidSettingsValue, NoSettingsInput
from ezmsg.control.graph.watching import follow_settings
from ezmsg.control.process.requests import DEFAULT_TIMEOUT_S, GRACE_S, checked_timeout
from ezmsg.protocol.errors import DeadlineExceeded
from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.messages.settings import SettingApplied, SettingsTaken, TakeSettings, UpdateSetting
from ezmsg.protocol.model.settings import SettingsChangedEvent, SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import GraphSnapshot
from ezmsg.protocol.wire.plain import foreign_part

_PLAIN = (
    "numbers, texts, bytes, None, arrays, lists, sets and dicts of such; also records, members of enumerations, "
    "paths and dates"
)


async def take_settings(connection: ControlConnection, timeout: float = DEFAULT_TIMEOUT) -> SettingsTaken:
    """Return the settings of every component, and after which event of which run of the server they are these."""
    taken: SettingsTaken = await connection.request(TakeSettings(), timeout=timeout)
    return taken


async def settings_snapshot(connection: ControlConnection) -> dict[str, SettingsSnapshotValue]:
    """Return the settings of every component by its address."""
    return (await take_settings(connection)).values


async def settings_events(connection: ControlConnection, after_seq: int = 0) -> list[SettingsChangedEvent]:
    """Return the changes after a sequence number until now, as far as the server still has them.

    :raises DeadlineExceeded: if the server does not answer in time.
    """
    taken = await take_settings(connection)
    events: list[SettingsChangedEvent] = []
    if after_seq >= taken.seq:
        return events
    try:
        async with (
            asyncio.timeout(DEFAULT_TIMEOUT),
            aclosing(follow_settings(connection, after_seq, taken.epoch)) as items,
        ):
            async for item in items:
                match item:
                    case Reset():  # that run of the server is over, and its events with it
                        break
                    case Gap(last=seq):
                        pass
                    case SettingsChangedEvent(seq=seq):
                        events.append(item)
                if seq >= taken.seq:
                    break
    except TimeoutError:
        raise DeadlineExceeded(operation="Reading the changes of settings", seconds=DEFAULT_TIMEOUT) from None
    return events


async def update_setting(
    connection: ControlConnection,
    component_address: str,
    field_path: str,
    value: Any,
    *,
    timeout: float = DEFAULT_TIMEOUT_S,
    expect: int | None = None,
) -> SettingsSnapshotValue:
    """Have one field of a running component set, and return the settings that it has then.

    With the path "", ``value`` is a mapping of paths to values, see :func:`update_fields`.

    :param value: a plain value, as numbers, texts, lists and dicts are, or what has a plain form: a record, a
        member of an enumeration, a path, a date and their like.
    :param expect: change nothing if the component's settings have another revision than this one.
    :raises SettingsCoercionError: if there is no such field, or it does not allow the value.
    :raises GraphError: if nobody owns the component, its revision is another, or its process does not answer.
    :raises InvalidTimeout: if ``timeout`` is not a finite time from 0 on.
    """
    timeout = checked_timeout(f"The change of {field_path or 'settings'} of {component_address}", timeout)
    from ezmsg.control.settings_schema.describing.sending import sendable

    value = sendable(value)
    _check_plain(field_path, value)
    change = UpdateSetting(component_address, field_path, value, timeout, expect)
    applied: SettingApplied = await connection.request(change, timeout=timeout + GRACE_S)
    return applied.value


async def update_fields(
    connection: ControlConnection,
    component_address: str,
    changes: Mapping[str, Any],
    *,
    timeout: float = DEFAULT_TIMEOUT_S,
    expect: int | None = None,
) -> SettingsSnapshotValue:
    """Have several fields of a running component set together or not at all; see :func:`update_setting`.

    :param changes: plain values by the paths of their fields.
    """
    return await update_setting(connection, component_address, "", dict(changes), timeout=timeout, expect=expect)


def _check_plain(field_path: str, value: object) -> None:
    """Refuse what could not travel as it is: its process would take its ``repr`` for a text that is meant."""
    foreign = foreign_part(value)
    if foreign is not None:
        where, part = foreign
        path = f"{field_path}{where}".removeprefix(".") or "the settings"
        from ezmsg.control.settings_schema.fields.wording import shown

        raise InvalidSettingsValue(path=path, value=shown(part), allowed=_PLAIN)


def settings_input_topic(snapshot: GraphSnapshot, component_address: str) -> str:
    """Return the topic on which a component takes settings while it runs.

    :raises NoSettingsInput: if no session describes it, or it has none.
    """
    for session in snapshot.sessions.values():
        component = session.metadata and session.metadata.components.get(component_address)
        if component and component.dynamic_settings.enabled and component.dynamic_settings.input_topic:
            return component.dynamic_settings.input_topic
    raise NoSettingsInput(component=component_address)
