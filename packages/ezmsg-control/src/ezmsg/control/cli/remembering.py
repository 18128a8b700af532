"""The verbs of ``ezmsg settings`` that remember: history, undo, dump, diff, apply. `settings` takes them in."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from ezmsg.control.cli.options import AddressOption, JsonOption, TimeoutOption
from ezmsg.control.cli.saying import note, say, say_json
from ezmsg.control.rendering.quantities import counted

if TYPE_CHECKING:
    from ezmsg.control.connection.client import ControlConnection
    from ezmsg.control.graph.history import Change, FieldChange

Component = Annotated[str, Parameter(help="A component's address, or a beginning that only it has.")]
File = Annotated[Path, Parameter(help="A file that `ezmsg settings dump` has written.")]
SCHEMA = "ezmsg.settings.dump/1"
_FAILED = 1


def add_to(settings: App) -> None:
    """Let a group of verbs have these, too."""
    for verb in (history, undo, dump, diff, apply):
        settings.command(verb)


def history(
    component: Component,
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show what became of a component's settings: which fields changed, when, and who asked for it.

    For example:

    ezmsg settings history DEMO/FILT
    """
    from ezmsg.control.rendering.settings import history_line
    from ezmsg.protocol.snapshots.json_form import to_json_form

    async def read(connection: "ControlConnection", timeout: float) -> "list[Change]":
        return (await _histories(connection, component, timeout))[1]

    changes = _ask(read, address, timeout)
    if json:
        head = {"$schema": "ezmsg.settings.history/1"}
        for each in changes:
            fields = [_field_form(field) for field in each.fields]
            kind = to_json_form(each.kind)
            form = {
                "component": each.address,
                "revision": each.revision,
                "at": each.at,
                "by": each.by,
                "kind": kind,
            }
            say_json({**head, **form, "fields": fields})
            head = {}
        return 0
    say(map(history_line, changes))
    return 0


def undo(
    component: Component,
    /,
    *,
    revision: Annotated[int | None, Parameter(help="The change that made this revision; else the last.")] = None,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Take a change of a component's settings back: its fields become what they were before it.

    For example:

    ezmsg settings undo DEMO/FILT
    """
    from ezmsg.control.graph.history import undoing
    from ezmsg.control.graph.settings import take_settings, update_fields
    from ezmsg.control.rendering.settings import change_line
    from ezmsg.protocol.snapshots.json_form import to_json_form

    async def take_back(connection: "ControlConnection", timeout: float) -> int:
        name, changes = await _histories(connection, component, timeout)
        change, values = undoing(changes, revision)
        before = (await take_settings(connection, timeout)).values[name]
        after = await update_fields(connection, name, values, timeout=timeout, expect=before.revision)
        if json:
            form = {"component": name, "undone": change.revision, "revision": after.revision}
            say_json({"$schema": "ezmsg.settings.undo/1", **form, "values": to_json_form(values)})
            return 0
        say([f"{change_line(name, before, after)}   (undoes {change.revision})"])
        return 0

    code: int = _ask(take_back, address, timeout)
    return code


def dump(
    component: Annotated[str | None, Parameter(help="A component, or all that a pattern with * fits.")] = None,
    /,
    *,
    address: AddressOption = None,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Write what components are set to, as JSON that `diff` and `apply` read.

    For example:

    ezmsg settings dump 'DEMO/*' > lab.json
    """
    import json as form_of

    from ezmsg.control.cli.targets import matching
    from ezmsg.control.connection.discovery import find_address
    from ezmsg.control.graph.settings import take_settings
    from ezmsg.protocol.snapshots.json_form import to_json_form

    values = _ask(take_settings, address, timeout).values
    wanted = {name: values[name] for name in matching(component, values, "component with settings")}
    left_out = sorted(name for name, value in wanted.items() if value.structured_value is None)
    components = {
        name: to_json_form(value.structured_value)
        for name, value in wanted.items()
        if value.structured_value is not None
    }
    form = {"$schema": SCHEMA, "server": str(find_address(address)), "components": components}
    say(form_of.dumps(form, indent=2, allow_nan=False, ensure_ascii=False).splitlines())
    for name in left_out:
        note(f"! {name} is left out: its settings have no fields that are described")
    return 0


def diff(
    file: File,
    /,
    *,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Show where what components are set to differs from a file; the exit code is 1 if anything does.

    For example:

    ezmsg settings diff lab.json
    """
    from ezmsg.control.graph.settings import take_settings
    from ezmsg.control.rendering.settings import text_of

    wanted = _read(file)
    if wanted is None:
        return 2
    values = _ask(take_settings, address, timeout).values
    differing, absent = _differences(wanted, values)
    if json:
        head = {"$schema": "ezmsg.settings.diff/1"}
        for name, fields in differing.items():
            say_json({**head, "component": name, "fields": [_field_form(field) for field in fields]})
            head = {}
    else:
        for name, fields in differing.items():
            said = [f"{field.path} {text_of(field.before)} -> {text_of(field.after)}" for field in fields]
            say([f"{name}   {'   '.join(said)}"])
    for name in absent:
        note(f"! {name} is in the file and has no settings in this graph")
    if not differing and not absent:
        note("Everything is set as the file says.")
    return _FAILED if differing or absent else 0


def apply(
    file: File,
    /,
    *,
    dry_run: Annotated[bool, Parameter(negative="", help="Only show what would change.")] = False,
    address: AddressOption = None,
    json: JsonOption = False,
    timeout: TimeoutOption = 2.0,
) -> int:
    """Set components to what a file says, one after the other, each all or nothing.

    For example, what would change:

    ezmsg settings apply lab.json --dry-run
    """
    if dry_run:
        found = diff(file, address=address, json=json, timeout=timeout)
        note("Nothing was changed; without --dry-run it would be.")
        return 0 if found == _FAILED else found
    from ezmsg.control.errors import SettingsCoercionError
    from ezmsg.control.graph.settings import take_settings, update_fields
    from ezmsg.control.rendering.settings import change_line

    wanted = _read(file)
    if wanted is None:
        return 2

    async def set_all(connection: "ControlConnection", timeout: float) -> int:
        values = (await take_settings(connection, timeout)).values
        differing, absent = _differences(wanted, values)
        head = {"$schema": "ezmsg.settings.apply/1"}
        refused = 0
        for name, fields in differing.items():
            changes = {field.path: field.after for field in fields}
            before = values[name]
            try:
                after = await update_fields(connection, name, changes, timeout=timeout, expect=before.revision)
            except SettingsCoercionError as error:
                refused += 1
                note(f"! {name}: {error}")
                continue
            if json:
                say_json({**head, "component": name, "fields": [_field_form(field) for field in fields]})
                head = {}
            else:
                say([change_line(name, before, after)])
        for name in absent:
            note(f"! {name} is in the file and has no settings in this graph")
        note(f"{counted(len(differing) - refused, 'component')} changed, {refused} refused")
        return 4 if refused else _FAILED if absent else 0

    code: int = _ask(set_all, address, timeout)
    return code


def _read(file: Path) -> dict[str, Any] | None:
    """Return what a file says by component, or nothing, with a note, if it is no such file."""
    import json

    from ezmsg.protocol.snapshots.json_form import from_json_form

    try:
        form = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        note(f"ezmsg: {file} cannot be read: {error.strerror}.")
        return None
    except (ValueError, RecursionError) as error:
        note(f"ezmsg: {file} is no JSON: {error}. Write one with: ezmsg settings dump > {file}")
        return None
    components = form.get("components") if isinstance(form, dict) and form.get("$schema") == SCHEMA else None
    if not isinstance(components, dict) or not all(isinstance(each, dict) for each in components.values()):
        note(f"ezmsg: {file} holds no settings. Write such a file with: ezmsg settings dump > {file}")
        return None
    return {name: from_json_form(each) for name, each in components.items()}


def _differences(wanted: dict[str, Any], values: Any) -> "tuple[dict[str, list[FieldChange]], list[str]]":
    """Return which fields would change by component, and which components are not there."""
    from ezmsg.control.graph.history import NOTHING, differences, settable

    differing: dict[str, list[FieldChange]] = {}
    absent: list[str] = []
    for name, fields in wanted.items():
        value = values.get(name)
        if value is None or value.structured_value is None:
            absent.append(name)
            continue
        # What a file does not say, or could not, because it was too large, stays as it is.
        found = [
            each
            for each in differences(value.structured_value, fields)
            if each.after is not NOTHING and settable(each.after)
        ]
        if found:
            differing[name] = found
    return differing, absent


def _field_form(field: "FieldChange") -> dict[str, Any]:
    from ezmsg.control.graph.history import NOTHING
    from ezmsg.protocol.snapshots.json_form import to_json_form

    before = {} if field.before is NOTHING else {"before": to_json_form(field.before)}
    after = {} if field.after is NOTHING else {"after": to_json_form(field.after)}
    return {"path": field.path, **before, **after}


async def _histories(connection: "ControlConnection", component: str, timeout: float) -> "tuple[str, list[Change]]":
    """Return a component's address and the changes of it that the server still knows."""
    from ezmsg.control.cli.targets import resolved
    from ezmsg.control.graph.history import histories
    from ezmsg.control.graph.settings import settings_events, take_settings

    known = (await take_settings(connection, timeout)).values
    events = await settings_events(connection)
    found = histories(events)
    name = resolved(component, {*known, *found}, "component with settings")
    return name, found.get(name, [])


def _ask(operation: Any, address: str | None, timeout: float) -> Any:
    from ezmsg.control.cli.asking import ask
    from ezmsg.control.connection.discovery import find_address

    return ask(operation, find_address(address), timeout)
