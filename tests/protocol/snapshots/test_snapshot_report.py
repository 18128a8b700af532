"""The example that needs ``ezmsg-protocol`` alone: a report of a graph from the bytes of a snapshot."""

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from hypothesis import given

from ezmsg.protocol import GraphSnapshot, encode
from ezmsg.protocol.model import (
    DynamicSettingsMetadata,
    Edge,
    GraphMetadata,
    InputStreamMetadata,
    OutputStreamMetadata,
    SnapshotProcess,
    SnapshotSession,
    UnitMetadata,
)
from ezmsg.protocol.testing import snapshots

SCRIPT = Path(__file__).parents[3] / "docs" / "examples" / "snapshot_report" / "report.py"
UNIT = UnitMetadata(
    address="LAB/FILTER",
    name="FILTER",
    component_type="lab.Filter",
    settings_type="lab.FilterSettings",
    initial_settings=(None, {"cutoff": 12.5}),
    dynamic_settings=DynamicSettingsMetadata(enabled=False, input_topic=None, settings_type=None),
    settings_schema=None,
    streams={
        "INPUT": InputStreamMetadata("INPUT", "LAB/FILTER/INPUT", "lab.Signal"),
        "OUTPUT": OutputStreamMetadata("OUTPUT", "LAB/FILTER/OUTPUT", "lab.Signal"),
    },
    tasks=[],
    main=None,
    threads=[],
)
SNAPSHOT = GraphSnapshot(
    graph={"SOURCE": ["LAB/FILTER/INPUT"], "LAB/FILTER/INPUT": []},
    edge_owners={Edge("SOURCE", "LAB/FILTER/INPUT"): ["session-1", "persistent"]},
    sessions={"session-1": SnapshotSession([], GraphMetadata(1, "LAB", {"LAB/FILTER": UNIT}))},
    processes={UUID(int=1): SnapshotProcess(UUID(int=1), 4711, "lab-pc", ["LAB/FILTER"])},
    epoch=UUID(int=2),
    topology_seq=12,
)
REPORT = """\
1 session, 1 unit, 1 edge, 1 process
server run 00000000-0000-0000-0000-000000000002, topology event 12

Sessions
  session-1  LAB: 1 component, 0 edges

Units
  LAB/FILTER  lab.Filter, process 4711 on lab-pc
    settings: {'cutoff': 12.5}
    in  INPUT  lab.Signal
    out OUTPUT  lab.Signal

Edges
  SOURCE -> LAB/FILTER/INPUT  owned by session-1, persistent

Processes
  4711 on lab-pc: LAB/FILTER
"""


def run(*arguments: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], input=data, capture_output=True, timeout=50, check=False
    )


def lines(output: bytes) -> list[str]:
    return output.decode().splitlines()


def test_a_file_becomes_a_report(tmp_path: Path) -> None:
    file = tmp_path / "lab.snapshot"
    file.write_bytes(encode(SNAPSHOT))
    done = run(str(file))
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines(done.stdout) == REPORT.splitlines()


def test_standard_input_becomes_a_report() -> None:
    done = run(data=encode(GraphSnapshot({}, {}, {})))
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines(done.stdout)[0] == "0 sessions, 0 units, 0 edges, 0 processes"
    assert lines(done.stdout).count("  none") == 4


def test_a_text_that_cannot_be_shown_is_escaped() -> None:
    done = run(data=encode(GraphSnapshot({}, {Edge("A\ud800", "B"): ["persistent"]}, {})))
    assert done.returncode == 0
    assert b"A\\ud800 -> B  owned by persistent" in done.stdout


def test_what_is_no_snapshot_is_refused() -> None:
    for data, reason in ((b"", "EZ-1002"), (b"\xff", "EZ-1004"), (encode({"graph": []}), "$.graph")):
        done = run(data=data)
        assert done.returncode == 1
        assert done.stdout == b""
        assert "This is not a snapshot." in done.stderr.decode()
        assert reason in done.stderr.decode()


@given(snapshots())
def test_every_snapshot_has_a_report(snapshot: GraphSnapshot) -> None:
    report: Any = runpy.run_path(str(SCRIPT))["report"]
    text = list(report(snapshot))
    assert all(f"{edge.from_topic} -> {edge.to_topic}" in "\n".join(text) for edge in snapshot.edge_owners)
    assert [title for title in ("Sessions", "Units", "Edges", "Processes") if title not in text] == []
