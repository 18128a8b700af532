"""Units: class tables, inheritance, and getting ready."""

from dataclasses import field
from typing import Any

import pytest

from ezmsg.core.errors import InvalidComponent, SecondMain, SettingsMissing, StateNotInitialized
from ezmsg.core.graph.bindings import bound_stream, publications_of, subscription_of, unbound_streams
from ezmsg.core.graph.decorators import main, publisher, subscriber, task, thread
from ezmsg.core.graph.relays import InputRelay
from ezmsg.core.graph.settings import Settings
from ezmsg.core.graph.state import State
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, Stream, Topic
from ezmsg.core.graph.unit import Unit

FOREIGN = InputStream(int)


class Level(Settings):
    level: int


class Worker(Unit):
    IN = InputStream(int)
    OUT = OutputStream(int)
    ERRORS = OutputStream(str)

    @subscriber(IN)
    @publisher(ERRORS)
    @publisher(OUT)
    async def work(self, message: int) -> Any:
        yield self.OUT, message

    @task
    async def watch(self) -> None: ...

    @main
    def show(self) -> None: ...

    async def no_task(self) -> None: ...


def placed(unit: Unit, name: str = "UNIT") -> Unit:
    unit._set_name(name)
    unit._set_location(["ROOT"])
    return unit


class TestTables:
    def test_what_is_decorated_is_found(self) -> None:
        unit = Worker()
        assert list(unit.streams) == ["IN", "OUT", "ERRORS"]
        assert unit.tasks == {"work": Worker.work, "watch": Worker.watch}
        assert unit.main is Worker.show
        assert unit.threads == {}
        assert unit.components == {}
        assert Worker.__tasks__ == unit.tasks
        assert Worker.__main__ is Worker.show

    def test_threads_are_found(self) -> None:
        with pytest.warns(DeprecationWarning, match="@thread"):

            class Threaded(Unit):
                @thread
                def run(self) -> None: ...

        assert Threaded().threads == {"run": Threaded.run}

    def test_subclasses_add_and_override(self) -> None:
        class Heir(Worker):
            IN = InputStream(str, leaky=True)

            @task
            async def watch(self) -> None: ...

            @task
            async def more(self) -> None: ...

            @main
            def show(self) -> None: ...

        unit = Heir()
        assert unit.tasks == {"work": Worker.work, "watch": Heir.watch, "more": Heir.more}
        assert unit.main is Heir.show
        assert (unit.IN.msg_type, unit.IN.leaky) == (str, True)
        assert Worker().IN.msg_type is int

    def test_an_undecorated_override_does_not_take_a_task_away(self) -> None:
        class Heir(Worker):
            async def watch(self) -> None: ...

            def show(self) -> None: ...

        assert Heir.__tasks__["watch"] is Worker.watch
        assert Heir.__main__ is Worker.show

    def test_a_plain_mixin_declares_nothing(self) -> None:
        class Mixin:
            IN = InputStream(int)

            @task
            async def run(self) -> None: ...

        class Mixed(Mixin, Unit):
            pass

        assert (Mixed().streams, Mixed().tasks) == ({}, {})

    def test_the_nearest_class_wins_where_bases_disagree(self) -> None:
        class Near(Worker):
            IN = InputStream(str)

        class Beside(Worker):
            pass

        class Heir(Beside, Near):
            pass

        assert Heir.IN is Near.IN
        assert Heir().IN.msg_type is str

    def test_two_mains_are_one_too_many(self) -> None:
        class Other(Unit):
            @main
            def other(self) -> None: ...

        with pytest.raises(SecondMain, match=r"Worker\.show, .*Other\.other"):
            type("Both", (Worker, Other), {})
        with pytest.raises(SecondMain, match=r"Twice has more than one main"):

            class Twice(Unit):
                @main
                def first(self) -> None: ...

                @main
                def second(self) -> None: ...

        class Joined(Worker, Unit):
            pass

        assert Joined.__main__ is Worker.show

    @pytest.mark.parametrize("topic", [Topic(int), InputTopic(int), InputRelay(int)])
    def test_topics_belong_on_collections(self, topic: Topic) -> None:
        with pytest.raises(InvalidComponent, match=f"T is of type {type(topic).__name__}") as caught:
            type("Wrong", (Unit,), {"T": topic})
        assert isinstance(caught.value, TypeError)


class TestBindings:
    def test_a_function_means_the_instances_streams(self) -> None:
        unit = placed(Worker())
        assert subscription_of(unit, Worker.work) is unit.IN
        assert publications_of(unit, Worker.work) == [unit.OUT, unit.ERRORS]
        assert subscription_of(unit, Worker.watch) is None
        assert publications_of(unit, Worker.watch) == []

    def test_an_inherited_function_means_the_new_stream(self) -> None:
        class Heir(Worker):
            IN = InputStream(str)

        unit = placed(Heir())
        assert subscription_of(unit, unit.tasks["work"]) is unit.IN

    def test_the_declaration_and_the_copy_mean_the_same(self) -> None:
        unit = Worker()
        assert bound_stream(unit, Worker.OUT) is unit.OUT
        assert bound_stream(unit, unit.OUT) is unit.OUT

    def test_a_stream_that_the_unit_does_not_have(self) -> None:
        class Lost(Unit):
            @subscriber(FOREIGN)
            async def run(self, message: int) -> None: ...

        assert bound_stream(Lost(), Stream(int)) is None
        assert subscription_of(Lost(), Lost.run) is None
        assert unbound_streams(Lost(), Lost.run) == [FOREIGN]
        assert unbound_streams(Worker(), Worker.work) == []


class TestSetup:
    async def test_defaults_are_there_before_initialize(self) -> None:
        class Memory(State):
            seen: list[int] = field(default_factory=list)
            count: int

        class Filled(Unit):
            STATE = Memory

            async def initialize(self) -> None:
                self.STATE.count = len(self.STATE.seen)

        unit = placed(Filled())
        await unit.setup()
        assert vars(unit.STATE) == {"seen": [], "count": 0}

    async def test_initialize_may_be_a_plain_function(self) -> None:
        class Plain(Unit):
            def initialize(self) -> None:  # type: ignore[override]
                self.ready = True

        unit = Plain()
        await unit.setup()
        assert unit.ready

    async def test_a_field_without_a_value_is_named(self) -> None:
        class Memory(State):
            count: int

        class Empty(Unit):
            STATE = Memory

        with pytest.raises(StateNotInitialized, match=r"ROOT/UNIT: STATE\.count was not initialized!") as caught:
            await placed(Empty()).setup()
        assert isinstance(caught.value, AttributeError)

    async def test_missing_settings_are_named_before_initialize_runs(self) -> None:
        class Needy(Unit):
            SETTINGS = Level

            async def initialize(self) -> None:
                raise AssertionError("must not run")

        with pytest.raises(SettingsMissing, match=r"ROOT/UNIT has no settings, and Level") as caught:
            await placed(Needy()).setup()
        assert isinstance(caught.value, ValueError)

    async def test_settings_assigned_by_a_constructor_count(self) -> None:
        class Own(Unit):
            SETTINGS = Level

            def __init__(self) -> None:
                super().__init__()
                self.SETTINGS = Level(3)

        await Own().setup()

    async def test_a_state_of_the_constructor_stays(self) -> None:
        class Memory(State):
            count: int

        class Own(Unit):
            STATE = Memory

            def __init__(self) -> None:
                super().__init__()
                self.STATE = Memory()
                self.STATE.count = 7

        unit = Own()
        await unit.setup()
        assert unit.STATE.count == 7

    async def test_the_hooks_do_nothing_by_default(self) -> None:
        unit = Unit()
        await unit.setup()
        await unit.shutdown()
        assert State() == unit.STATE
