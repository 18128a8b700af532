"""The tests of the data plane once more, with the means that every system has: named segments, TCP on loopback.

The switch is read when the package is imported, so this takes a process of its own.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from ezmsg.core.support.platform import PASSES_DESCRIPTORS

HERE = Path(__file__).parent
SUITES = [
    HERE / "test_contract.py",
    HERE / "test_hostile_peers.py",
    HERE / "test_peers.py",
    HERE.parent / "transports" / "test_segments.py",
]


@pytest.mark.skipif(not PASSES_DESCRIPTORS, reason="this is that process")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.stem)
def test_the_same_holds_with_the_means_of_other_systems(portable_environment: dict[str, str], suite: Path) -> None:
    # Each event loop is tried with the usual means; for these, one of them is enough.
    chosen = ["-k", "not uvloop"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, str(suite)]
    run = subprocess.run(
        command,
        cwd=HERE.parents[2],
        env=portable_environment,
        capture_output=True,
        text=True,
        timeout=220,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
    assert " passed" in run.stdout
