"""``hatch run bench``: its table, how bars are judged, what is kept and written, and one workload that runs."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "scripts" / "bench"
ROW = "stream/local/16B"


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCH)


def record(path: str, **rates: list[float | None]):  # type: ignore[no-untyped-def]
    from records import Record
    from workloads import WORKLOADS

    work = next(work for work in WORKLOADS if work.path == path)
    key = work.metrics[0].key
    sides = {"ours": "ours", "public": "3.9.0"}
    results = {
        sides[side]: [{"turn": turn, key: rate} for turn, rate in enumerate(given) if rate is not None]
        for side, given in rates.items()
    }
    return Record(work, results)


def test_no_two_workloads_have_one_path_and_each_bar_is_of_what_is_told() -> None:
    from page import TITLES
    from workloads import GROUPS, OURS, OURS_UVLOOP, WORKLOADS

    assert len({work.path for work in WORKLOADS}) == len(WORKLOADS)
    assert set(TITLES) == set(GROUPS)
    for work in WORKLOADS:
        json.dumps(work.parameters)
        for bar in work.bars:
            assert bar.metric in work.metrics, work.path
            assert bar.side in (None, OURS, OURS_UVLOOP)
            assert bar.versus is None or bar.versus in work.sides, work.path


@pytest.mark.parametrize(("ours", "met"), [(61.0, True), (59.0, False)])
def test_a_rate_has_to_be_at_least_its_bar(ours: float, met: bool) -> None:
    from records import verdicts

    (verdict,) = verdicts(record(ROW, ours=[ours], public=[10.0]))
    assert (verdict.met, verdict.bar.limit) == (met, 6)


@pytest.mark.parametrize(("ours", "met"), [(23.0, True), (25.0, False)])
def test_a_time_has_to_be_at_most_its_bar(ours: float, met: bool) -> None:
    from records import verdicts

    (verdict,) = verdicts(record("round-trip/local/16B", ours=[ours], public=[100.0]))
    assert (verdict.met, verdict.bar.limit) == (met, 0.24)


def test_a_ratio_is_of_each_turn_and_not_of_the_medians() -> None:
    # A machine that was ten times slower in one of its turns was so for both sides.
    one = record(ROW, ours=[70.0, 7.0, 80.0], public=[10.0, 1.0, 10.0])
    assert one.ratio("ours", one.work.metrics[0]) == 7.0


def test_a_turn_that_failed_on_one_side_leaves_the_others_in_their_pairs() -> None:
    one = record(ROW, ours=[None, 7.0, 70.0], public=[10.0, 1.0, 10.0])
    assert one.ratio("ours", one.work.metrics[0]) == 7.0


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_cost_is_found(power: float) -> None:
    from records import Curve
    from workloads import EACH

    points = tuple((float(x), float(x) ** (power - 1.0)) for x in (10, 100, 500, 1000, 2000))
    assert Curve("edges", EACH, "ours", points).exponent == pytest.approx(power)


def test_what_is_kept_is_read_again_and_written_as_a_page(tmp_path: Path) -> None:
    from page import whole_chart, write
    from records import as_json, from_json

    kept = [record(ROW, ours=[50.0, 70.0], public=[10.0, 10.0])]
    grown = [record(f"growth/edges/{x}", ours=[each]) for x, each in (("1,000", 20.0), ("3,000", 21.0))]
    surroundings = {"machine": {"processor": "one"}, "turns": 2, "seconds": 1.0}
    records, around = from_json([as_json(kept, surroundings), as_json(grown, surroundings)])
    page = write(records, around, tmp_path).read_text(encoding="utf-8")
    assert "6.00" in page
    assert "processor one" in page
    drawings = {path.name for path in (tmp_path / "speed").iterdir()}
    assert drawings == {"stream.svg", "growth-edges.svg"}
    assert all(f"speed/{name}" in page for name in drawings)
    for path in (tmp_path / "speed").iterdir():
        ET.fromstring(path.read_text(encoding="utf-8"))
    ET.fromstring(whole_chart(records))


@pytest.mark.parametrize(
    "text",
    [
        "100.00    0.047671           6      7654       120 total\n",
        "100.00    0.000000           0      7654           total\n",
        "# started on Mon\n\n7654,,raw_syscalls:sys_enter,12,100.00,,\n",
    ],
)
def test_system_calls_are_read_from_either_program(text: str, tmp_path: Path) -> None:
    from measure import calls_in

    path = tmp_path / "lead"
    path.write_text(text, encoding="utf-8")
    assert calls_in(path) == 7654


def test_a_workload_runs(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    command = [sys.executable, str(BENCH / "bench.py"), "--only", "paced/one", "--sides", "ours", "--turns", "1"]
    command += ["--seconds", "0.05", "--json", str(file)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (workload,) = json.loads(file.read_text())["workloads"]
    (result,) = workload["results"]["ours"]
    assert result["messages"] == 50
    assert result["transport_seen"] == "shm"
    assert result["unclean_exit"] == []
