"""`ezmsg perf`: what is measured as data, and each verb as somebody types it, with very little to measure."""

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.util.errors import BenchmarkUnreadable, SideFailed
from ezmsg.util.perf import ab, benchmark, sides
from ezmsg.util.perf.cases import Case, all_cases, median_of_means, summarised
from ezmsg.util.perf.command import build_parser, main
from ezmsg.util.perf.loads import CONFIGS, LoadSettings
from ezmsg.util.perf.pages import Key, medians, page

HANG = 60.0
LITTLE = ("--count", "20", "--warmup", "2", "--payload-sizes", "64", "--quiet")
TIMES = st.lists(st.floats(1e-6, 10.0), min_size=1, max_size=20)


def perf(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ezmsg.control", "perf", *arguments]
    environment = os.environ | {"EZMSG_LOGLEVEL": "ERROR"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANG, check=False
    )


# --- as data ------------------------------------------------------------------------------------------------------


def test_every_combination_is_a_case_in_an_order_of_the_seed() -> None:
    cases = all_cases(["async", "sync"], ["local", "tcp"], [64, 4096], 2, False, seed=1)
    assert len(set(cases)) == len(cases) == 8
    assert cases == all_cases(["async", "sync"], ["local", "tcp"], [64, 4096], 2, False, seed=1)
    assert Case("async", "shm", 64, 1).case_id == "async/shm/payload=64/buffers=1/trace=false"


@given(TIMES, st.integers(1, 1000))
def test_what_samples_come_to(seconds: list[float], count: int) -> None:
    summary = summarised(seconds, count)
    assert summary.samples == len(seconds)
    assert summary.seconds_min <= summary.seconds_median <= summary.seconds_max
    assert summary.us_per_message_median == pytest.approx(1e6 * statistics.median(seconds) / count)
    assert summary.messages_per_second_median == pytest.approx(count / statistics.median(seconds))
    slack = 1e-9 * summary.seconds_max
    assert summary.seconds_min - slack <= median_of_means(seconds) <= summary.seconds_max + slack


def test_one_outlier_moves_the_median_of_means_little() -> None:
    assert median_of_means([1.0, 1.0, 1.0, 1.0, 100.0, 1.0]) == 1.0


def test_what_times_of_messages_come_to() -> None:
    metrics = benchmark.metrics_of([(0.0, 0.1), (0.1, 0.3), (0.4, 0.5)], size=100)
    assert metrics.num_msgs == 3
    assert metrics.sample_rate_mean == pytest.approx(6.0)
    assert metrics.latency_mean == pytest.approx(0.4 / 3)
    assert metrics.latency_median == pytest.approx(0.1)
    assert metrics.data_rate == pytest.approx(600.0)


@pytest.mark.parametrize(
    ("config", "parts", "edges", "due"), [("fanin", 3, 3, 30), ("fanout", 3, 3, 10), ("relay", 3, 3, 10)]
)
def test_layouts(config: str, parts: int, edges: int, due: int) -> None:
    layout = CONFIGS[config](2, LoadSettings(num_msgs=10, size=16, max_duration=1.0))
    assert (len(layout.parts), len(layout.connections)) == (parts, edges)
    assert layout.sink.SETTINGS.num_msgs == due


def lines(rate: float, latency: float = 1e-3) -> list[dict[str, Any]]:
    params = {"config": "fanin", "comms": "shm", "msg_size": 16, "n_clients": 1}
    results = {"sample_rate_mean": rate, "latency_mean": latency, "data_rate": 1e6}
    return [{"environment": {"python": "<3>"}}, {"params": params, "results": results}, {"other": 1}]


def test_a_page_shows_medians_and_marks_what_differs() -> None:
    assert medians([*lines(1.0), *lines(2.0), *lines(6.0)])[Key("fanin", "shm", 16, 1)]["sample_rate_mean"] == 2.0
    alone = page("one", lines(1000.0))
    assert "1,000.0" in alone
    assert "&lt;3&gt;" in alone
    both = page("two", lines(1100.0, 2e-3), lines(1000.0, 1e-3))
    assert "class='better'>1,100.0 (+10.0 %)" in both
    assert "class='worse'>2,000.0 (+100.0 %)" in both
    assert "class=''>1.0 (+0.0 %)" in both


def test_pairs_are_compared_one_by_one() -> None:
    summary = ab.summary("case", [1.0, 2.0, 4.0], [0.5, 2.0, 3.0])
    assert (summary["change_least"], summary["change_median"], summary["change_most"]) == (-0.5, -0.25, 0.0)


class Scripted(sides.Side):
    """A side that needs no process."""

    def run(self, arguments: Any) -> dict[str, Any]:
        RUNS.append(self.name)
        time_us = 10.0 if self.name == "a" else 5.0
        return {"results": [{"case_id": "case", "summary": {"us_per_message_median": time_us}}]}


RUNS: list[str] = []


def test_sides_take_turns() -> None:
    RUNS.clear()
    form = ab.compare(Scripted("a", ""), Scripted("b", ""), [], rounds=5, prewarm=1, seed=0)
    assert all({*RUNS[start : start + 2]} == {"a", "b"} for start in range(0, len(RUNS), 2))
    assert (RUNS.count("a"), RUNS.count("b")) == (6, 6)
    assert form["cases"][0]["change_median"] == -0.5
    assert any("-50.0 %" in line for line in ab.lines(form))


def test_where_a_side_finds_its_sources(tmp_path: Path) -> None:
    assert sides.sources_of(None) == ()
    (tmp_path / "src").mkdir()
    assert sides.sources_of(tmp_path) == (str(tmp_path / "src"),)
    (tmp_path / "packages" / "one" / "src").mkdir(parents=True)
    assert sides.sources_of(tmp_path) == (str(tmp_path / "packages" / "one" / "src"),)
    assert sides.interpreter(None, tmp_path, "shared") == sys.executable
    with pytest.raises(SideFailed, match=r"it has no \.venv"):
        sides.interpreter(None, tmp_path, "existing")
    assert sides.variables(["A=1", "B=x=y"]) == {"A": "1", "B": "x=y"}
    with pytest.raises(SideFailed, match="NAME=VALUE"):
        sides.variables(["A"])


# --- as typed -----------------------------------------------------------------------------------------------------


def test_the_hot_path(tmp_path: Path) -> None:
    arguments = ("hotpath", *LITTLE, "--samples", "2", "--apis", "async", "sync", "--json-out", "out.json")
    done = perf(*arguments, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert len([line for line in done.stdout.splitlines() if "us/msg" in line]) == 6
    form = json.loads((tmp_path / "out.json").read_text())
    assert (form["suite"], form["count"], form["warmup"]) == ("hotpath", 20, 2)
    assert {result["case"]["transport"] for result in form["results"]} == {"local", "shm", "tcp"}
    assert all(len(result["samples_seconds"]) == 2 for result in form["results"])


def test_the_hot_path_traced(tmp_path: Path) -> None:
    done = perf("hotpath", *LITTLE, "--samples", "1", "--transports", "local", "--trace", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "trace=true" in done.stdout


def test_a_benchmark_and_its_pages(tmp_path: Path) -> None:
    little = ("--warmup", "0", "-i", "1", "-r", "1", "--num-msgs", "20", "--msg-sizes", "16", "--n-clients", "1")
    done = perf(
        "benchmark", *little, "--comms", "local", "tcp_spread", "--name", "t", "--no-browser", folder=tmp_path
    )
    assert (done.returncode, done.stderr) == (0, "")
    noted = list(benchmark.read(tmp_path / "perf_t.txt"))
    assert "python" in noted[0]["environment"]
    assert len(noted) == 1 + 2 * len(CONFIGS)
    assert all(line["results"]["num_msgs"] >= 20 for line in noted[1:])
    assert "<h2>fanin, local</h2>" in (tmp_path / "report_t.html").read_text()
    done = perf(
        "compare", "perf_t.txt", "-b", "perf_t.txt", "--output", "both.html", "--no-browser", folder=tmp_path
    )
    assert done.returncode == 0
    assert "(+0.0 %)" in (tmp_path / "both.html").read_text()


def test_two_interpreters_in_turns(tmp_path: Path) -> None:
    arguments = ("ab", *LITTLE, "--transports", "local", "--rounds", "1", "--prewarm", "0", "--json-out", "ab.json")
    done = perf(*arguments, "--python-b", sys.executable, "--env-b", "EZMSG_BUSY_WAIT_US=0", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    form = json.loads((tmp_path / "ab.json").read_text())
    assert (form["a"], form["b"]) == ("CURRENT", sys.executable)
    assert len(form["cases"]) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "absent.txt", "--no-browser"], "EZ-7303  absent.txt is no benchmark's file"),
        (["benchmark", "--comms", "pigeon", "--warmup", "0"], "There is no 'pigeon' here. Choose one of local"),
        (["ab", "--ref-a", "no-such-commit"], "EZ-7302"),
    ],
)
def test_what_cannot_be_measured_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = perf(*arguments, folder=tmp_path)
    assert done.returncode == 4
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_file_is_no_benchmark(tmp_path: Path) -> None:
    (tmp_path / "perf_x.txt").write_text("no json\n")
    assert list(benchmark.read(tmp_path / "perf_x.txt")) == []
    assert main(["report", str(tmp_path / "perf_x.txt"), "--no-browser"]) == 4
    assert "it has no results" in str(BenchmarkUnreadable(file="x", reason="it has no results in it"))


_GRID = "count warmup apis transports payload_sizes num_buffers trace seed json_out quiet"
_SIDES = "ref_a ref_b dir_a dir_b python_a python_b env_a env_b env env_mode force_shared_env"
PUBLIC = {
    "benchmark": (
        "max_duration num_msgs num_buffers iters repeats msg_sizes n_clients comms configs warmup name no_browser"
    ),
    "report": "perf output no_browser",
    "compare": "perf baseline output no_browser",
    "hotpath": f"{_GRID} samples",
    "ab": f"{_GRID} {_SIDES} rounds prewarm keep_worktrees",
}
"""The verbs of ezmsg 3.10, and what each takes."""


@pytest.mark.parametrize("verb", PUBLIC)
def test_the_words_are_those_of_ezmsg_3(verb: str) -> None:
    given = {"report": ["x"], "compare": ["x", "-b", "y"]}.get(verb, [])
    options = vars(build_parser().parse_args([verb, *given]))
    assert set(PUBLIC[verb].split()) <= options.keys()
