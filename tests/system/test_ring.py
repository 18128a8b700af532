"""Many units in a few processes: what a large graph costs, measured by the script that maintainers run."""

import json
import sys
from pathlib import Path

import pytest

RING = Path(__file__).parents[2] / "scripts" / "bench" / "ring.py"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what processes use")
def test_five_hundred_units_in_eight_processes(start):
    program = start.command(sys.executable, str(RING), "--units", "500", "--processes", "8")
    assert program.ends() == 0
    measured = json.loads(program.out[0])
    assert measured["units"] == 500
    assert measured["processes"] == 8
    assert measured["memory_mib"] < 2048
    assert measured["most_open_files"] <= 300
