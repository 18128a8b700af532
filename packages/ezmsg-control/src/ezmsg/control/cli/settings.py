"""``ezmsg settings``: what running components are set to, and how to set them to something else."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.remembering import add_to
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.cli.watching import watchable
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.protocol.addresses import Address
    from ezmsg.protocol.messages.settings import SettingsTaken
    from ezmsg.protocol.model.settings import SettingsSnapshotValue

Component = Annotated[str, Parameter(help="A component's address, or a beginning that only it has.")]

settings = App(
    name="settings",
    help="Show what running components are set to, and change it while they run. For example:\n\nezmsg settings",
    help_format="plaintext",
)


@settings.default
@watchable
def list_all(*, address: AddressOption = None, json: JsonOption = False, timeout: TimeoutOption = 2.0) -> int:
    """Show the settings of every component, a line each.

    For example:

    ezmsg settings
    """
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.rendering.settings import list_lines

    server = find_address(address)
    taken = _take(server, timeout)
    if json:
        components = {name: _form(value) for name, value in taken.values.items()}
        _write({"$schema": "ezmsg.settings/1", "server": str(server), "seq": taken.seq, "components": components})
        return 0
    say(list_lines(taken.values))
    note(f"{counted(len(taken.values), 'component')} at {server}")
    return 0


settings.command(list_all, name="list")


@settings.command
@watchable
def get(
    component: Component,
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show the fields of one component's settings, with what they allow.

    For example:

    ezmsg settings get DEMO/FILT
    """
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.rendering.settings import value_lines

    name, value = _take_one(component, find_address(address), timeout)
    if json:
        _write({"$schema": "ezmsg.settings.component/1", "component": name, **_form(value)})
        return 0
    say(value_lines(name, value))
    return 0


@settings.command
def describe(
    component: Component,
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show what a component's settings type says of its fields; with --json, its JSON Schema.

    For example:

    ezmsg settings describe DEMO/FILT
    """
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.rendering.settings import description_lines

    name, value = _take_one(component, find_address(address), timeout)
    if json:
        schema = value.settings_schema
        _write((schema.json_schema if schema else None) or {})
        return 0
    say(description_lines(name, value))
    return 0


@settings.command(name="set")
def change(
    component: Component,
    /,
    *changes: Annotated[str, Parameter(help="FIELD=VALUE; a field inside another as filters[0].cutoff=60.")],
    expect: Annotated[int | None, Parameter(help="Change nothing if the revision is another.")] = None,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Change fields of a running component, several of them together or not at all.

    For example, two fields, an array, and only if nobody else has changed it since revision 7:

    ezmsg settings set DEMO/FILT cutoff=60 order=6

    ezmsg settings set DEMO/FILT 'taps=[[1,2],[3,4]]'

    ezmsg settings set DEMO/FILT cutoff=60 --expect 7
    """
    import time

    from ezmsg.control.cli.assignments import split, value_of
    from ezmsg.control.cli.exits import exit_code
    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.errors import InvalidAssignment, SettingsCoercionError
    from ezmsg.control.graph.settings import take_settings, update_fields, update_setting
    from ezmsg.control.rendering.settings import change_line, field_schema, refusal_lines

    texts = split(changes)
    if not texts:
        raise InvalidAssignment(text="")

    async def change_it(connection: "ControlConnection", timeout: float) -> int:
        known = (await take_settings(connection, timeout)).values
        name = resolved(component, known, "component with settings")
        before = known[name]
        values = {path: value_of(text, field_schema(before, path)) for path, text in texts.items()}
        begin_s = time.perf_counter()
        try:
            if len(values) == 1:
                ((path, value),) = values.items()
                after = await update_setting(connection, name, path, value, timeout=timeout, expect=expect)
            else:
                after = await update_fields(connection, name, values, timeout=timeout, expect=expect)
        except SettingsCoercionError as error:
            note(f"ezmsg: {error}")
            for line in refusal_lines(before, values):
                note(f"       {line}")
            return exit_code(error)
        took_ms = 1000 * (time.perf_counter() - begin_s)
        if json:
            form = {"component": name, "before": _form(before), "after": _form(after)}
            _write({"$schema": "ezmsg.settings.change/1", **form})
            return 0
        say([change_line(name, before, after)])
        note(f"applied in {took_ms:.1f} ms")
        return 0

    return _ask(change_it, find_address(address), timeout)


@settings.command
def watch(
    component: Annotated[str | None, Parameter(help="Only this component; else all of them.")] = None,
    /,
    *,
    count: Annotated[int | None, Parameter(help="End after so many changes; else with Ctrl-C.")] = None,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show every change of settings as it happens, a line each; also when the server was gone and is back.

    For example:

    ezmsg settings watch DEMO/FILT
    """
    import math
    from contextlib import aclosing

    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.resynchronising import settings_changes
    from ezmsg.control.graph.settings import take_settings
    from ezmsg.control.rendering.settings import event_line
    from ezmsg.protocol.snapshots.json_form import to_json_form

    server = find_address(address)

    async def follow(connection: "ControlConnection", timeout: float) -> int:
        taken = await take_settings(connection, timeout)
        told = dict(taken.values)
        name = None if component is None else resolved(component, told, "component with settings")
        whose = "every component" if name is None else name
        note(f"Watching the settings of {whose} at {server}. Ctrl-C ends it.")
        connection.on_lost(lambda _: note(f"{server} is gone; waiting for it."))
        head = {"$schema": "ezmsg.settings.event/1"}
        left = math.inf if count is None else count
        async with aclosing(settings_changes(connection, taken.seq, taken.epoch)) as events:
            while left > 0:
                event = await anext(events)
                if name is not None and event.component_address != name:
                    continue
                if json:
                    _write({**head, **to_json_form(event), "value": _form(event.value)})
                    head = {}
                else:
                    say([event_line(event, told.get(event.component_address))], flush=True)
                told[event.component_address] = event.value
                left -= 1
        return 0

    return _ask(follow, server, timeout)


add_to(settings)


def _ask(operation: Any, server: "Address", timeout: float) -> int:
    from ezmsg.control.cli.asking import ask

    code: int = ask(operation, server, timeout)
    return code


def _take(server: "Address", timeout: float) -> "SettingsTaken":
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.graph.settings import take_settings

    return ask(take_settings, server, timeout)


def _take_one(component: str, server: "Address", timeout: float) -> "tuple[str, SettingsSnapshotValue]":
    from ezmsg.control.cli.targets import resolved

    values = _take(server, timeout).values
    name = resolved(component, values, "component with settings")
    return name, values[name]


def _form(value: "SettingsSnapshotValue") -> dict[str, Any]:
    """Return settings for programs: as plain data if they have fields, else their repr."""
    from ezmsg.protocol.snapshots.json_form import to_json_form

    schema = value.settings_schema
    settings_type = None if schema is None else schema.settings_type
    plain = value.repr_value if value.structured_value is None else value.structured_value
    return {"type": settings_type, "revision": value.revision, "value": to_json_form(plain)}


def _write(form: Any) -> None:
    say_json(form, flush=True)
