"""Issue 2 as its reader understands it: every promise that can be seen from outside, through public names alone."""

import asyncio
import contextlib
import dataclasses
import enum
import importlib.util
import itertools
import json
import math
import os
import random
import re
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import psutil
import pytest
from tests.ports import unused_port

import ezmsg.core as ez
from ezmsg.control import GraphService as ControlService
from ezmsg.control import Session, acquire, release
from ezmsg.protocol import (
    DAG,
    Address,
    CyclicException,
    Edge,
    EzmsgError,
    GraphSnapshot,
    decode,
    encode,
    errors,
    model,
)

HANG = 30.0
ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
DISTRIBUTIONS = ("protocol", "graphserver", "control", "core", "tui")
LOOPBACK = ("127.0.0.1", 0)


@pytest.fixture(autouse=True)
def _own_world(monkeypatch, environment):
    """The test's own process sees the same runtime folder as its programs, and nothing of the developer's."""
    for name in [name for name in os.environ if name.startswith("EZMSG_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", environment["EZMSG_RUNTIME_DIR"])


@pytest.fixture
def server():
    server = ez.GraphServer()
    server.start(LOOPBACK)
    yield server
    server.stop()


@pytest.fixture
def address(server, environment, monkeypatch):
    """A server that programs and the test itself find by the environment."""
    text = f"{server.address.host}:{server.address.port}"
    environment["EZMSG_GRAPHSERVER_ADDR"] = text
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", text)
    return server.address


def within(work, seconds=HANG):
    return asyncio.wait_for(work, seconds)


async def until(condition, what):
    """Wait for what somebody else brings about."""
    deadline = time.monotonic() + HANG
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not come true"
        await asyncio.sleep(0.02)


def a_sentence(text, *words):
    """It is one a person can use: no traceback, and it names what it is about."""
    assert "Traceback" not in text, text
    for word in words:
        assert str(word) in text, text
    assert re.search(r"\w+[^\w]+\w+[^\w]+\w+", text), text


# --- the workspace ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_distribution_has_its_own_version_readme_changelog_licence_and_types(name):
    folder = ROOT / "packages" / f"ezmsg-{name}"
    project = _toml(folder / "pyproject.toml")["project"]
    assert project["name"] == f"ezmsg-{name}"
    assert project["version"]
    assert project["requires-python"] == ">=3.11"
    assert project["license"] == "MIT"
    assert (folder / "README.md").read_text(encoding="utf-8").strip()
    assert project["version"] in (folder / "CHANGELOG.md").read_text(encoding="utf-8")
    assert (folder / "src" / "ezmsg" / name / "py.typed").is_file()
    assert not (folder / "src" / "ezmsg" / "__init__.py").exists()
    for sibling in (text for text in project["dependencies"] if text.startswith("ezmsg-")):
        assert re.search(r">=.*<", sibling), f"{sibling} declares no range"


def _toml(path):
    import tomllib

    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_the_root_is_a_workspace_and_no_project():
    root = _toml(ROOT / "pyproject.toml")
    assert "project" not in root
    default = root["tool"]["hatch"]["envs"]["default"]
    assert default["installer"] == "uv"
    assert default["workspace"]["members"]
    assert root["tool"]["mypy"]["strict"] is True
    assert root["tool"]["pytest"]["ini_options"]["filterwarnings"][0] == "error"
    assert root["tool"]["pytest"]["ini_options"]["timeout"] > 0
    assert root["tool"]["importlinter"]["contracts"]


def test_the_readme_has_exactly_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"pip install hatch && .*", readme) == [
        "pip install hatch && hatch run demo",
        "pip install hatch && hatch run test",
    ]


def test_the_way_of_a_message_names_files_that_exist_and_none_twice():
    page = ROOT / "docs" / "explain" / "message-path.md"
    rows = re.findall(r"^\| \d+ \| `([\w/]+\.py)`", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 3
    assert len(rows) == len(set(rows))
    core = ROOT / "packages" / "ezmsg-core" / "src" / "ezmsg" / "core"
    assert not [row for row in rows if not (core / row).is_file()]


def test_the_record_is_in_the_package_with_its_attribution():
    folder = ROOT / "packages" / "ezmsg-core" / "src" / "ezmsg" / "core"
    (record,) = folder.rglob("mitbih_208_mlii.npz")
    with np.load(record) as data:
        assert data["ecg_adu"].shape == (108000,)
    texts = [path.read_text(encoding="utf-8") for path in record.parent.iterdir() if path.suffix in {".md", ".txt"}]
    assert any("PhysioNet" in text and "Open Data Commons" in text for text in texts)


def isolated(code, environment, **more):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**environment, **more},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )


@pytest.mark.parametrize(
    ("imports", "never"),
    [
        ("ezmsg.protocol", ["numpy", "ezmsg.core", "ezmsg.control", "ezmsg.graphserver", "hypothesis"]),
        ("ezmsg.graphserver", ["numpy", "ezmsg.core", "ezmsg.control"]),
        ("ezmsg.control", ["numpy", "ezmsg.core", "ezmsg.graphserver"]),
        ("ezmsg.tui", ["numpy", "ezmsg.core", "ezmsg.graphserver"]),
        ("ezmsg.core", ["ezmsg.util"]),
        ("ezmsg.util.profiler", ["ezmsg.graphserver", "ezmsg.tui"]),
    ],
)
def test_an_import_brings_only_what_is_below_it(environment, imports, never):
    ran = isolated(f"import {imports}, sys; print(sorted(m for m in {never!r} if m in sys.modules))", environment)
    assert (ran.returncode, ran.stdout.strip(), ran.stderr) == (0, "[]", "")


def test_the_namespace_has_no_init_file(environment):
    ran = isolated("import ezmsg; print(getattr(ezmsg, '__file__', None))", environment)
    assert (ran.returncode, ran.stdout.strip()) == (0, "None"), ran.stderr


# --- the nouns ----------------------------------------------------------------------------------------------------

COMPONENT = (
    "address name component_type settings_type initial_settings dynamic_settings settings_schema"  # all required
)
OUT = "host=None port=None num_buffers=None buf_size=None force_tcp=None"
GROUP = "copy_on_forward=True relay_group=None relay_input_topic=None relay_output_topic=None"
NOUNS = {
    "DynamicSettingsMetadata": "enabled input_topic settings_type",
    "StreamMetadata": "name address msg_type",
    "InputStreamMetadata": "name address msg_type leaky=False max_queue=None",
    "OutputStreamMetadata": f"name address msg_type {OUT}",
    "TopicMetadata": "name address msg_type",
    "InputTopicMetadata": "name address msg_type",
    "OutputTopicMetadata": "name address msg_type",
    "InputRelayMetadata": f"name address msg_type leaky=False max_queue=None {GROUP}",
    "RelayMetadata": f"name address msg_type leaky=False max_queue=None {OUT} {GROUP}",
    "OutputRelayMetadata": f"name address msg_type {OUT} {GROUP}",
    "TaskMetadata": "name subscribes=None publishes=[]",
    "SettingsFieldMetadata": "name field_type required default description bounds choices widget_hint",
    "SettingsSchemaMetadata": "provider settings_type fields json_schema=None",
    "ComponentMetadata": COMPONENT,
    "CollectionMetadata": f"{COMPONENT} topics relays children",
    "UnitMetadata": f"{COMPONENT} streams tasks main threads",
    "GraphMetadata": "schema_version root_name components",
    "ProcessRegistration": "pid host units",
    "ProcessOwnershipUpdate": "added_units=[] removed_units=[]",
    "SettingsSnapshotValue": "serialized repr_value structured_value=None settings_schema=None",
    "SettingsChangedEvent": "seq event_type component_address timestamp source_session_id source_process_id value",
    "TopologyChangedEvent": "seq event_type timestamp changed_topics source_session_id source_process_id",
    "SnapshotSession": "edges metadata",
    "SnapshotProcess": "process_id pid host units",
    "GraphSnapshot": "graph edge_owners sessions processes={}",
}
BASES = {
    "InputStreamMetadata": "StreamMetadata",
    "OutputStreamMetadata": "StreamMetadata",
    "InputTopicMetadata": "TopicMetadata",
    "OutputTopicMetadata": "TopicMetadata",
    "RelayMetadata": "TopicMetadata",
    "InputRelayMetadata": "InputTopicMetadata",
    "OutputRelayMetadata": "OutputTopicMetadata",
    "CollectionMetadata": "ComponentMetadata",
    "UnitMetadata": "ComponentMetadata",
}


@pytest.mark.parametrize("name", NOUNS)
def test_a_noun_is_a_dataclass_with_the_public_fields_and_defaults(name):
    noun = getattr(model, name)
    assert dataclasses.is_dataclass(noun)
    fields = dataclasses.fields(noun)
    expected = [word.partition("=") for word in NOUNS[name].split()]
    assert [field.name for field in fields[: len(expected)]] == [field for field, _, _ in expected]
    for field, (_, has_default, text) in zip(fields, expected, strict=False):
        if has_default:
            default = field.default_factory() if field.default is dataclasses.MISSING else field.default
            assert repr(default) == text, field.name
        else:
            assert field.default is field.default_factory is dataclasses.MISSING, field.name
    for field in fields[len(expected) :]:  # what is ours besides must not be asked of anybody
        assert (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING), field.name


@pytest.mark.parametrize(("name", "base"), BASES.items())
def test_a_noun_has_its_public_base(name, base):
    assert issubclass(getattr(model, name), getattr(model, base))


def test_an_edge_is_a_named_tuple_and_event_types_are_enums():
    edge = Edge("A", "B")
    assert edge == ("A", "B")
    assert (edge.from_topic, edge.to_topic) == ("A", "B")
    assert Edge._fields == ("from_topic", "to_topic")
    assert issubclass(model.TopologyEventType, enum.Enum)
    assert {"INITIAL_SETTINGS", "SETTINGS_UPDATED"} <= {member.value for member in model.SettingsEventType}
    assert {"GRAPH_CHANGED", "PROCESS_CHANGED"} <= {member.value for member in model.TopologyEventType}


def unit_metadata(address="LAB/UNIT", **more):
    name = address.rpartition("/")[2]
    return model.UnitMetadata(
        **{
            "address": address,
            "name": name,
            "component_type": "lab.Unit",
            "settings_type": "lab.Settings",
            "initial_settings": (b"\x80opaque", {"gain": 2.0, "list": [1, None, True, "x"], "inf": math.inf}),
            "dynamic_settings": model.DynamicSettingsMetadata(True, f"{address}/INPUT_SETTINGS", "lab.Settings"),
            "settings_schema": model.SettingsSchemaMetadata(
                "dataclass",
                "lab.Settings",
                [model.SettingsFieldMetadata("gain", "float", False, 1.0, "gain", (0.0, None), None, None)],
            ),
            "streams": {
                "IN": model.InputStreamMetadata("IN", f"{address}/IN", "numpy.ndarray", True, 3),
                "OUT": model.OutputStreamMetadata("OUT", f"{address}/OUT", "numpy.ndarray", "h", 1, 4, 64, True),
            },
            "tasks": [model.TaskMetadata("work", f"{address}/IN", [f"{address}/OUT"])],
            "main": None,
            "threads": [],
            **more,
        }
    )


def collection_metadata(address="LAB"):
    return model.CollectionMetadata(
        address=address,
        name=address,
        component_type="lab.Lab",
        settings_type="ezmsg.Settings",
        initial_settings=(None, "Settings()"),
        dynamic_settings=model.DynamicSettingsMetadata(False, None, None),
        settings_schema=None,
        topics={"T": model.InputTopicMetadata("T", f"{address}/T", "int")},
        relays={
            "R": model.RelayMetadata("R", f"{address}/R", "int", relay_group="g"),
            "I": model.InputRelayMetadata("I", f"{address}/I", "int", leaky=True),
            "O": model.OutputRelayMetadata("O", f"{address}/O", "int", num_buffers=2),
        },
        children=[f"{address}/UNIT"],
    )


def a_snapshot():
    process = uuid4()
    edge = Edge("LAB/UNIT/OUT", "LAB/T")
    components = {"LAB": collection_metadata(), "LAB/UNIT": unit_metadata()}
    return GraphSnapshot(
        graph={"LAB/UNIT/OUT": ["LAB/T"], "LAB/T": []},
        edge_owners={edge: ["one", "persistent"]},
        sessions={"one": model.SnapshotSession([edge], model.GraphMetadata(1, "LAB", components))},
        processes={process: model.SnapshotProcess(process, 17, "here", ["LAB/UNIT"])},
    )


def test_a_snapshot_comes_back_from_its_bytes_the_same():
    snapshot = a_snapshot()
    again = decode(encode(snapshot), GraphSnapshot)
    assert again == snapshot
    assert type(next(iter(again.edge_owners))) is Edge
    assert type(next(iter(again.processes))) is UUID
    components = again.sessions["one"].metadata.components
    assert type(components["LAB"]) is model.CollectionMetadata
    assert [type(relay) for relay in components["LAB"].relays.values()] == [
        model.RelayMetadata,
        model.InputRelayMetadata,
        model.OutputRelayMetadata,
    ]
    assert type(components["LAB/UNIT"].streams["IN"]) is model.InputStreamMetadata
    assert components["LAB/UNIT"].initial_settings[0] == b"\x80opaque"


def test_bytes_that_are_no_snapshot_get_a_typed_error():
    data = encode(a_snapshot())
    rng = random.Random(2)
    for bad in (b"", b"\xc1", b"\x00", data[:-1], data + b"x", b"\xdd\xff\xff\xff\xff", encode(Edge("A", "B"))):
        with pytest.raises(EzmsgError) as caught:
            decode(bad, GraphSnapshot)
        a_sentence(str(caught.value))
    for _ in range(300):
        bad = bytearray(data)
        for _ in range(rng.randint(1, 4)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        with contextlib.suppress(EzmsgError):  # what is still a snapshot is one; nothing else may come out
            assert isinstance(decode(bytes(bad), GraphSnapshot), GraphSnapshot)


def test_the_protocol_alone_turns_a_snapshot_into_a_report(tmp_path, environment):
    path = tmp_path / "one.snapshot"
    path.write_bytes(encode(a_snapshot()))
    reports = [
        path
        for path in (ROOT / "docs" / "examples").rglob("*.py")
        if "GraphSnapshot" in path.read_text(encoding="utf-8")
    ]
    assert len(reports) == 1
    for given, data in (([str(path)], None), ([], path.read_bytes())):
        ran = subprocess.run(
            [sys.executable, "-W", "error", str(reports[0]), *given],
            input=data or b"",
            env=environment,
            capture_output=True,
            timeout=HANG,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        assert b"LAB/UNIT/OUT -> LAB/T" in ran.stdout
        assert b"persistent" in ran.stdout


def test_every_error_is_in_one_tree_with_a_code_of_its_own():
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EzmsgError)]
    codes = [kind.code for kind in kinds if kind.code != EzmsgError.code]
    assert len(codes) > 10
    assert len(codes) == len(set(codes))
    assert issubclass(CyclicException, EzmsgError)


# --- the graph without a server -----------------------------------------------------------------------------------


def test_an_edge_lives_from_its_first_owner_to_its_last():
    dag = DAG()
    assert dag.add_edge("A", "B", "one") is True
    assert dag.add_edge("A", "B", "two") is False
    assert dag.add_edge("A", "B", "two") is False
    assert dag.add_edge("A", "B") is False  # None is persistent
    assert dag.edge_owners == {("A", "B"): {"one", "two", None}}
    assert dag.remove_edge("A", "B", "stranger") is False
    assert dag.remove_edge("A", "B", "one") is False
    assert dag.remove_owner("two") == set()
    assert dag.graph["A"] == {"B"}
    assert dag.remove_edge("A", "B") is True
    assert "B" not in dag.graph.get("A", ())
    assert dag.remove_edge("A", "B") is False


def test_an_owner_takes_exactly_its_edges():
    dag = DAG()
    for edge, owner in ((("A", "B"), 1), (("B", "C"), 1), (("B", "C"), 2), (("C", "D"), None)):
        dag.add_edge(*edge, owner)
    assert dag.remove_owner(1) == {("A", "B")}
    assert set(dag.edge_owners) == {("B", "C"), ("C", "D")}
    assert dag.remove_owner(1) == set()


def test_downstream_and_upstream_reach_all_and_begin_with_the_node():
    dag = DAG()
    for edge in (("A", "B"), ("B", "C"), ("B", "D"), ("X", "D")):
        dag.add_edge(*edge)
    assert dag.downstream("A")[0] == "A"
    assert set(dag.downstream("A")) == {"A", "B", "C", "D"}
    assert set(dag.upstream("D")) == {"D", "B", "A", "X"}
    assert set(dag.nodes) == {"A", "B", "C", "D", "X"}
    assert dag.invgraph["D"] == {"B", "X"}


@pytest.mark.parametrize("edge", [("C", "A"), ("A", "A"), ("B", "A")])
def test_a_cycle_is_refused_and_leaves_no_trace(edge):
    dag = DAG()
    dag.add_edge("A", "B", 1)
    dag.add_edge("B", "C", 1)
    graph, owners = {k: set(v) for k, v in dag.graph.items() if v}, dict(dag.edge_owners)
    with pytest.raises(CyclicException) as caught:
        dag.add_edge(*edge, 2)
    a_sentence(str(caught.value), *edge)
    assert {k: set(v) for k, v in dag.graph.items() if v} == graph
    assert dict(dag.edge_owners) == owners
    assert dag.remove_owner(2) == set()


@pytest.mark.parametrize("seed", range(20))
def test_the_graph_does_what_a_plain_model_does(seed):
    rng = random.Random(seed)
    dag, model_owners = DAG(), {}

    def reaches(start, end):
        seen, ahead = set(), [start]
        while ahead:
            node = ahead.pop()
            if node == end:
                return True
            if node not in seen:
                seen.add(node)
                ahead += [to for from_, to in model_owners if from_ == node]
        return False

    for _ in range(400):
        a, b, owner = rng.choice("ABCDEFGH"), rng.choice("ABCDEFGH"), rng.choice([None, 1, 2, "3"])
        action = rng.random()
        if action < 0.6:
            if reaches(b, a):
                with pytest.raises(CyclicException):
                    dag.add_edge(a, b, owner)
            else:
                assert dag.add_edge(a, b, owner) is ((a, b) not in model_owners)
                model_owners.setdefault((a, b), set()).add(owner)
        elif action < 0.9:
            owners = model_owners.get((a, b), set())
            assert dag.remove_edge(a, b, owner) is (owners == {owner})
            owners.discard(owner)
            if not owners:
                model_owners.pop((a, b), None)
        else:
            gone = {edge for edge, owners in model_owners.items() if owners == {owner}}
            assert dag.remove_owner(owner) == gone
            for owners in model_owners.values():
                owners.discard(owner)
            for edge in gone:
                del model_owners[edge]
        assert dict(dag.edge_owners) == model_owners
        assert {(from_, to) for from_, tos in dag.graph.items() for to in tos} == set(model_owners)


# --- the server as a command --------------------------------------------------------------------------------------


class Served:
    """A ``python -m ezmsg.graphserver``, ready."""

    def __init__(self, start, *arguments, port=0, host="127.0.0.1", **more):
        self.program = start.command(
            sys.executable, "-m", "ezmsg.graphserver", "--address", f"{host}:{port}", *arguments, **more
        )
        deadline = time.monotonic() + HANG
        while not (found := re.search(rf"{re.escape(host)}:(\d+)", self.program.errors)):
            assert time.monotonic() < deadline, self.program.story()
            assert self.program.process.poll() is None, self.program.story()
            time.sleep(0.01)
        self.address = Address(host, int(found[1]))


def announcement(environment, port):
    return Path(environment["EZMSG_RUNTIME_DIR"]) / f"server-{port}.json"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_server_says_when_it_is_ready_and_ends_on_a_signal(start, environment, number):
    served = Served(start)
    file = announcement(environment, served.address.port)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with ez.GraphContext(served.address, auto_start=False) as context:  # somebody is joined
        await within(context.connect("A", "B"))
        silent = socket.create_connection(served.address)  # and somebody never says a word
        began = time.monotonic()
        served.program.signal(number)
        assert await asyncio.to_thread(served.program.ends) == 0
        assert time.monotonic() - began < 5
        silent.close()
    assert not file.exists()
    assert "Traceback" not in served.program.errors
    assert "".join(served.program.out) == ""  # its log is on standard error


def test_a_server_needs_neither_numpy_nor_core(start):
    served = Served(start)
    maps = Path(f"/proc/{served.program.pid}/maps").read_text(encoding="utf-8")
    assert "numpy" not in maps
    served.program.signal(signal.SIGTERM)
    assert served.program.ends() == 0


def test_a_taken_port_gets_a_sentence(start):
    with socket.create_server(LOOPBACK) as taken:
        port = taken.getsockname()[1]
        program = start.command(sys.executable, "-m", "ezmsg.graphserver", "--address", f"127.0.0.1:{port}")
        assert program.ends() != 0
        a_sentence(program.errors, f"127.0.0.1:{port}", "EZ-3004")
        assert len(program.errors.strip().splitlines()) <= 3


async def test_a_second_server_on_the_port_does_not_harm_the_first(start, server, environment):
    before = announcement(environment, server.address.port).read_text(encoding="utf-8")
    program = start.command(
        sys.executable, "-m", "ezmsg.graphserver", "--address", f"127.0.0.1:{server.address.port}"
    )
    assert await asyncio.to_thread(program.ends) != 0
    assert announcement(environment, server.address.port).read_text(encoding="utf-8") == before
    assert (await within(ControlService(server.address).dag())).graph == {}


async def test_a_stale_announcement_is_replaced(start, environment):
    first = Served(start)
    file = announcement(environment, first.address.port)
    first.program.signal(signal.SIGKILL)
    first.program.ends()
    stale = file.read_text(encoding="utf-8")
    second = Served(start, port=first.address.port)
    assert file.read_text(encoding="utf-8") != stale
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    async with ez.GraphContext(second.address, auto_start=False) as context:
        assert await within(context.snapshot())
    second.program.signal(signal.SIGTERM)
    assert second.program.ends() == 0


async def test_a_broken_announcement_is_replaced(start, environment):
    port = unused_port()
    announcement(environment, port).write_text("{ not json", encoding="utf-8")
    served = Served(start, port=port)
    async with ez.GraphContext(served.address, auto_start=False) as context:
        assert await within(context.snapshot())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--address", "localhost"], ["localhost"]),
        (["--address", "127.0.0.1:http"], ["http"]),
        (["--address", "127.0.0.1:70000"], ["70000"]),
        (["--address", "0.0.0.0:0"], ["token"]),
        (["--address", "[::]:0"], ["token"]),
        (["--address", "127.0.0.1:0", "--token-file", "/no/such/file"], ["/no/such/file"]),
        (["--address", "192.0.2.7:0", "--insecure"], ["192.0.2.7"]),
        (["--colour"], ["--colour"]),
        (["--log-level", "LOUD"], ["LOUD"]),
        (["--log-file", "/no/such/folder/log"], ["/no/such/folder"]),
    ],
)
def test_a_wrong_argument_of_the_server_gets_a_sentence(start, arguments, words):
    program = start.command(sys.executable, "-m", "ezmsg.graphserver", *arguments)
    assert program.ends() in (1, 2)
    a_sentence(program.errors, *words)


@pytest.mark.parametrize("how", ["token", "token file", "insecure"])
async def test_beyond_loopback_a_server_wants_a_word(start, tmp_path, monkeypatch, how):
    secret = tmp_path / "token"
    secret.write_text("a secret of ours\n", encoding="utf-8")
    arguments, more = {
        "token": ([], {"EZMSG_TOKEN": "a secret of ours"}),
        "token file": (["--token-file", str(secret)], {}),
        "insecure": (["--insecure"], {}),
    }[how]
    served = Served(start, *arguments, host="0.0.0.0", **more)
    if how != "insecure":
        monkeypatch.setenv("EZMSG_TOKEN_FILE", str(secret))
    async with ez.GraphContext(("127.0.0.1", served.address.port), auto_start=False) as context:
        assert await within(context.snapshot())
    served.program.signal(signal.SIGTERM)
    assert served.program.ends() == 0


def test_an_embedded_server_refuses_what_the_command_refuses():
    with pytest.raises(PermissionError) as caught:
        ez.GraphServer().start(("0.0.0.0", 0))
    a_sentence(str(caught.value), "token")
    with socket.create_server(LOOPBACK) as taken, pytest.raises(OSError) as caught:  # noqa: PT011
        ez.GraphServer().start(taken.getsockname())
    assert isinstance(caught.value, EzmsgError)
    a_sentence(str(caught.value), taken.fileno() and "127.0.0.1")


def test_an_embedded_server_ends_when_told_and_can_be_told_twice():
    server = ez.GraphServer()
    server.start(LOOPBACK)
    assert isinstance(server, threading.Thread)
    assert server.address.port > 0
    server.stop()
    server.stop()
    assert not server.is_alive()
    with pytest.raises(OSError):  # noqa: PT011
        socket.create_connection(server.address, HANG).close()


# --- strangers ----------------------------------------------------------------------------------------------------


async def said_to(address, data):
    """Say this to a server, and wait for it to close."""
    reader, writer = await asyncio.open_connection(*address)
    with contextlib.suppress(ConnectionError):
        writer.write(data)
        await writer.drain()
        writer.write_eof()
    with contextlib.suppress(ConnectionError):
        await within(reader.read())
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


FRAME = struct.Struct("<I")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 64,
        FRAME.pack(2**32 - 1) + b"x" * 100_000,
        FRAME.pack(65537),
        FRAME.pack(0),
        FRAME.pack(1) + b"\xc1",
        FRAME.pack(3) + b"\x81\xa1t",
        FRAME.pack(6) + b"\x81\xa1t\xa2??",
        b"".join(FRAME.pack(5) + b"\xdd\xff\xff\xff\xff" for _ in range(50)),
        b"\x80\x05cos\nsystem\n(S'true'\ntR.",
    ],
)
async def test_a_stranger_harms_nobody(server, data):
    async with ez.GraphContext(server.address, auto_start=False) as context:
        await within(context.connect("A", "B"))
        await within(said_to(server.address, data))
        assert Edge("A", "B") in (await within(context.snapshot())).edge_owners
        await within(context.connect("B", "C"))


async def test_a_server_does_not_wait_for_a_stranger_that_is_silent(server):
    strangers = [socket.create_connection(server.address) for _ in range(20)]
    for stranger in strangers[:10]:
        stranger.sendall(FRAME.pack(60_000))
    async with ez.GraphContext(server.address, auto_start=False) as context:
        assert await within(context.snapshot())
    for stranger in strangers:
        stranger.close()


async def test_the_wrong_token_is_refused_and_everyone_else_goes_on(server, monkeypatch):
    async with ez.GraphContext(server.address, auto_start=False) as context:
        monkeypatch.setenv("EZMSG_TOKEN", "wrong")
        # another event loop has a connection of its own
        refused = await asyncio.to_thread(_snapshot_in_another_loop, server.address)
        assert isinstance(refused, errors.AuthenticationFailed), refused
        a_sentence(str(refused), "oken", server.address.port)
        monkeypatch.delenv("EZMSG_TOKEN")
        assert await within(context.snapshot())


def _snapshot_in_another_loop(address):
    async def take():
        async with ez.GraphContext(address, auto_start=False) as context:
            return await within(context.snapshot())

    try:
        return asyncio.run(take())
    except Exception as error:  # noqa: BLE001  whatever it is, the test looks at it
        return error


def test_a_missing_token_gets_a_typed_error(server, tmp_path, monkeypatch):
    empty = tmp_path / "nobody"
    empty.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(empty))
    refused = _snapshot_in_another_loop(server.address)
    assert isinstance(refused, EzmsgError), refused
    a_sentence(str(refused), "oken")


def test_a_token_file_that_is_not_there_gets_a_typed_error(server, monkeypatch):
    monkeypatch.setenv("EZMSG_TOKEN_FILE", "/no/such/token")
    refused = _snapshot_in_another_loop(server.address)
    assert isinstance(refused, EzmsgError), refused
    a_sentence(str(refused), "/no/such/token")


async def test_what_is_no_server_gets_a_typed_error_that_says_so():
    async def answers(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(answers, *LOOPBACK)
    address = other.sockets[0].getsockname()
    refused = await asyncio.to_thread(_snapshot_in_another_loop, address)
    assert isinstance(refused, EzmsgError), refused
    a_sentence(str(refused), "127.0.0.1")
    other.close()
    await other.wait_closed()


async def test_no_server_gets_a_typed_error():
    address = ("127.0.0.1", unused_port())
    with pytest.raises(OSError) as caught:  # noqa: PT011
        async with ez.GraphContext(address, auto_start=False):
            pass
    assert isinstance(caught.value, EzmsgError)
    a_sentence(str(caught.value), f"127.0.0.1:{address[1]}")
    for call in (
        lambda: ControlService(address).dag(),
        lambda: ControlService(address).connect("A", "B"),
        lambda: ez.Publisher.create("T", address),
        lambda: ez.Subscriber.create("T", address),
    ):
        with pytest.raises(OSError) as caught:  # noqa: PT011
            await within(call())
        assert isinstance(caught.value, EzmsgError)


async def test_an_explicit_address_starts_no_server_and_auto_start_does(monkeypatch):
    address = ("127.0.0.1", unused_port())
    with pytest.raises(OSError):  # noqa: PT011
        async with ez.GraphContext(address):
            pass
    monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", f"127.0.0.1:{address[1]}")
    with pytest.raises(OSError):  # noqa: PT011
        async with ez.GraphContext():
            pass
    async with ez.GraphContext(auto_start=True) as context:
        assert await within(context.snapshot())
        spawned = context.graph_address
    with pytest.raises(OSError):  # noqa: PT011
        async with ez.GraphContext(spawned, auto_start=False):
            pass


async def test_a_server_of_ones_own_takes_the_first_free_port_from_the_start(monkeypatch):
    with socket.create_server(LOOPBACK) as taken:
        monkeypatch.setenv("EZMSG_SERVER_PORT_START", str(taken.getsockname()[1]))
        monkeypatch.setenv("EZMSG_GRAPHSERVER_ADDR", f"127.0.0.1:{unused_port()}")
        async with ez.GraphContext(auto_start=True) as context:
            assert context.graph_address.port > taken.getsockname()[1]


@pytest.mark.parametrize("bad", ["nonsense", ("127.0.0.1", "http"), ("127.0.0.1", 70000), ("127.0.0.1",), 17])
async def test_a_wrong_address_gets_a_typed_error(bad):
    with pytest.raises((ValueError, TypeError)) as caught:
        async with ez.GraphContext(bad, auto_start=False):
            pass
    a_sentence(str(caught.value))


async def test_a_peer_whose_version_is_another_gets_a_typed_error(server, environment):
    from ezmsg.protocol import CURRENT, ClientHandshake, Closed, Connection, Revision, negotiate

    for revision in (Revision(CURRENT.major + 1, 0), Revision(CURRENT.major - 1, 0)):
        assert negotiate(CURRENT, revision) is None
        assert negotiate(revision, CURRENT) is None
        connection = Connection(ClientHandshake(lambda: b"t", b"n" * 32, uuid4(), revision=revision))
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(connection.data_to_send())
        connection.receive_data(await within(reader.read()))
        connection.receive_eof()
        closed = [event for event in connection.events_received() if isinstance(event, Closed)]
        assert len(closed) == 1
        assert isinstance(closed[0].error, errors.VersionMismatch), closed
        a_sentence(str(closed[0].error), f"{CURRENT.major}.", f"{revision.major}.")
        writer.close()
        await writer.wait_closed()
    newer = Revision(CURRENT.major, CURRENT.minor + 3)
    assert negotiate(CURRENT, newer) == negotiate(newer, CURRENT) == CURRENT


# --- sessions and operators ---------------------------------------------------------------------------------------


async def test_a_session_takes_its_edges_and_metadata_with_it(address):
    async with ez.GraphContext() as watcher:
        async with ez.GraphContext() as guest:
            await within(guest.connect("A", "B"))
            await within(watcher.connect("A", "B"))
            await within(guest.connect("B", "C"))
            await within(guest.register_metadata(graph_of("X")))
            snapshot = await within(watcher.snapshot())
            assert len(snapshot.edge_owners[Edge("A", "B")]) == 2
            assert [s for s in snapshot.sessions.values() if s.metadata and "X" in s.metadata.components]
        snapshot = await within(watcher.snapshot())
        assert set(snapshot.edge_owners) == {Edge("A", "B")}
        assert not [s for s in snapshot.sessions.values() if s.metadata and "X" in s.metadata.components]
        assert len(snapshot.edge_owners[Edge("A", "B")]) == 1


def graph_of(*addresses):
    return model.GraphMetadata(1, None, {address: unit_metadata(address) for address in addresses})


async def test_a_session_that_is_killed_takes_them_too(start, address):
    program = start(
        """
        async def main():
            async with ez.GraphContext() as context:
                await context.connect("A", "B")
                say("there")
                await asyncio.Event().wait()
        asyncio.run(main())
        """
    )
    await asyncio.to_thread(program.says, "there")
    async with ez.GraphContext() as context:
        assert Edge("A", "B") in (await within(context.snapshot())).edge_owners
        program.signal(signal.SIGKILL)

        async def gone():
            return not (await within(context.snapshot())).edge_owners

        await until(gone, "the end of a killed session's edges")


async def test_clear_takes_all_and_leaves_the_session_open(address):
    connection = await acquire(address)
    try:
        async with Session(connection) as session:
            await session.connect("A", "B")
            await session.register_metadata(graph_of("X"))
            await session.clear()
            snapshot = await session.snapshot()
            assert snapshot.edge_owners == {}
            assert all(session.metadata is None for session in snapshot.sessions.values())
            assert await session.connect("B", "A") is True
            assert await session.disconnect("B", "A") is True
            assert await session.disconnect("B", "A") is False
        with pytest.raises(RuntimeError) as caught:
            await session.connect("A", "B")
        assert isinstance(caught.value, EzmsgError)
    finally:
        await release(connection)


async def test_revert_takes_the_edges(address):
    async with ez.GraphContext() as context:
        await within(context.connect("A", "B"))
        await within(context.revert())
        assert (await within(ControlService(address).dag())).graph.get("A", set()) == set()


async def test_session_commands_need_the_session(address):
    context = ez.GraphContext()
    for call in (
        lambda: context.connect("A", "B"),
        lambda: context.disconnect("A", "B"),
        lambda: context.snapshot(),
        lambda: context.register_metadata(graph_of("X")),
    ):
        with pytest.raises(RuntimeError) as caught:
            await within(call())
        a_sentence(str(caught.value))


async def test_a_collision_names_every_component_and_keeps_nothing(address):
    async with ez.GraphContext() as first, ez.GraphContext() as second:
        await within(first.register_metadata(graph_of("A", "B", "C")))
        with pytest.raises(RuntimeError, match=r"component address collision\(s\)") as caught:
            await within(second.register_metadata(graph_of("B", "C", "D")))
        assert isinstance(caught.value, EzmsgError)
        a_sentence(str(caught.value), "B", "C")
        snapshot = await within(first.snapshot())
        known = [set(s.metadata.components) for s in snapshot.sessions.values() if s.metadata]
        assert known == [{"A", "B", "C"}]
        await within(second.register_metadata(graph_of("D")))


async def test_what_is_no_metadata_is_refused(address):
    async with ez.GraphContext() as context:
        for bad in (None, {"schema_version": 1}, model.GraphMetadata(1, None, {"OTHER": unit_metadata("X")})):
            with pytest.raises((EzmsgError, TypeError, ValueError)):
                await within(context.register_metadata(bad))
        assert await within(context.snapshot())


@pytest.mark.parametrize("edge", [("C", "A"), ("A", "A")])
async def test_a_cycle_is_refused_by_name(address, edge):
    async with ez.GraphContext() as context:
        await within(context.connect("A", "B"))
        await within(context.connect("B", "C"))
        with pytest.raises(ez.CyclicException) as caught:
            await within(context.connect(*edge))
        assert type(caught.value) is CyclicException
        a_sentence(str(caught.value), *edge)
        with pytest.raises(CyclicException):
            await within(ez.GraphService(address).connect(*edge))
        assert set((await within(context.snapshot())).edge_owners) == {Edge("A", "B"), Edge("B", "C")}


@pytest.mark.parametrize("bad", ["", None, 17, "x" * 100_000])
async def test_a_wrong_topic_is_refused_and_the_rest_goes_on(address, bad):
    async with ez.GraphContext() as context:
        for call in (
            lambda: context.connect(bad, "B"),
            lambda: context.connect("A", bad),
            lambda: ez.GraphService().connect("A", bad),
            lambda: context.publisher(bad),
            lambda: context.subscriber(bad),
        ):
            with pytest.raises((ValueError, TypeError)) as caught:
                await within(call())
            a_sentence(str(caught.value)[:300])
        assert (await within(context.snapshot())).edge_owners == {}


async def test_an_operators_edge_stays(address):
    service = ez.GraphService(address)
    assert service.address == address
    await within(service.connect("A", "B"))
    async with ez.GraphContext() as context:
        await within(context.connect("A", "B"))
        owners = (await within(context.snapshot())).edge_owners[Edge("A", "B")]
        assert "persistent" in owners
        assert len(owners) == 2
    dag = await within(service.dag())
    assert isinstance(dag, DAG)
    assert dag.graph["A"] == {"B"}
    assert dag.graph.copy()
    assert dag.downstream("A") == ["A", "B"]
    await within(service.disconnect("A", "B"))
    assert (await within(service.dag(timeout=HANG))).graph.get("A", set()) == set()


async def test_a_session_cannot_remove_what_is_not_its_own(address):
    async with ez.GraphContext() as first, ez.GraphContext() as second:
        await within(first.connect("A", "B"))
        await within(second.disconnect("A", "B"))
        await within(ez.GraphService(address).disconnect("A", "B"))
        assert Edge("A", "B") in (await within(first.snapshot())).edge_owners


async def test_a_snapshot_is_sorted_and_typed(address):
    async with ez.GraphContext() as context:
        for edge in (("B", "Z"), ("B", "C"), ("A", "C")):
            await within(context.connect(*edge))
        snapshot = await within(context.snapshot())
        assert type(snapshot) is GraphSnapshot
        assert list(snapshot.graph) == sorted(snapshot.graph)
        assert snapshot.graph["B"] == ["C", "Z"]
        assert set(snapshot.graph) == {"A", "B", "C", "Z"}
        assert list(snapshot.edge_owners) == sorted(snapshot.edge_owners)
        assert all(type(edge) is Edge for edge in snapshot.edge_owners)
        (session,) = snapshot.sessions.values()
        assert session.edges == [("A", "C"), ("B", "C"), ("B", "Z")]
        assert session.metadata is None
        assert all(type(owner) is str for owners in snapshot.edge_owners.values() for owner in owners)
        assert decode(encode(snapshot), GraphSnapshot) == snapshot


async def test_an_operator_pauses_resumes_and_syncs(address):
    async with ez.GraphContext() as context:
        subscriber = await within(context.subscriber("T"))
        publisher = await within(context.publisher("T"))
        service = ez.GraphService(address)
        await within(service.pause())
        await until(lambda: not publisher.running, "the pause")
        waiting = asyncio.ensure_future(publisher.broadcast("held"))
        await within(service.resume())
        await within(waiting)
        assert await within(subscriber.recv()) == "held"
        await within(service.sync())
        await within(service.sync(timeout=HANG))
        await within(context.pause())
        await within(context.resume())
        await within(context.sync())


async def test_an_operator_shuts_a_server_down(start):
    served = Served(start)
    await within(ez.GraphService(served.address).shutdown())
    assert served.program.ends() == 0
    with pytest.raises(OSError):  # noqa: PT011
        await within(ez.GraphService(served.address).dag())


async def test_the_service_of_core_makes_servers(monkeypatch):
    port = unused_port()
    service = ez.GraphService(("127.0.0.1", port))
    made = await within(service.ensure(auto_start=True))
    try:
        assert isinstance(made, ez.GraphServer)
        assert await within(service.ensure(auto_start=True)) is None  # one answers already
        assert (await within(service.dag())).graph == {}
    finally:
        made.stop()
    with pytest.raises(OSError):  # noqa: PT011
        await within(ez.GraphService(("127.0.0.1", port)).ensure(auto_start=False))


async def test_a_lost_server_is_a_typed_error_and_no_hang(start):
    served = Served(start)
    async with ez.GraphContext(served.address, auto_start=False) as context:
        await within(context.snapshot())
        served.program.signal(signal.SIGKILL)
        served.program.ends()
        with pytest.raises(OSError) as caught:  # noqa: PT011
            await within(context.snapshot())
        assert isinstance(caught.value, EzmsgError)
        a_sentence(str(caught.value))


async def test_a_server_that_does_not_answer_ends_in_a_typed_error(start):
    served = Served(start)
    async with ez.GraphContext(served.address, auto_start=False) as context:
        await within(context.snapshot())
        served.program.signal(signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError) as caught:  # not the one of this test, which is no EzmsgError
                await within(ez.GraphService(served.address).dag(timeout=0.2))
            assert isinstance(caught.value, EzmsgError)
            a_sentence(str(caught.value), "0.2")
        finally:
            served.program.signal(signal.SIGCONT)
        assert await within(context.snapshot())


async def test_the_time_given_for_a_graph_holds_for_a_new_connection_too(start):
    served = Served(start)
    served.program.signal(signal.SIGSTOP)
    try:
        with pytest.raises((TimeoutError, ConnectionError)) as caught:
            await within(ez.GraphService(served.address).dag(timeout=0.2))
        assert isinstance(caught.value, EzmsgError)
        a_sentence(str(caught.value), "0.2")
    finally:
        served.program.signal(signal.SIGCONT)


# --- publishers and subscribers in one process --------------------------------------------------------------------

WAYS = {
    "local": {},
    "shm": {"allow_local": False},
    "tcp": {"force_tcp": True},
}
every_way = pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)


@pytest.fixture
async def context(address):
    async with ez.GraphContext() as context:
        yield context


class Odd:
    """What only pickle can carry."""

    def __init__(self, value, array):
        self.value, self.array = value, array


@every_way
async def test_what_is_broadcast_arrives_as_it_was(context, options):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", **options))
    big = np.arange(200_000, dtype="<f4").reshape(100, -1)
    messages = [
        None,
        0,
        "text",
        b"bytes",
        b"",
        {"a": [1, 2.5, (3,)]},
        np.float32(2.5),
        np.array(1.5),
        np.zeros((0, 3)),
        np.arange(24, dtype=">i2").reshape(2, 3, 4),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(20)[::-3],
        np.array(["a", "bcd"]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.array([1, None, "x"], dtype=object),
        np.array(["2020-01-01"], dtype="datetime64[D]"),
        np.ma.masked_array([1, 2], mask=[0, 1]),
        big,
    ]
    for message in messages:
        await within(publisher.broadcast(message))
        got = await within(subscriber.recv())
        assert type(got) is type(message)
        if isinstance(message, np.ndarray):
            assert got.dtype == message.dtype
            np.testing.assert_array_equal(got, message)
        else:
            assert got == message
    await within(publisher.broadcast(Odd(3, big)))
    got = await within(subscriber.recv())
    assert got.value == 3
    np.testing.assert_array_equal(got.array, big)


def memfds():
    return [line for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines() if "/memfd:" in line]


def open_memfds():
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the descriptor by which this folder is read
            found.add((entry.name, str(entry.readlink())))
    return {link for link in found if "/memfd:" in link[1]}


async def test_the_way_is_the_one_that_was_asked_for(context, server):
    subscriber = await within(context.subscriber("T"))
    message = np.arange(4.0)
    for way, options in WAYS.items():
        shared, sockets = len(memfds()), tcp_connections()
        publisher = await within(context.publisher("T", **options))
        await within(publisher.broadcast(message))
        async with subscriber.recv_zero_copy() as got:
            assert (got is message) is (way == "local")
            assert got.flags.writeable is (way == "local")
            np.testing.assert_array_equal(got, message)
        del got
        assert (len(memfds()) > shared) is (way == "shm")
        assert (tcp_connections() > sockets) is (way == "tcp")
        publisher.close()
        await within(publisher.wait_closed())


def tcp_connections():
    return sum(c.status == psutil.CONN_ESTABLISHED for c in psutil.Process().net_connections("tcp"))


@every_way
async def test_recv_gives_a_copy_of_ones_own(context, options):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=2, **options))
    original = np.zeros(10)
    await within(publisher.broadcast(original))
    first = await within(subscriber.recv())
    first += 1
    for _ in range(4):
        await within(publisher.broadcast(np.full(10, 7.0)))
        await within(subscriber.recv())
    assert first.tolist() == [1.0] * 10
    assert not original.any()


@every_way
@pytest.mark.parametrize("buffers", [1, 2, 4])
async def test_a_publisher_waits_for_its_slowest_subscriber(context, options, buffers):
    fast, slow = await within(context.subscriber("T")), await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=buffers, **options))
    for number in range(buffers):
        await within(publisher.broadcast(number))
        assert await within(fast.recv()) == number
    blocked = asyncio.ensure_future(publisher.broadcast(buffers))
    await asyncio.wait([blocked], timeout=0.05)
    assert not blocked.done()
    async with slow.recv_zero_copy() as first:
        assert first == 0
        await asyncio.wait([blocked], timeout=0.05)
        assert not blocked.done()  # until the lease is over
    await within(blocked)
    assert [await within(slow.recv()) for _ in range(buffers)] == list(range(1, buffers + 1))


@every_way
async def test_a_subscriber_that_leaves_lets_its_publisher_go_on(context, options):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=1, **options))
    await within(publisher.broadcast(0))
    blocked = asyncio.ensure_future(publisher.broadcast(1))
    await asyncio.wait([blocked], timeout=0.05)
    assert not blocked.done()
    subscriber.close()
    await within(subscriber.wait_closed())
    await within(blocked)
    for number in range(10):
        await within(publisher.broadcast(number))


@every_way
async def test_nobody_there_never_blocks(context, options):
    publisher = await within(context.publisher("T", num_buffers=1, **options))
    for number in range(100):
        await within(publisher.broadcast(number))


@every_way
@pytest.mark.parametrize("length", [None, 3])
async def test_a_leaky_subscriber_gets_the_newest(context, options, length):
    leaky = await within(context.subscriber("T", leaky=True, max_queue=length))
    steady = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=8, **options))
    for number in range(50):
        await within(publisher.broadcast(number))
        assert await within(steady.recv()) == number  # in step, so all were delivered
    await within(publisher.broadcast("last"))
    assert await within(steady.recv()) == "last"
    newest = ["last"] if length is None else [48, 49, "last"]
    assert [await within(leaky.recv()) for _ in newest] == newest


@every_way
async def test_one_publishers_messages_come_in_order_through_edges(context, options):
    await within(context.connect("OUT", "MIDDLE"))
    await within(context.connect("MIDDLE", "IN"))
    subscriber = await within(context.subscriber("IN"))
    publisher = await within(context.publisher("OUT", num_buffers=4, **options))

    async def send():
        for number in range(300):
            await publisher.broadcast(number)

    sending = asyncio.ensure_future(send())
    assert [await within(subscriber.recv()) for _ in range(300)] == list(range(300))
    await within(sending)
    await within(context.disconnect("MIDDLE", "IN"))
    await within(publisher.broadcast("not for you"))
    await within(context.connect("OUT", "IN"))
    await within(publisher.broadcast("for you"))
    assert await within(subscriber.recv()) == "for you"


@every_way
async def test_two_edges_to_one_topic_deliver_once(context, options):
    for edge in (("OUT", "A"), ("OUT", "B"), ("A", "IN"), ("B", "IN")):
        await within(context.connect(*edge))
    subscriber = await within(context.subscriber("IN"))
    publisher = await within(context.publisher("OUT", **options))
    for number in range(3):
        await within(publisher.broadcast(number))
    assert [await within(subscriber.recv()) for _ in range(3)] == [0, 1, 2]


@every_way
@pytest.mark.parametrize("buffers", [2, 4, 32])
async def test_slots_grow_without_a_loss(context, options, buffers):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=buffers, buf_size=64, **options))
    sizes = [64 * 4**power for power in range(8)]
    messages = [np.full(size, number, dtype=np.uint8) for number, size in enumerate(sizes * 2)]

    async def send():
        for message in messages:
            await publisher.broadcast(message)

    sending = asyncio.ensure_future(send())
    for message in messages:
        np.testing.assert_array_equal(await within(subscriber.recv()), message)
    await within(sending)


class NotToBeEncoded:
    def __reduce_ex__(self, protocol):
        raise ZeroDivisionError("this has no bytes")


@every_way
@pytest.mark.parametrize(
    "bad", [NotToBeEncoded(), lambda: None, {"deep": [threading.Lock()]}], ids=["raises", "lambda", "lock"]
)
async def test_what_cannot_be_encoded_raises_and_nothing_is_sent(context, options, bad):
    if not options:
        options = {"allow_local": False}  # the object itself needs no bytes
    one, two = await within(context.subscriber("T")), await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=2, **options))
    for number in range(5):  # more often than there are slots
        with pytest.raises(Exception):  # noqa: B017, PT011
            await within(publisher.broadcast(bad))
        await within(publisher.broadcast(number))
        assert await within(one.recv()) == await within(two.recv()) == number


@pytest.mark.parametrize("options", [{"allow_local": False}, {"force_tcp": True}], ids=["shm", "tcp"])
async def test_what_local_ears_can_hear_is_not_sent_to_anyone_if_others_need_bytes(context, options, start):
    """One rule for all subscribers of a publisher: nothing is sent of what cannot be encoded."""
    program = start(
        """
        async def main():
            subscriber = await ez.Subscriber.create("T")
            say("ready")
            say("got", await subscriber.recv())
            subscriber.close()
            await subscriber.wait_closed()
        asyncio.run(main())
        """
    )
    await asyncio.to_thread(program.says, "ready")
    here = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", **({} if "allow_local" in options else {"force_tcp": True})))
    with pytest.raises(Exception):  # noqa: B017, PT011
        await within(publisher.broadcast(NotToBeEncoded()))
    await within(publisher.broadcast("fine"))
    assert await within(here.recv()) == "fine"
    assert (await asyncio.to_thread(program.says, "got"))[1:] == ["fine"]
    assert await asyncio.to_thread(program.ends) == 0


async def test_over_shared_memory_nobody_means_no_segment(context):
    before = memfds(), open_memfds()
    publisher = await within(context.publisher("T", allow_local=False, num_buffers=32, buf_size=2**24))
    await within(publisher.broadcast(np.zeros(10)))
    assert (memfds(), open_memfds()) == before
    subscriber = await within(context.subscriber("T"))
    await within(publisher.broadcast(np.zeros(10)))
    await within(subscriber.recv())
    assert (memfds(), open_memfds()) != before  # so this is where one would have been seen


@every_way
async def test_a_view_kept_past_its_lease_is_no_trouble(context, options):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=2, **options))
    kept = []
    for number in range(6):
        await within(publisher.broadcast(np.full(1000, number)))
        async with subscriber.recv_zero_copy() as view:
            kept.append(view)
    subscriber.close()
    await within(subscriber.wait_closed())
    publisher.close()
    await within(publisher.wait_closed())
    assert len([view.sum() for view in kept]) == 6


@every_way
async def test_an_exception_under_the_lease_ends_it(context, options):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=1, **options))
    for number in range(3):
        await within(publisher.broadcast(number))
        with pytest.raises(ZeroDivisionError):
            async with subscriber.recv_zero_copy():
                raise ZeroDivisionError


@every_way
async def test_a_closed_publisher_delivers_what_it_took(context, options):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", num_buffers=32, **options))
    for number in range(20):
        await within(publisher.broadcast(number))
    publisher.close()
    assert [await within(subscriber.recv()) for _ in range(20)] == list(range(20))
    await within(publisher.wait_closed())
    with pytest.raises(Exception):  # noqa: B017, PT011
        await within(publisher.broadcast("too late"))


@every_way
async def test_a_paused_publisher_waits(context, options):
    subscriber = await within(context.subscriber("T"))
    publisher = await within(context.publisher("T", start_paused=True, **options))
    assert publisher.running is False
    waiting = asyncio.ensure_future(publisher.broadcast(1))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    publisher.resume()
    await within(waiting)
    assert await within(subscriber.recv()) == 1
    await within(publisher.sync())


async def test_endpoints_are_made_by_create_alone(address):
    for kind in (ez.Publisher, ez.Subscriber):
        with pytest.raises(TypeError):
            kind(uuid4(), "T", None)
    publisher = await within(ez.Publisher.create("T", address))
    subscriber = await within(ez.Subscriber.create("T", address))
    await within(publisher.broadcast(1))
    assert await within(subscriber.recv()) == 1
    for end in (publisher, subscriber):
        end.close()
        end.close()
        await within(end.wait_closed())


@pytest.mark.parametrize(
    "options",
    [{"num_buffers": 0}, {"num_buffers": -1}, {"buf_size": 0}, {"num_buffers": 2.5}, {"num_buffers": "2"}],
)
async def test_a_wrong_argument_of_a_publisher_is_refused(context, options):
    with pytest.raises((ValueError, TypeError)) as caught:
        await within(context.publisher("T", **options))
    a_sentence(str(caught.value), next(iter(options)))


@pytest.mark.parametrize("length", [0, -1])
async def test_a_wrong_argument_of_a_subscriber_is_refused(context, length):
    with pytest.raises(ValueError, match="max_queue"):
        await within(context.subscriber("T", leaky=True, max_queue=length))
    with pytest.raises(ValueError, match="max_queue"):
        ez.InputStream(int, leaky=True, max_queue=length)


# --- units and run ------------------------------------------------------------------------------------------------


async def joined(start, environment, **more):
    """The graph of acceptance_graph, running, and what it is called."""
    program = start.command(sys.executable, str(PROGRAMS / "acceptance_graph.py"), **more)
    await asyncio.to_thread(program.says, "first")
    return program


async def test_a_running_graph_is_described_to_who_asks(start, address, environment):
    program = await joined(start, environment)
    async with ez.GraphContext() as context:
        snapshot = await within(context.snapshot())
        (metadata,) = [s.metadata for s in snapshot.sessions.values() if s.metadata]
        assert metadata.schema_version == 1
        assert metadata.root_name == "ROOT"
        lab, source, inner, sink = (
            metadata.components[name]
            for name in ("ROOT/LAB", "ROOT/LAB/SOURCE", "ROOT/LAB/INNER", "ROOT/LAB/INNER/SINK")
        )
        assert type(lab) is type(inner) is model.CollectionMetadata
        assert type(source) is type(sink) is model.UnitMetadata
        assert sorted(lab.children) == ["ROOT/LAB/INNER", "ROOT/LAB/SOURCE"]
        assert lab.component_type.endswith(".System")
        assert source.name == "SOURCE"
        assert source.settings_type.endswith(".SourceSettings")
        assert source.initial_settings[1] == {"gain": 2.5, "label": "plain"}
        assert source.dynamic_settings.enabled is True
        assert source.dynamic_settings.input_topic == "ROOT/LAB/SOURCE/INPUT_SETTINGS"
        assert source.dynamic_settings.settings_type.endswith(".SourceSettings")
        assert sink.dynamic_settings == model.DynamicSettingsMetadata(False, None, None)
        out = source.streams["OUTPUT"]
        assert type(out) is model.OutputStreamMetadata
        assert (out.address, out.msg_type) == ("ROOT/LAB/SOURCE/OUTPUT", "numpy.ndarray")
        assert (out.num_buffers, out.buf_size) == (4, 4096)
        into = sink.streams["INPUT"]
        assert type(into) is model.InputStreamMetadata
        assert (into.leaky, into.max_queue) == (True, 3)
        topic = inner.topics["INPUT"]
        assert type(topic) is model.InputTopicMetadata
        assert topic.address == "ROOT/LAB/INNER/INPUT"
        tasks = {task.name: task for task in sink.tasks}
        assert tasks["take"].subscribes == "ROOT/LAB/INNER/SINK/INPUT"
        assert tasks["idle"].subscribes is None
        (make,) = [task for task in source.tasks if task.name == "make"]
        assert make.publishes == ["ROOT/LAB/SOURCE/OUTPUT"]
        assert Edge("ROOT/LAB/SOURCE/OUTPUT", "ROOT/LAB/INNER/INPUT") in snapshot.edge_owners
        assert Edge("ROOT/LAB/INNER/INPUT", "ROOT/LAB/INNER/SINK/INPUT") in snapshot.edge_owners
        owners = {unit: process for process in snapshot.processes.values() for unit in process.units}
        assert set(owners) == {"ROOT/LAB/SOURCE", "ROOT/LAB/INNER/SINK"}
        assert owners["ROOT/LAB/SOURCE"].pid == program.pid
        assert owners["ROOT/LAB/INNER/SINK"].pid == int(program.says("first")[1])
        assert owners["ROOT/LAB/INNER/SINK"].pid != program.pid
        # what runs can be listened to, and its settings be changed by a message
        ear = await within(context.subscriber("EAR"))
        await within(context.connect("ROOT/LAB/SOURCE/OUTPUT", "EAR"))
        assert set(await within(ear.recv())) == {2.5}
        program.signal(signal.SIGINT)
        assert await asyncio.to_thread(program.ends) == 0

        async def gone():
            snapshot = await within(context.snapshot())
            return not snapshot.processes and not any(s.metadata for s in snapshot.sessions.values())

        await until(gone, "the end of its session")
        assert set((await within(context.snapshot())).edge_owners) == {Edge("ROOT/LAB/SOURCE/OUTPUT", "EAR")}


async def test_a_message_on_the_settings_inlet_changes_a_unit(start, address, environment):
    program = await joined(start, environment)
    spec = importlib.util.spec_from_file_location("acceptance_graph", PROGRAMS / "acceptance_graph.py")
    assert spec is not None
    assert spec.loader is not None
    async with ez.GraphContext() as context:
        ear = await within(context.subscriber("ROOT/LAB/INNER/SINK/INPUT"))
        publisher = await within(context.publisher("ROOT/LAB/SOURCE/INPUT_SETTINGS"))
        await within(publisher.broadcast(_Gain(7.5)))

        async def changed():
            return set(await within(ear.recv())) == {7.5}

        await until(changed, "the new gain")
        program.signal(signal.SIGTERM)
        assert await asyncio.to_thread(program.ends) in (0, 143)


class _Gain:
    """Becomes the running program's own settings when it is unpickled there."""

    def __init__(self, gain):
        self.gain = gain

    def __reduce__(self):
        return eval, (f"__import__('sys').modules['__main__'].SourceSettings({self.gain})",)


async def test_a_second_copy_of_a_program_is_refused_by_name(start, address, environment):
    program = await joined(start, environment)
    second = start.command(sys.executable, str(PROGRAMS / "acceptance_graph.py"))
    assert await asyncio.to_thread(second.ends) == 1
    assert "ROOT/LAB/SOURCE" in second.errors
    assert "collision" in second.errors
    async with ez.GraphContext() as context:
        snapshot = await within(context.snapshot())
        assert len([s for s in snapshot.sessions.values() if s.metadata]) == 1
    program.signal(signal.SIGINT)
    assert await asyncio.to_thread(program.ends) == 0


def shared_memory_files():
    return {path.name for path in Path("/dev/shm").iterdir() if "ez" in path.name.lower()}


@pytest.mark.parametrize("portable", [False, True], ids=["usual", "portable"])
async def test_a_running_graph_killed_at_once_leaves_nothing_in_shared_memory(start, environment, portable):
    before = shared_memory_files()
    program = await joined(start, environment, **({"EZMSG_PORTABLE": "1"} if portable else {}))
    killed = program.processes()
    assert len(killed) >= 2
    for process in killed:
        process.suspend()  # so that none sees another go
    for process in killed:
        process.kill()
    psutil.wait_procs(killed, HANG)
    program.process.wait(HANG)
    if not portable:  # named segments of other systems are swept at the next start, not here

        def nothing_new():  # others use this machine too: what they make goes away again
            return not shared_memory_files() - before

        await until(nothing_new, "an empty /dev/shm")


def test_units_run_in_one_process_or_several_and_the_server_starts_by_itself(start):
    for more in ("", "process_components=(printer,),", "force_single_process=True, process_components=(printer,),"):
        program = start(
            f"""
            if __name__ == "__main__":
                counter, printer = Counter(), Printer()
                ez.run(COUNTER=counter, PRINTER=printer, {more}
                       connections=((counter.OUTPUT, printer.INPUT),))
                say("after", os.getpid())
            """
        )
        assert program.says("seen")[1:] == ["PRINTER", *map(str, range(10))]
        program.says("after")
        separate = program.says("initialize")[2] != str(program.pid)
        assert separate is more.startswith("process_components")
        assert program.ends() == 0, program.story()
        assert "Traceback" not in program.errors


def test_the_order_of_a_life(start):
    program = start(
        """
        class Named(ez.Unit):
            async def initialize(self):
                say("life init", self.address)
            async def shutdown(self):
                say("life shutdown", self.address)
            @ez.task
            async def end(self):
                say("life task", self.address)
                raise ez.NormalTermination

        class Inner(ez.Collection):
            UNIT = Named()
            def configure(self): say("life configure", self.address)
            def network(self):
                say("life network", self.address)
                return ()

        class Top(ez.Collection):
            INNER = Inner()
            def configure(self): say("life configure", self.address)
            def network(self):
                say("life network", self.address)
                return ()

        if __name__ == "__main__":
            ez.run(TOP=Top())
        """
    )
    assert program.ends() == 0
    assert [line.split()[1:] for line in program.out if line.startswith("life")] == [
        ["network", "TOP"],
        ["network", "TOP/INNER"],
        ["configure", "TOP"],
        ["configure", "TOP/INNER"],
        ["init", "TOP/INNER/UNIT"],
        ["task", "TOP/INNER/UNIT"],
        ["shutdown", "TOP/INNER/UNIT"],
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("ez.run()", []),
        ("ez.run(A=17)", ["A"]),
        ("ez.run(A=Counter(), connections=((1, 2),))", []),
        ("a = Counter(); b = Printer(); ez.run(A=a, B=b, connections=((a.OUTPUT, 'X'), ('X', a.OUTPUT)))", ["X"]),
        ("ez.run(A=Printer(), graph_address=('127.0.0.1', 1))", ["127.0.0.1:1"]),
    ],
)
def test_a_wrong_argument_of_run_ends_with_a_sentence_and_leaves_nothing(start, code, words):
    program = start(
        f"""
        if __name__ == "__main__":
            try:
                {code}
            except Exception as error:
                say("error", type(error).__name__, error)
            else:
                say("no error")
        """
    )
    program.says("error" if code[-2:] != "()" else "")
    assert program.ends() == 0
    for word in words:
        assert word in "".join(program.out), program.story()


def test_crawl_components_finds_all_from_the_top():
    class Leaf(ez.Unit):
        pass

    class Inner(ez.Collection):
        LEAF = Leaf()

    class Top(ez.Collection):
        ONE = Leaf()
        INNER = Inner()

    top = Top()
    met = []
    found = ez.crawl_components(top, met.append)
    assert found[0] is top
    assert sorted(type(component).__name__ for component in found) == ["Inner", "Leaf", "Leaf", "Top"]
    assert met == found


def test_settings_are_frozen_dataclasses_and_states_plain_ones():
    class Some(ez.Settings):
        a: int
        b: list = dataclasses.field(default_factory=list)

    class Mine(ez.State):
        x: int

    some = Some(1)
    assert dataclasses.is_dataclass(Some)
    assert some == Some(a=1, b=[])
    with pytest.raises(dataclasses.FrozenInstanceError):
        some.a = 2  # type: ignore[misc]
    assert dataclasses.replace(some, a=3).a == 3
    assert dataclasses.is_dataclass(Mine)
    state = Mine()
    state.x = 4

    class Taking(ez.Unit):
        SETTINGS = Some
        OUT = ez.OutputStream(int)

    assert (
        Taking(Some(5)).SETTINGS == Taking(settings=Some(5)).SETTINGS == Taking(5).SETTINGS == Taking(a=5).SETTINGS
    )
    assert Taking().SETTINGS is None
    one, two = Taking(1), Taking(1)
    assert one.OUT is not two.OUT


def test_streams_have_the_public_defaults():
    out = ez.OutputStream(int)
    assert (out.num_buffers, out.buf_size, out.host, out.port) == (32, 65536, None, None)
    assert out.force_tcp is None
    assert out.allow_local is None
    into = ez.InputStream(int)
    assert (into.leaky, into.max_queue, into.msg_type) == (False, None, int)


def test_wrong_declarations_are_refused():
    with pytest.raises(ValueError):  # noqa: PT011
        ez.subscriber(ez.OutputStream(int))
    with pytest.raises(ValueError):  # noqa: PT011
        ez.publisher(ez.InputStream(int))
    with pytest.raises(TypeError):

        class _Wrong(ez.Unit):
            TOPIC = ez.InputTopic(int)

    with pytest.raises(Exception):  # noqa: B017, PT011

        class _Two(ez.Unit):
            A = ez.InputStream(int)
            B = ez.InputStream(int)

            @ez.subscriber(A)
            @ez.subscriber(B)
            async def both(self, message: int) -> None: ...


# --- the demo -----------------------------------------------------------------------------------------------------

MODULE = [sys.executable, "-m", "ezmsg.core", "demo"]
UNITS = ["ECG/SOURCE", "ECG/FILTER", "ECG/DETECTOR", "ECG/DISPLAY"]


def command():
    found = shutil.which("ezmsg", path=str(Path(sys.executable).parent))
    assert found, "the ezmsg command belongs to the development environment"
    return [found, "demo"]


def demo(start, tmp_path, *arguments, by=None, **more):
    """Run it to its end; it may leave nothing in its temporary folder either."""
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    run = start.command(*(by or MODULE), *arguments, TMPDIR=str(scratch), **more)
    assert run.ends() == 0, run.story()
    assert "Traceback" not in run.errors, run.story()
    assert "Warning" not in run.errors, run.story()
    assert not list(scratch.iterdir()), "it leaves files"
    assert not [path for path in run.folder.rglob("*") if not path.is_dir()], "it leaves files"
    return run


def beats_of(run):
    *beats, last = [json.loads(line) for line in run.out]
    assert list(last) == ["summary"]
    for number, beat in enumerate(beats):
        assert set(beat) == {"sample", "time_s", "bpm"}
        assert type(beat["sample"]) is int
        assert beat["time_s"] == pytest.approx(beat["sample"] / 360, abs=1e-3)
        assert (beat["bpm"] is None) is (number == 0)
        assert beat["bpm"] is None or 10 < beat["bpm"] < 400  # the record has a pause of some seconds
    samples = [beat["sample"] for beat in beats]
    assert samples == sorted(set(samples))
    assert set(last["summary"]) == {
        "samples_in",
        "samples_out",
        "beats",
        "mean_bpm",
        "latency_p50_ms",
        "latency_p99_ms",
    }
    assert last["summary"]["beats"] == len(beats)
    return samples, last["summary"]


@pytest.mark.parametrize("by", ["ezmsg", "python -m ezmsg.core"])
def test_the_first_twenty_seconds_have_about_forty_beats(start, tmp_path, by):
    run = demo(start, tmp_path, "--speed", "max", "--json", by=command() if by == "ezmsg" else None)
    samples, summary = beats_of(run)
    assert 36 <= len(samples) <= 44
    assert summary["samples_in"] == summary["samples_out"] == 7200
    assert 100 < summary["mean_bpm"] < 140


async def test_the_demo_can_be_looked_into(start, address):
    run = start.command(*MODULE, "--json", "--seconds", "200")
    await asyncio.to_thread(run.says, "{")
    async with ez.GraphContext() as context:
        snapshot = await within(context.snapshot())
        (metadata,) = [s.metadata for s in snapshot.sessions.values() if s.metadata]
        assert set(UNITS) <= set(metadata.components)
        owners = {unit: process.process_id for process in snapshot.processes.values() for unit in process.units}
        assert set(UNITS) == set(owners)
        assert owners["ECG/SOURCE"] != owners["ECG/DETECTOR"]
        filter_ = metadata.components["ECG/FILTER"]
        assert {"low_hz", "high_hz"} <= set(filter_.initial_settings[1])
        assert filter_.dynamic_settings.enabled
        assert filter_.dynamic_settings.input_topic == "ECG/FILTER/INPUT_SETTINGS"
        dag = await within(ez.GraphService(address).dag())
        for one, next_ in itertools.pairwise(UNITS):
            heard = {t for t in dag.nodes if t.startswith(f"{next_}/")}
            assert any(heard & set(dag.downstream(t)) for t in dag.nodes if t.startswith(f"{one}/")), (one, next_)
    run.signal(signal.SIGTERM)
    assert await asyncio.to_thread(run.ends) in (0, 143)
    assert "Traceback" not in run.errors


def test_the_demo_for_a_graph_server_that_is_not_there_says_so(start):
    run = start.command(*MODULE, "--json", EZMSG_GRAPHSERVER_ADDR="127.0.0.1:1")
    assert run.ends() in (1, 3), run.story()
    a_sentence(run.errors, "127.0.0.1:1")
    assert not run.out
