"""`ezmsg inspect`, `ezmsg components` and `ezmsg run`, as a user types them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HANG = 30.0
PARTS = str(Path(__file__).with_name("parts.py"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An installation in which a distribution registers two components, one of which cannot be imported."""
    site = tmp_path / "site"
    info = site / "lab_parts-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-parts\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[ezmsg.components]\nlab.Filter = parts:Filter\nlab.Pair = parts:Pair\nother.Broken = not_there:Thing\n"
    )
    (site / "parts.py").write_bytes(Path(PARTS).read_bytes())
    run = tmp_path / "run"
    run.mkdir(mode=0o700)
    return os.environ | {"PYTHONPATH": str(site), "EZMSG_RUNTIME_DIR": str(run), "EZMSG_LOGLEVEL": "ERROR"}


def ezmsg(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ezmsg.control", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)


# --- inspect ------------------------------------------------------------------------------------------------------


def test_a_file_is_described_without_running_it(environment: dict[str, str]) -> None:
    done = ezmsg(environment, "inspect", PARTS)
    assert (done.returncode, done.stderr) == (0, "")
    form = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert (form["inspect_schema_version"], form["source"]) == (1, PARTS)
    described = {each["name"]: each for each in form["components"]}
    assert list(described) == ["Filter", "Sayer", "Pair", "Failing"]
    unit = described["Filter"]
    assert (unit["path"], unit["component_type"], unit["collection"]) == ("Filter", "parts.Filter", False)
    assert (unit["settings_type"], unit["dynamic_settings"]) == ("parts.FilterSettings", True)
    assert unit["streams"] == [
        {"name": "INPUT", "kind": "InputStream", "msg_type": "builtins.float"},
        {"name": "INPUT_SETTINGS", "kind": "InputStream", "msg_type": "parts.FilterSettings"},
        {"name": "OUTPUT", "kind": "OutputStream", "msg_type": "list[float]"},
    ]
    fields = {each["name"]: each for each in unit["settings_schema"]["fields"]}
    assert fields["order"]["required"]
    assert fields["gain"]["description"] == "How much."
    assert unit["settings_schema"]["json_schema"]["required"] == ["order"]
    pair = described["Pair"]
    assert [(each["path"], each["component_type"]) for each in pair["components"]] == [
        ("Pair/FIRST", "parts.Sayer"),
        ("Pair/SECOND", "parts.Filter"),
    ]


def test_one_component_of_a_module_indented(environment: dict[str, str]) -> None:
    done = ezmsg(environment, "inspect", "parts", "--component", "Sayer", "--indent", "2")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1] == '  "inspect_schema_version": 1,'
    assert [each["name"] for each in json.loads(done.stdout)["components"]] == ["Sayer"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere.py"], "EZ-6303  nowhere.py cannot be loaded: there is no such file."),
        ([PARTS, "--component", "number"], "number is no class of a Unit or Collection there. There is: Filter,"),
        (["json"], "EZ-6304  json: it defines no Unit or Collection."),
    ],
)
def test_what_cannot_be_described(environment: dict[str, str], arguments: list[str], said: str) -> None:
    done = ezmsg(environment, "inspect", *arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# --- components ---------------------------------------------------------------------------------------------------


def test_components_are_listed_without_an_import(environment: dict[str, str]) -> None:
    done = ezmsg(environment, "components")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["NAME", "CLASS", "DISTRIBUTION"]
    assert ["lab.Filter", "parts:Filter", "lab-parts", "1.2"] in rows
    assert ["other.Broken", "not_there:Thing", "lab-parts", "1.2"] in rows
    assert ezmsg(environment, "components", "list").stdout == done.stdout
    first, *_ = map(json.loads, ezmsg(environment, "components", "--json").stdout.splitlines())
    assert first["$schema"] == "ezmsg.components/1"


def test_a_component_is_shown(environment: dict[str, str]) -> None:
    done = ezmsg(environment, "components", "info", "lab.F")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "lab.Filter   unit   parts.Filter   lab-parts 1.2"
    assert lines[1] == "Filters what comes."
    assert any(line.split()[:3] == ["OUTPUT", "OutputStream", "list[float]"] for line in lines)
    assert any(line.split()[:3] == ["order", "int", "required"] for line in lines)
    assert lines[-1] == "run it: ezmsg run lab.Filter order=..."
    form = json.loads(ezmsg(environment, "components", "info", "lab.Filter", "--json").stdout)
    assert (form["$schema"], form["registered_as"]) == ("ezmsg.components.info/1", "lab.Filter")
    assert form["settings_schema"]["fields"][0]["name"] == "order"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("lab.Filtre", 2, "lab.Filter"),
        ("lab", 2, "lab.Pair"),
        ("other.Broken", 4, "not_there cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_a_component_that_cannot_be_shown(environment: dict[str, str], name: str, code: int, said: str) -> None:
    done = ezmsg(environment, "components", "info", name)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


# --- run ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([f"{PARTS}:Sayer", "low=2.5"], ["says Sayer 2.5"]),
        ([f"{PARTS}:Sayer", "--name", "MINE", "--root", "LAB"], ["says LAB/MINE 1.0"]),
        ([f"{PARTS}:ready"], ["says Sayer 3.0"]),
        ([f"{PARTS}:ready", "low=4"], ["says Sayer 4.0"]),
        (["parts:several"], ["says LEFT 5.0", "says RIGHT 6.0"]),
    ],
)
def test_what_is_named_runs_until_it_ends(
    environment: dict[str, str], arguments: list[str], said: list[str]
) -> None:
    done = ezmsg(environment, "run", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == said


@pytest.mark.parametrize("target", [f"{PARTS}:built", "lab.Pair"])
def test_a_graph_that_goes_on_is_ended_by_ctrl_c(environment: dict[str, str], target: str) -> None:
    command = [sys.executable, "-m", "ezmsg.control", "run", target]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "says Pair/FIRST 1.0\n"
            run.send_signal(signal.SIGINT)
            _, errors = run.communicate(timeout=HANG)
        finally:
            run.kill()
    assert (run.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["lab.Filter"], 4, "EZ-6305  Filter needs settings that have no default. Add: order=INT"),
        (["lab.Filter", "order=2", "gain=-1"], 4, "gain cannot be -1"),
        (["lab.Filter", "order=2", "band.high=x"], 4, "band.high cannot be 'x'"),
        (["lab.Filter", "order=2", "colour=red"], 4, "colour"),
        (["lab.Filter", "order"], 2, "order"),
        ([f"{PARTS}:number"], 4, "it is 3, and no Unit, Collection, GraphRunner or mapping of components"),
        (["parts:several", "low=1"], 4, "only a single component takes settings here"),
        (["Nothing"], 2, "No component that is registered"),
    ],
)
def test_what_does_not_fit_is_refused(
    environment: dict[str, str], arguments: list[str], code: int, said: str
) -> None:
    done = ezmsg(environment, "run", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_unit_that_raised_is_named_with_its_line(environment: dict[str, str]) -> None:
    done = ezmsg(environment, "run", f"{PARTS}:Failing")
    line = Path(PARTS).read_text().splitlines().index('        raise OSError("no amplifier")') + 1
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ezmsg: OSError: no amplifier ({PARTS}:{line}).")
    assert "Failing: it could not be started" in last


PROGRAM = """
import sys
from pathlib import Path
import beside_it

if __name__ == "__main__":
    print(sys.argv[1:], __file__, beside_it.NUMBER, flush=True)
    if "fail" in sys.argv:
        raise KeyError("no such stream")
    sys.exit(3)
"""


def test_a_program_is_run_as_python_does(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    (tmp_path / "beside_it.py").write_text("NUMBER = 7\n")
    done = ezmsg(environment, "run", str(path), "a=1", "--", "--flag")
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == f"['a=1', '--flag'] {path} 7\n"
    done = ezmsg(environment, "run", str(path), "fail")
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert done.stderr.splitlines()[1].startswith(f'  File "{path}", line ')
    assert done.stderr.splitlines()[-1] == "KeyError: 'no such stream'"
    done = ezmsg(environment, "run", str(path), "--name", "X")
    assert done.returncode == 4
    assert "a program says these itself" in done.stderr


SPREAD = """
import multiprocessing

import ezmsg.core as ez

multiprocessing.set_start_method("spawn", force=True)


class Sayer(ez.Unit):
    @ez.task
    async def say(self):
        print("says", self.address, flush=True)


class Both(ez.Collection):
    ONE = Sayer()
    TWO = Sayer()

    def process_components(self):
        return self.ONE, self.TWO
"""


def test_spawned_workers_find_a_file(environment: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "spread.py"
    path.write_text(SPREAD)
    done = ezmsg(environment, "run", f"{path}:Both")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == ["says Both/ONE", "says Both/TWO"]


def test_help(environment: dict[str, str]) -> None:
    for verb in (["run"], ["components"], ["components", "info"], ["inspect"]):
        done = ezmsg(environment, *verb, "--help")
        assert done.returncode == 0, done.stderr
        assert "usage" in done.stdout.lower()
    said: Any = ezmsg(environment, "--help").stdout
    assert all(verb in said for verb in ("components", "inspect", "run"))
