"""Runs the tests of a promise many times, and says how many trials held and how long the slowest took."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from promises import Figure, Row

ROOT = Path(__file__).parents[2]
WORKERS = 4
"""Most of these tests wait for programs that they have started."""

TRIAL_LIMIT_S = 120.0


def run_row(row: Row, trials: int) -> Figure:
    """Run the tests of a row so many times each."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", str(WORKERS), "--dist", "worksteal", "-p", "trials"]
        command += ["--trials", str(trials), "--junitxml", str(report), f"--timeout={TRIAL_LIMIT_S}", *row.tests]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if not report.exists():
            return Figure(row.fault, row.promise, f"could not be run: {done.stdout[-300:]}", held=False)
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314  we wrote it
    skipped = [case for case in cases if case.find("skipped") is not None]
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    ran = [case for case in cases if case not in skipped]
    for case in failed:
        print(f"    failed: {case.get('classname')} {case.get('name')}", flush=True)
    slowest_s = max((float(case.get("time", "0")) for case in ran), default=0.0)
    measured = f"{len(ran) - len(failed)} of {len(ran)} trials, the slowest {slowest_s:.1f} s"
    if skipped:
        measured += f"; {len(skipped)} could not be tried here"
    return Figure(row.fault, row.promise, measured, held=bool(ran) and not failed)
