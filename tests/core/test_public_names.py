"""What `import ezmsg.core as ez` offers: every name is there, and is loaded only when it is used."""

import pickle
import subprocess
import sys
from importlib.metadata import version

import pytest

import ezmsg.core as ez

PUBLIC = {
    *("Collection", "Complete", "Component", "Flag", "GraphContext", "GraphRunner", "GraphRunnerStartError"),
    *("GraphServer", "InputRelay", "InputStream", "InputTopic", "Message", "NetworkDefinition"),
    *("NormalTermination", "OutputRelay", "OutputStream", "OutputTopic", "Publisher", "Relay", "Settings"),
    *("State", "Subscriber", "SyncContext", "SyncPublisher", "SyncSubscriber", "System", "Topic", "Unit"),
    *("logger", "main", "process", "publisher", "run", "run_command", "run_system", "subscriber", "sync"),
    *("task", "thread", "timeit"),
}


@pytest.mark.parametrize("name", ez.__all__)
def test_a_name_resolves_and_stays(name):
    value = getattr(ez, name)
    assert value is getattr(ez, name)
    assert name in dir(ez)


def test_the_names_of_the_public_package_are_there():
    assert set(ez.__all__) >= PUBLIC


def test_all_is_sorted_and_without_doubles():
    assert ez._SUBMODULES.isdisjoint(ez._HOMES), "a name would hide a module"
    assert len(set(ez.__all__)) == len(ez.__all__)
    assert set(ez._HOMES) | {"logger", "sync"} == set(ez.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = ez.Nothing
    assert not hasattr(ez, "__wrapped__")
    with pytest.raises(ImportError, match="Nothing"):
        from ezmsg.core import Nothing  # noqa: F401


def test_all_can_be_imported_at_once():
    names: dict[str, object] = {}
    exec("from ezmsg.core import *", names)
    assert set(ez.__all__) <= set(names)


def test_classes_can_be_pickled_by_name():
    for name in ("Unit", "GraphContext", "Settings", "Complete", "CyclicException"):
        assert pickle.loads(pickle.dumps(getattr(ez, name))) is getattr(ez, name)


@pytest.mark.parametrize(
    "unwanted", ["ezmsg.graphserver", "ezmsg.core.runtime", "ezmsg.core.transports", "asyncio"]
)
def test_a_program_pays_only_for_what_it_uses(unwanted):
    script = (
        f"import sys, ezmsg.core as ez; ez.Settings; sys.exit(any(n.startswith({unwanted!r}) for n in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "unwanted",
    [
        *(
            "numpy",
            "cattrs",
            "ezmsg.graphserver",
            "ezmsg.control.rendering.diagrams",
            "ezmsg.core.profiling.tracers",
        ),
        *("ezmsg.protocol.model.profiling", "ezmsg.protocol.model.stacks", "ezmsg.control.process.stacks"),
    ],
)
def test_to_have_run_at_hand_costs_only_what_every_run_needs(unwanted):
    script = f"import sys, ezmsg.core as ez; ez.run; sys.exit(any(n.startswith({unwanted!r}) for n in sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_run_without_arrays_loads_no_numpy_in_any_process(tmp_path):
    program = tmp_path / "counting.py"
    program.write_text(COUNTING, encoding="utf-8")
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, timeout=60)
    assert sorted(done.stdout.split()) == ["False", "False", "True"], done.stderr


COUNTING = """
import sys
import multiprocessing
import ezmsg.core as ez

class Source(ez.Unit):
    OUTPUT = ez.OutputStream(int)

    @ez.publisher(OUTPUT)
    async def count(self):
        for n in range(3):
            yield self.OUTPUT, n

    async def shutdown(self):
        print("numpy" in sys.modules)

class Sink(ez.Unit):
    INPUT = ez.InputStream(int)

    @ez.subscriber(INPUT)
    async def take(self, n):
        if n == 2:
            print(n == 2)
            raise ez.NormalTermination

    async def shutdown(self):
        print("numpy" in sys.modules)

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    source, sink = Source(), Sink()
    ez.run(
        SOURCE=source, SINK=sink, connections=[(source.OUTPUT, sink.INPUT)], process_components=[source, sink]
    )
"""


@pytest.mark.parametrize(("level", "shown"), [("ERROR", False), ("info", True), ("nonsense", True)])
def test_the_loggers_level_comes_from_the_environment(level, shown):
    script = "import ezmsg.core as ez; ez.logger.info('a word')"
    done = subprocess.run(
        [sys.executable, "-c", script], env={"EZMSG_LOGLEVEL": level}, capture_output=True, text=True, check=True
    )
    assert ("a word" in done.stderr) == shown
    assert done.stdout == ""


def test_it_says_its_version():
    assert ez.__version__ == version("ezmsg-core")
