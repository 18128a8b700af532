"""The operator's verbs against a running graph: each in text and in JSON, and one of its failures."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from tests.tui.conftest import RunningLab, lab

from ezmsg.control.cli import main

__all__ = ["lab"]

ME = f"cli@{socket.gethostname()}"


@pytest.fixture
def run(lab: RunningLab, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line on the laboratory; return its exit code, and what it said."""

    def one(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--address", str(lab.address), "--timeout", "20"])
        told = capsys.readouterr()
        return code, told.out, told.err

    return one


def lines(out: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
    assert all("$schema" in each for each in found[:1])
    return found


def test_topics(run: Any) -> None:
    code, out, err = run("topic")
    assert code == 0
    assert out.splitlines()[0].split() == ["TOPIC", "UNIT", "FED", "BY", "FEEDS", "TYPE"]
    assert "LAB/GEN/OUTPUT" in out
    assert "topics at" in err
    _, out, _ = run("topic", "list", "--json")
    found = {each["name"]: each for each in lines(out)}
    assert found["LAB/GEN/OUTPUT"]["feeds"] == ["LAB/FILT/INPUT"]


def test_one_topic(run: Any) -> None:
    code, out, _ = run("topic", "info", "LAB/GEN")
    assert code == 0
    assert out.splitlines() == ["LAB/GEN/OUTPUT   unit LAB/GEN   builtins.int", "   -> LAB/FILT/INPUT"]
    assert lines(run("topic", "info", "LAB/GEN", "--json")[1])[0]["unit"] == "LAB/GEN"
    code, out, err = run("topic", "info", "LAB/GNE/OUTPUT")
    assert (code, out) == (2, "")
    assert "Is one of these meant" in err


@pytest.mark.parametrize("verb", ["hz", "bw"])
def test_what_flows(run: Any, verb: str) -> None:
    code, out, err = run("topic", verb, "LAB/*", "--window", "1")
    assert code == 0
    head, *rows = out.splitlines()
    assert head.split()[0] == "TOPIC"
    assert [row.split()[0] for row in rows] == ["LAB/FILT/OUTPUT", "LAB/GEN/OUTPUT"]
    assert "nothing was subscribed to" in err
    (found,) = lines(run("topic", verb, "LAB/GEN/OUTPUT", "--window", "0.5", "--json")[1])
    assert found["rate_hz"] > 0
    assert found["subscribers"] == 1
    assert run("topic", verb, "NOTHING/*")[0] == 2
    assert run("topic", verb, "--window", "0")[0] == 2


def test_units(run: Any) -> None:
    code, out, _ = run("unit")
    assert code == 0
    (filt,) = [line.split() for line in out.splitlines() if line.startswith("LAB/FILT")]
    assert (filt[1], filt[-1]) == ("Filt", "yes")
    assert {each["address"] for each in lines(run("unit", "list", "--json")[1])} == {
        "LAB/FILT",
        "LAB/GEN",
        "LAB/SLOW",
    }
    code, out, _ = run("unit", "info", "LAB/SLOW")
    assert code == 0
    assert "<- LAB/FILT/OUTPUT" in out
    assert "task take of LAB/SLOW/INPUT" in out
    assert run("unit", "info", "LAB/NOBODY")[0] == 2


def test_edges(run: Any) -> None:
    assert run("graph", "connect", "LAB/GEN/OUTPUT", "SPY")[:2] == (0, "LAB/GEN/OUTPUT -> SPY   connected\n")
    assert "-> SPY  (persistent)" in run("graph")[1]
    assert "it was there already" in run("graph", "connect", "LAB/GEN/OUTPUT", "SPY")[2]
    (form,) = lines(run("graph", "disconnect", "LAB/GEN/OUTPUT", "SPY", "--json")[1])
    assert form["topology_changed"]
    assert "SPY" not in run("graph")[1]
    code, out, err = run("graph", "connect", "SPY", "SPY")
    assert (code, out) == (4, "")
    assert "cycle" in err


def test_a_graph_as_the_source_of_a_drawing(run: Any) -> None:
    code, out, err = run("graph", "--dot")
    assert (code, err) == (0, "")
    assert out.startswith("digraph ezmsg {\n")
    code, out, _ = run("graph", "--mermaid")
    assert code == 0
    assert out.startswith("flowchart LR\n")
    assert '"FILT"' in out
    code, out, err = run("graph", "--mermaid", "--json")
    assert (code, out) == (2, "")
    assert "give one of them" in err


def test_one_process(run: Any) -> None:
    code, out, _ = run("process", "info", "LAB/SLOW")
    assert code == 0
    head, fares, unit, *endpoints = out.splitlines()
    assert head.startswith("pid ")
    assert "memory" in fares
    assert unit == "   LAB/SLOW"
    assert any(each.startswith("   <- LAB/SLOW/INPUT") for each in endpoints)
    (form,) = lines(run("process", "info", "LAB/SLOW", "--json")[1])
    assert form["units"] == ["LAB/SLOW"]
    assert [each["topic"] for each in form["profile"]["subscribers"].values()].count("LAB/SLOW/INPUT") == 1
    assert run("process", "info", str(form["pid"]))[0] == 0
    code, out, err = run("process", "info", "LAB/SOLW")
    assert (code, out) == (2, "")
    assert "LAB/SLOW" in err


def test_sessions(run: Any) -> None:
    code, out, _ = run("session")
    assert code == 0
    assert socket.gethostname() in out
    (found,) = lines(run("session", "list", "--json")[1])
    assert "LAB/GEN" in found["components"]
    code, out, err = run("session", "drop", found["session"][:6], "--dry-run")
    assert code == 0
    assert "LAB/GEN/OUTPUT -> LAB/FILT/INPUT" in out
    assert "Nothing was dropped" in err
    assert len(lines(run("session", "--json")[1])) == 1
    assert run("session", "drop", "zz")[0] == 2


def test_a_history_and_what_takes_a_change_back(run: Any) -> None:
    assert run("settings", "set", "LAB/FILT", "cutoff=60", "order=6")[0] == 0
    code, out, _ = run("settings", "history", "LAB/FILT")
    assert code == 0
    last = out.splitlines()[-1]
    assert "cutoff 40.0 -> 60.0   order 4 -> 6" in last
    assert last.endswith(f"by {ME}")
    change = lines(run("settings", "history", "LAB/FILT", "--json")[1])[-1]
    assert change["fields"][0] == {"path": "cutoff", "before": 40.0, "after": 60.0}
    assert change["by"] == ME

    code, out, _ = run("settings", "undo", "LAB/FILT")
    assert code == 0
    assert "cutoff 60.0 -> 40.0   order 6 -> 4" in out
    assert f"(undoes {change['revision']})" in out
    code, out, err = run("settings", "undo", "LAB/FILT", "--revision", "999")
    assert (code, out) == (4, "")
    assert "EZ-4011" in err


def test_settings_are_kept_in_a_file_and_applied_from_it(run: Any, tmp_path: Path) -> None:
    code, out, _ = run("settings", "dump", "LAB/FILT")
    assert code == 0
    file = tmp_path / "lab.json"
    file.write_text(out, encoding="utf-8")
    assert run("settings", "diff", str(file))[0] == 0
    assert run("settings", "set", "LAB/FILT", "cutoff=99", "label=right")[0] == 0
    code, out, _ = run("settings", "diff", str(file))
    assert (code, out) == (1, "LAB/FILT   cutoff 99.0 -> 40.0   label right -> left\n")
    assert len(lines(run("settings", "diff", str(file), "--json")[1])[0]["fields"]) == 2
    code, out, err = run("settings", "apply", str(file), "--dry-run")
    assert code == 0
    assert "Nothing was changed" in err
    assert run("settings", "diff", str(file))[0] == 1
    code, out, err = run("settings", "apply", str(file))
    assert code == 0
    assert "cutoff 99.0 -> 40.0" in out
    assert "1 component changed, 0 refused" in err
    assert run("settings", "diff", str(file))[0] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("{", "is no JSON"),
        ("{}", "holds no settings"),
        ('{"components": {}}', "holds no"),
    ],
)
def test_a_file_that_is_none_is_said_to_be_none(run: Any, tmp_path: Path, text: str | None, said: str) -> None:
    file = tmp_path / "lab.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    for verb in ("diff", "apply"):
        code, out, err = run("settings", verb, str(file))
        assert (code, out) == (2, "")
        assert said in err


def test_what_a_file_says_that_is_refused_is_told_by_component(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    components = {"LAB/FILT": {"cutoff": 9e9}, "LAB/GONE": {"a": 1}}
    form = {"$schema": "ezmsg.settings.dump/1", "components": components}
    file.write_text(json.dumps(form), encoding="utf-8")
    code, _, err = run("settings", "apply", str(file))
    assert code == 4
    assert "! LAB/FILT: EZ-4101" in err
    assert "! LAB/GONE is in the file" in err


def test_events(run: Any) -> None:
    assert run("settings", "set", "LAB/FILT", "cutoff=41")[0] == 0
    assert run("settings", "undo", "LAB/FILT")[0] == 0
    code, out, _ = run("events")
    assert code == 0
    assert any("settings   LAB/FILT" in line and line.endswith(f"by {ME}") for line in out.splitlines())
    assert any("process changed" in line for line in out.splitlines())
    found = lines(run("events", "--last", "3", "--json")[1])
    assert {each["event"] for each in found} <= {"settings", "topology"}
    assert found[-1]["changed_by"] == ME


def test_without_a_server_each_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    for words in (
        ["topic"],
        ["topic", "hz"],
        ["unit"],
        ["session"],
        ["events"],
        ["settings", "history", "A"],
        ["settings", "undo", "A"],
        ["settings", "dump"],
        ["graph", "connect", "A", "B"],
    ):
        assert main([*words, "--address", address]) == 3
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("ezmsg: EZ-3001  No graph server answers")
