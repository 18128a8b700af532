"""What a graph says about itself."""

import os
import pickle
from dataclasses import field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ezmsg.control.settingsmeta import settings_schema_from_type
from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.crawl import resolve_graph
from ezmsg.core.graph.decorators import main, publisher, subscriber, task, thread, timeit
from ezmsg.core.graph.initial_settings import settings_value
from ezmsg.core.graph.metadata import component_metadata, graph_metadata
from ezmsg.core.graph.relays import InputRelay, OutputRelay, Relay
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.stream_metadata import type_name
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic, Topic
from ezmsg.core.graph.unit import Unit
from ezmsg.graphserver.deciding.state.settings import initial_value
from ezmsg.protocol import model
from ezmsg.protocol.wire.codec import encode

SOURCE = Path(__file__)


class Level(Settings):
    level: int = 1


class Other(Settings):
    other: int = 2


class Worker(Unit):
    SETTINGS = Level
    INPUT_SETTINGS = InputStream(Other)
    IN = InputStream(list[int], leaky=True, max_queue=4)
    OUT = OutputStream(Any, host="localhost", port=3, num_buffers=8, buf_size=1024, force_tcp=True)

    @task
    async def watch(self) -> None: ...

    @subscriber(IN)
    @publisher(OUT)
    async def forward(self, message: list[int]) -> Any:
        yield self.OUT, message

    @main
    def show(self) -> None: ...


class Border(Collection):
    INPUT_SETTINGS = InputTopic(Level)
    TOPIC = Topic(int)
    EXIT = OutputTopic(str)
    BOTH = Relay(int, leaky=True, num_buffers=2)
    ENTRY = InputRelay(int, leaky=True, max_queue=3, copy_on_forward=False)
    LEAVE = OutputRelay(int, port=7)
    WORKER = Worker(5)
    ANOTHER = Worker()


NO_SETTINGS_INLET = model.DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None)


@pytest.fixture
def described() -> model.GraphMetadata:
    return graph_metadata(resolve_graph({"B": Border()}, root_name="R"))


def test_a_graph(described: model.GraphMetadata) -> None:
    assert (described.schema_version, described.root_name) == (1, "R")
    assert list(described.components) == ["R/B", "R/B/ANOTHER", "R/B/WORKER"]


def test_a_unit(described: model.GraphMetadata) -> None:
    assert described.components["R/B/WORKER"] == model.UnitMetadata(
        address="R/B/WORKER",
        name="WORKER",
        component_type=f"{__name__}.Worker",
        settings_type=f"{__name__}.Level",
        initial_settings=(pickle.dumps(Level(5)), {"level": 5}),
        dynamic_settings=model.DynamicSettingsMetadata(
            enabled=True, input_topic="R/B/WORKER/INPUT_SETTINGS", settings_type=f"{__name__}.Other"
        ),
        settings_schema=settings_schema_from_type(Level),
        streams={
            "INPUT_SETTINGS": model.InputStreamMetadata(
                "INPUT_SETTINGS", "R/B/WORKER/INPUT_SETTINGS", f"{__name__}.Other", leaky=False, max_queue=None
            ),
            "IN": model.InputStreamMetadata("IN", "R/B/WORKER/IN", "list[int]", leaky=True, max_queue=4),
            "OUT": model.OutputStreamMetadata(
                name="OUT",
                address="R/B/WORKER/OUT",
                msg_type="typing.Any",
                host="localhost",
                port=3,
                num_buffers=8,
                buf_size=1024,
                force_tcp=True,
            ),
        },
        tasks=[
            model.TaskMetadata("forward", subscribes="R/B/WORKER/IN", publishes=["R/B/WORKER/OUT"]),
            model.TaskMetadata("watch", subscribes=None, publishes=[]),
        ],
        main="show",
        threads=[],
        initial_structured={"level": 5},
    )


class Wrapped(Unit):
    IN = InputStream(int)

    @timeit
    @subscriber(IN)
    async def measured(self, message: int) -> None: ...

    async def plain(self, message: int) -> None: ...

    bound = subscriber(IN)(partial(plain))
    made = subscriber(IN)(eval("lambda self, message: None"))


def test_where_tasks_are_defined(described: model.GraphMetadata) -> None:
    def line_of(words: str) -> int:
        return SOURCE.read_text(encoding="utf-8").splitlines().index(f"    {words}") + 1

    forward, watch = described.components["R/B/WORKER"].tasks  # type: ignore[union-attr]
    assert forward.source == f"{SOURCE}:{line_of('async def forward(self, message: list[int]) -> Any:') - 2}"
    assert watch.source == f"{SOURCE}:{line_of('async def watch(self) -> None: ...') - 1}"
    (unit,) = graph_metadata(resolve_graph({"U": Wrapped()})).components.values()
    sources = {task.name: task.source for task in unit.tasks}  # type: ignore[union-attr]
    below_its_wrapper = f"{SOURCE}:{line_of('@timeit')}"
    assert sources == {"measured": below_its_wrapper, "made": "<string>:1", "bound": None}


def test_a_task_that_is_wrapped_in_itself_has_no_place() -> None:
    class Circle(Unit):
        @task
        async def around(self) -> None: ...

    Circle.around.__wrapped__ = Circle.around  # type: ignore[attr-defined]
    (unit,) = graph_metadata(resolve_graph({"U": Circle()})).components.values()
    assert [(each.name, each.source) for each in unit.tasks] == [("around", None)]  # type: ignore[union-attr]


def test_a_task_has_no_place_when_the_folder_of_its_program_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {}
    exec(compile("async def run(self): ...", "program.py", "exec"), names)

    class Gone(Unit):
        run = task(names["run"])

    def getcwd() -> str:
        raise FileNotFoundError

    graph = resolve_graph({"U": Gone()})
    monkeypatch.setattr(os, "getcwd", getcwd)
    (unit,) = graph_metadata(graph).components.values()
    assert [(each.name, each.source) for each in unit.tasks] == [("run", None)]  # type: ignore[union-attr]


def bridge(name: str) -> dict[str, Any]:
    return {
        "relay_group": f"R/B/__relays__/{name}",
        "relay_input_topic": f"R/B/__relays__/{name}/INPUT",
        "relay_output_topic": f"R/B/__relays__/{name}/OUTPUT",
    }


def test_a_collection(described: model.GraphMetadata) -> None:
    sending: dict[str, Any] = {"num_buffers": 32, "buf_size": 65536, "force_tcp": False}
    collection = described.components["R/B"]
    assert collection == model.CollectionMetadata(
        address="R/B",
        name="B",
        component_type=f"{__name__}.Border",
        settings_type=type_name(Settings),
        initial_settings=(pickle.dumps(Settings()), {}),
        dynamic_settings=NO_SETTINGS_INLET,
        settings_schema=settings_schema_from_type(Settings),
        topics={
            "INPUT_SETTINGS": model.InputTopicMetadata("INPUT_SETTINGS", "R/B/INPUT_SETTINGS", f"{__name__}.Level"),
            "TOPIC": model.TopicMetadata("TOPIC", "R/B/TOPIC", "builtins.int"),
            "EXIT": model.OutputTopicMetadata("EXIT", "R/B/EXIT", "builtins.str"),
        },
        relays={
            "BOTH": model.RelayMetadata(
                "BOTH", "R/B/BOTH", "builtins.int", leaky=True, **sending | {"num_buffers": 2}, **bridge("BOTH")
            ),
            "ENTRY": model.InputRelayMetadata(
                *("ENTRY", "R/B/ENTRY", "builtins.int"),
                leaky=True,
                max_queue=3,
                copy_on_forward=False,
                **bridge("ENTRY"),
            ),
            "LEAVE": model.OutputRelayMetadata(
                "LEAVE", "R/B/LEAVE", "builtins.int", port=7, **sending, **bridge("LEAVE")
            ),
        },
        children=["R/B/ANOTHER", "R/B/WORKER"],
        initial_structured={},
    )


def test_threads_are_listed() -> None:
    with pytest.warns(DeprecationWarning, match="@thread"):

        class Threaded(Unit):
            @thread
            def second(self) -> None: ...

            @thread
            def first(self) -> None: ...

    unit = graph_metadata(resolve_graph({"T": Threaded()})).components["T"]
    assert isinstance(unit, model.UnitMetadata)
    assert unit.threads == ["first", "second"]


def test_a_stream_on_a_collection_is_a_topic_and_takes_settings() -> None:
    with pytest.warns(FutureWarning):

        class Old(Collection):
            INPUT_SETTINGS = InputStream(Level)
            OUT = OutputStream(int)

    collection = graph_metadata(resolve_graph({"C": Old()})).components["C"]
    assert isinstance(collection, model.CollectionMetadata)
    assert [type(topic) for topic in collection.topics.values()] == [
        model.InputTopicMetadata,
        model.OutputTopicMetadata,
    ]
    assert collection.dynamic_settings.input_topic == "C/INPUT_SETTINGS"


def test_an_outlet_of_that_name_takes_no_settings() -> None:
    class Reporting(Unit):
        INPUT_SETTINGS = OutputStream(Level)

    unit = graph_metadata(resolve_graph({"U": Reporting()})).components["U"]
    assert unit.dynamic_settings == NO_SETTINGS_INLET


def test_settings_that_are_still_missing_are_no_reason_to_fail() -> None:
    class Needed(Settings):
        level: int

    class Needy(Unit):
        SETTINGS = Needed

    unit = Needy()
    unit._set_name("N")
    unit._set_location([])
    assert component_metadata(unit).initial_settings == (pickle.dumps(None), "None")


@pytest.mark.parametrize(
    ("described", "text"),
    [(int, "builtins.int"), (Any, "typing.Any"), (list[int], "list[int]"), ("str", "'str'"), (None, "None")],
)
def test_names_of_types(described: object, text: str) -> None:
    assert type_name(described) == text


class Odd(Settings):
    blob: bytes = b"\x00\xff"
    weights: Any = field(default_factory=lambda: np.arange(3.0))
    limit: float = float("nan")


class Tunable(Unit):
    SETTINGS = Odd
    INPUT_SETTINGS = InputStream(Odd)


def test_initial_settings_are_faithful() -> None:
    """Bytes, arrays and what is no number are in the metadata what a report of the same settings says they are."""
    unit = Tunable()
    unit._set_name("UNIT")
    unit._set_location([])
    said = component_metadata(unit)
    assert isinstance(said, model.UnitMetadata)
    reported = settings_value(unit.SETTINGS, "UNIT").structured_value
    assert encode(said.initial_structured) == encode(reported)
    assert said.initial_structured is not None
    assert said.initial_structured["blob"] == {"$bytes": "AP8="}
    assert encode(initial_value(said).structured_value) == encode(reported)
