"""Runs the tests of the promises many times, and says how many trials held and how long the slowest took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

from promises import Figure, Row

ROOT = Path(__file__).parents[2]
WORKERS = 4
"""Most of these tests wait for programs that they have started."""

TRIAL_LIMIT_S = 120.0

WHY_LINES = 25


def run_rows(rows: Sequence[Row], trials: int) -> list[Figure]:
    """Run the tests of all rows, so many times each, in one run of pytest, as its start takes long."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(WORKERS), "--dist", "worksteal", "-p", "trials"]
        command += ["--trials", str(trials), "--junitxml", str(report), f"--timeout={TRIAL_LIMIT_S}"]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(
            [*command, *(test for row in rows for test in row.tests)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            raise RuntimeError(f"pytest could not be run: {done.stdout[-2000:]}")
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  we wrote it
    return [_figure(row, [case for case in cases if _is_of(case, row)]) for row in rows]


def _is_of(case: ElementTree.Element, row: Row) -> bool:
    """Whether a test that ran is one of a row's: all of a file, or one of its functions."""
    module, function = case.get("classname", ""), case.get("name", "").partition("[")[0]
    for test in row.tests:
        path, _, name = test.partition("::")
        if path.removesuffix(".py").replace("/", ".") == module and name in ("", function):
            return True
    return False


def _figure(row: Row, cases: Sequence[ElementTree.Element]) -> Figure:
    skipped = [case for case in cases if case.find("skipped") is not None]
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    ran = [case for case in cases if case not in skipped]
    for case in failed:
        print(f"    failed: {case.get('classname')} {case.get('name')}\n{_why(case)}", flush=True)
    slowest_s = max((float(case.get("time", "0")) for case in ran), default=0.0)
    measured = f"{len(ran) - len(failed)} of {len(ran)} trials, the slowest {slowest_s:.1f} s"
    if skipped:
        measured += f"; {len(skipped)} could not be tried here"
    return Figure(row.fault, row.promise, measured, held=bool(ran) and not failed)


def _why(case: ElementTree.Element) -> str:
    """Return what a test failed for, the last lines of it."""
    found = case.find("failure")
    found = case.find("error") if found is None else found
    lines = ((found.text if found is not None else "") or "").splitlines()
    return "\n".join(f"        {line}" for line in lines[-WHY_LINES:])
