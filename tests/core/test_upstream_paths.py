"""Programs written for the public package find every name where they look for it, with its arguments and fields.

`upstream_api.txt` lists them, a section a module: what may be called, read and built. Ours may offer more: further
arguments with a default, further fields behind the known ones.
"""

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ezmsg.core as ez

LISTED = Path(__file__).with_name("upstream_api.txt").read_text(encoding="utf-8")

NOT_OFFERED = {
    "ezmsg.core:GraphServer.api": "spoke the old wire",
    "ezmsg.core:Publisher.__init__": "create() makes one; the constructor refuses, there as here",
    "ezmsg.core:Publisher.client_type": "a word of the old wire",
    "ezmsg.core:Subscriber.__init__": "create() makes one; the constructor refuses, there as here",
    "ezmsg.core:SyncPublisher.__init__": "a SyncContext makes one",
    "ezmsg.core:SyncSubscriber.__init__": "a SyncContext makes one",
    "ezmsg.core.sync:SyncPublisher.__init__": "a SyncContext makes one",
    "ezmsg.core.sync:SyncSubscriber.__init__": "a SyncContext makes one",
    "ezmsg.core.backend:ExecutionContext.__init__": "setup() makes one",
    "ezmsg.core.backend:ExecutionContext.create_processes": "GraphRunner starts processes",
    "ezmsg.core.backend:ExecutionContext.processes": "GraphRunner starts processes",
    "ezmsg.core.graphserver:GraphService.attach_shm": "the server holds no segments",
    "ezmsg.core.graphserver:GraphService.create_shm": "the server holds no segments",
    "ezmsg.core.graphserver:GraphService.open_connection": "spoke the old wire",
    "ezmsg.core.profiling:ProfileRegistry.register_publisher": "publishers join by themselves",
    "ezmsg.core.profiling:ProfileRegistry.register_subscriber": "subscribers join by themselves",
    "ezmsg.core.profiling:ProfileRegistry.unregister_publisher": "publishers leave by themselves",
    "ezmsg.core.profiling:ProfileRegistry.unregister_subscriber": "subscribers leave by themselves",
    "ezmsg.core.netprotocol:Address.bind_socket": "whoever listens binds",
    "ezmsg.core.netprotocol:Address.from_stream": "spoke the old wire",
    "ezmsg.core.netprotocol:Address.to_stream": "spoke the old wire",
}
"""What only the old runtime itself called, and why there is none."""

OLD_WIRE = re.compile(r"ezmsg\.core\.netprotocol:(?!Address)")

OTHER_DEFAULT = {"backend_process"}
"""Arguments whose default is another one here, and means the same."""


PATHS = {
    "addressable": ["Addressable", "SEPARATOR"],
    "backend": [
        "ExecutionContext",
        "GraphRunner",
        "GraphRunnerStartError",
        "crawl_components",
        "run",
        "run_system",
    ],
    "backendprocess": [
        *("BackendProcess", "Complete", "DefaultBackendProcess", "NormalTermination", "new_threaded_event_loop")
    ],
    "collection": ["Collection", "NetworkDefinition"],
    "command": ["build_parser", "cmdline", "run_command"],
    "component": ["Component"],
    "dag": ["CyclicException", "DAG"],
    "graph_util": ["get_compactified_graph", "graph_string", "prune_graph_connections"],
    "graphcontext": ["GraphContext"],
    "graphmeta": [
        *("ComponentMetadata", "Edge", "GraphMetadata", "GraphSnapshot", "OutputStreamMetadata"),
        *("OutputTopicMetadata", "SettingsChangedEvent", "SettingsSnapshotValue", "TopologyChangedEvent"),
        *("ComponentMetadataType", "InitialSettingsType", "RelayMetadataType", "SerializedSettingsType"),
        *("SettingsReprType", "StreamMetadataType", "TopicMetadataType"),
    ],
    "graphserver": ["GraphServer", "GraphService"],
    "logconfig": [
        *("AtOrAboveLevelFilter", "BelowLevelFilter", "EZMSG_LOG_DATE_FORMAT", "EZMSG_LOG_FORMAT"),
        *("EZMSG_STDERR_LOG_LEVEL", "create_ezmsg_log_formatter", "create_ezmsg_stderr_handler"),
        "create_ezmsg_stdout_handler",
    ],
    "message": ["Flag", "Message"],
    "messagemarshal": ["Marshal", "MessageMarshal", "UndersizedMemory", "UninitializedMemory"],
    "netprotocol": [
        *("Address", "AddressType", "DEFAULT_HOST", "GRAPHSERVER_ADDR", "GRAPHSERVER_ADDR_ENV"),
        "GRAPHSERVER_PORT_DEFAULT",
    ],
    "processclient": ["ProcessControlClient"],
    "pubclient": ["Publisher"],
    "relay": ["InputRelay", "OutputRelay", "Relay"],
    "settings": ["Settings"],
    "settingsmeta": ["settings_repr_value", "settings_schema_from_value", "settings_structured_value"],
    "state": ["State"],
    "stream": [
        *("InputRelay", "InputStream", "InputTopic", "OutputRelay", "OutputStream", "OutputTopic", "Relay"),
        *("Stream", "Topic"),
    ],
    "subclient": ["Subscriber"],
    "sync": ["SyncContext", "SyncPublisher", "SyncSubscriber", "init", "spin", "spin_once"],
    "type_resolution": ["resolve_stream_type"],
    "unit": ["PUBLISHES_ATTR", "SUBSCRIBES_ATTR", "Unit", "publisher", "subscriber", "task"],
    "util": ["either_dict_or_kwargs"],
}
"""What programs import from the modules directly under `ezmsg.core`."""


def listed() -> dict[str, list[str]]:
    """Return the lines about each name, which is ``module:name`` or ``module:class.name``."""
    entries: dict[str, list[str]] = {}
    module = owner = ""
    for line in LISTED.splitlines():
        inside, text = line.startswith(" "), line.strip()
        words = re.split(r"[ :(]+", text)
        if words[0] == "##":
            module = words[1]
        elif words[0] in ("field", "namedtuple"):
            entries[f"{module}:{owner}"].append(text)
        elif text:
            name = words[2] if words[0] == "async" else words[1]
            owner = owner if inside else name
            entries[f"{module}:{owner}.{name}" if inside else f"{module}:{name}"] = [text]
    return entries


EXPECTED = {name: lines for name, lines in listed().items() if name not in NOT_OFFERED and not OLD_WIRE.match(name)}


def find(name: str) -> Any:
    """Return what has this name; a member of a class as the class holds it.

    :raises ImportError: if there is no such module.
    :raises AttributeError: if there is no such name.
    """
    module, _, path = name.partition(":")
    owner, _, member = path.partition(".")
    found = getattr(importlib.import_module(module), owner)
    return inspect.getattr_static(found, member) if member else found


def parameters(text: str) -> tuple[list[tuple[str, Any]], dict[str, Any], bool]:
    """Return the positional parameters, those by keyword only, and whether any others are taken by keyword."""
    (function,) = ast.parse(f"def {text.split('def ')[-1].removeprefix('classmethod ')}: ...").body
    assert isinstance(function, ast.FunctionDef)
    args = function.args
    missing: list[Any] = [inspect.Parameter.empty] * (len(args.args) - len(args.defaults))
    positional = zip(
        [arg.arg for arg in args.args], missing + [default(each) for each in args.defaults], strict=True
    )
    by_keyword = {arg.arg: default(each) for arg, each in zip(args.kwonlyargs, args.kw_defaults, strict=True)}
    return list(positional), by_keyword, args.kwarg is not None


def default(node: ast.expr | None) -> Any:
    if node is None:
        return inspect.Parameter.empty
    return {"object": object}.get(node.id, ...) if isinstance(node, ast.Name) else ast.literal_eval(node)


def check_call(name: str, text: str, found: Any) -> None:
    """Assert that whatever may be passed to the listed function may be passed to ours, and means the same."""
    if text.startswith("async "):
        assert inspect.iscoroutinefunction(found), f"{name} cannot be awaited"
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    ours = inspect.signature(found).parameters
    kinds = [each.kind for each in ours.values()]
    positional, by_keyword, takes_any = parameters(text)
    in_order = [each.name for each in ours.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert in_order[: len(positional)] == [each for each, _ in positional]
    assert inspect.Parameter.VAR_KEYWORD in kinds or not takes_any
    known = {**dict(positional), **by_keyword}
    for each, value in known.items():
        if each in ours and value not in (..., inspect.Parameter.empty) and each not in OTHER_DEFAULT:
            assert ours[each].default == value, f"the default of {each}"
        assert each in ours or inspect.Parameter.VAR_KEYWORD in kinds, f"{each} is not taken"
    for each, parameter in ours.items():
        optional = parameter.default is not parameter.empty or parameter.kind in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        assert each in known or optional, f"{each} must be given"


def check_fields(lines: list[str], found: Any) -> None:
    """Assert that the class has the listed fields before any others, with the same defaults."""
    wanted = [line.removeprefix("field ").partition(" = ")[::2] for line in lines]
    fields = {each.name: each for each in dataclasses.fields(found)}
    assert list(fields)[: len(wanted)] == [each for each, _ in wanted]
    for each, value in wanted:
        field = fields[each]
        if value == "<factory>":
            assert field.default_factory is not dataclasses.MISSING
        else:
            expected = ast.literal_eval(value) if value else dataclasses.MISSING
            assert field.default == expected, f"the default of {each}"


@pytest.mark.parametrize("name", EXPECTED)
def test_a_name_is_there_and_takes_what_it_took(name: str) -> None:
    head, *lines = EXPECTED[name]
    found = find(name)
    match head.split(" ")[0]:
        case "property":
            assert not callable(found)
        case "enum":
            assert set(head.partition(": ")[2].split(", ")) <= set(found.__members__)
        case "class":
            assert inspect.isclass(found)
            if lines and lines[0].startswith("namedtuple"):
                assert found._fields == tuple(lines[0].removeprefix("namedtuple ").split(", "))
            elif lines:
                check_fields(lines, found)
        case _:
            check_call(name, head, found)


def test_what_is_not_offered_is_listed() -> None:
    assert listed().keys() >= NOT_OFFERED.keys()
    assert len(EXPECTED) > 200


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("def f(a, b=1)", lambda a: ...),
        ("def f(a, b=1)", lambda b=1, a=0: ...),
        ("def f(a, b=1)", lambda a, b=2: ...),
        ("def f(a)", lambda a, b: ...),
        ("def f(a)", lambda a, *, b: ...),
        ("def f(a, *, b=1)", lambda a: ...),
        ("def f(a, **others)", lambda a: ...),
        ("async def f(a)", lambda a: ...),
    ],
)
def test_a_function_that_takes_less_is_found_out(text: str, ours: Any) -> None:
    with pytest.raises(AssertionError):
        check_call("f", text, ours)


@pytest.mark.parametrize("path", PATHS)
def test_a_module_has_what_programs_import_from_it(path: str) -> None:
    module = importlib.import_module(f"ezmsg.core.{path}")
    for name in PATHS[path]:
        value = getattr(module, name)
        assert value is getattr(ez, name, value), "it is the same as the one at the top"
    assert set(PATHS[path]) <= set(module.__all__)
    assert "ezmsg 3" in (module.__doc__ or "") or path == "sync", "it says why it is there"


@pytest.mark.parametrize("path", PATHS)
def test_a_module_is_an_attribute_without_an_import(path: str) -> None:
    script = (
        f"import sys, ezmsg.core as ez\nassert 'ezmsg.core.{path}' not in sys.modules\nprint(ez.{path}.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == f"ezmsg.core.{path}\n"


@pytest.mark.parametrize(("variable", "address"), [(None, "127.0.0.1:25978"), ("10.0.0.1:3", "10.0.0.1:3")])
def test_the_servers_address_is_that_of_the_import(
    variable: str | None, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EZMSG_GRAPHSERVER_ADDR", raising=False)
    if variable is not None:
        monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", variable)
    script = "from ezmsg.core.netprotocol import *; print(Address.from_string(GRAPHSERVER_ADDR))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == f"{address}\n"


class Inner(ez.Unit):
    SETTINGS = ez.Settings
    OUT = ez.OutputStream(int)


class Outer(ez.Collection):
    INNER = Inner()


def test_private_names_that_tools_use() -> None:
    assert Inner.__streams__["OUT"].msg_type is int
    assert Inner.__settings_type__ is ez.Settings
    assert Inner.__main__ is None
    outer = Outer()
    assert outer._components == outer.components == {"INNER": outer.INNER}
    assert outer.INNER._settings_applied
    outer._set_name("PLACE")
    assert outer._name == outer.name == "PLACE"


async def test_private_names_of_a_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))  # else another test's graph may be found
    context = ez.GraphContext(auto_start=True)
    assert context._session_id is None
    async with context:
        assert str(context._session_id) in (await context.snapshot()).sessions
        subscriber = await context.subscriber("TOPIC")
        context._clients.discard(subscriber)
        subscriber.close()
        await subscriber.wait_closed()
        await context._close_session()
        assert context._session_id is None
        with pytest.raises(RuntimeError):
            await context.snapshot()


def test_a_system_is_a_collection_and_says_so() -> None:
    with pytest.warns(DeprecationWarning, match=r"write class Old\(ez\.Collection\)") as warned:

        class Old(ez.System):
            INNER = Inner()

    assert warned[0].filename == __file__
    assert isinstance(Old().INNER, Inner)
    assert issubclass(Old, ez.Collection)


@pytest.mark.parametrize(
    ("given", "by_keyword", "returned"),
    [({"a": 1}, {}, {"a": 1}), (None, {"b": 2}, {"b": 2}), ({}, {"b": 2}, {"b": 2}), (None, {}, {})],
)
def test_arguments_as_a_mapping_or_by_keyword(given: Any, by_keyword: Any, returned: Any) -> None:
    assert ez.util.either_dict_or_kwargs(given, by_keyword, "f") == returned


@pytest.mark.parametrize(("given", "by_keyword"), [({"a": 1}, {"b": 2}), (5, {})])
def test_arguments_both_as_a_mapping_and_by_keyword(given: Any, by_keyword: Any) -> None:
    with pytest.raises(ValueError, match=r"f\(\.\.\.\)="):
        ez.util.either_dict_or_kwargs(given, by_keyword, "f")
