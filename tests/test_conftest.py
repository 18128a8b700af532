"""What the tests of a directory share is tested as well, by a run of pytest in a process of its own."""

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

TWO_TESTS = """
    import gc
    import socket

    def test_that_fails():
        never_closed = socket.socket()
        assert never_closed is None

    def test_of_somebody_else():
        gc.collect()
"""


def test_what_a_failed_test_leaves_is_held_against_nobody_else(tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parent / "conftest.py", tmp_path)
    (tmp_path / "test_two.py").write_text(textwrap.dedent(TWO_TESTS), encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-rA", "-W", "error", "-p", "no:asyncio", "--color=no"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=False)
    assert "PASSED test_two.py::test_of_somebody_else" in run.stdout, run.stdout
    assert "FAILED test_two.py::test_that_fails" in run.stdout, run.stdout
    assert "ERROR test_two.py::test_that_fails" in run.stdout, run.stdout
