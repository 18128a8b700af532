"""The shared logger writes each line once, whatever the program has set up."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("before", ["", "import logging; logging.basicConfig()"])
@pytest.mark.parametrize("after", ["", "import logging; logging.basicConfig()"])
def test_a_line_comes_once(before, after):
    program = f"{before}\nfrom ezmsg.core.support.logs import logger\n{after}\nlogger.warning('a line')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.count("a line") == 1


SPAWNS = """
import multiprocessing
import ezmsg.core as ez

def work():
    ez.logger.info("child at %d", ez.logger.level)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work)
    process.start()
    process.join()
    ez.logger.debug("fine")
"""


@pytest.mark.parametrize(
    ("level", "said", "is_info"), [("loud", 1, True), ("debug", 0, False), ("10", 0, False), ("", 0, True)]
)
def test_a_level_that_is_none_is_said_once(tmp_path, monkeypatch, level, said, is_info):
    monkeypatch.setenv("EZMSG_LOGLEVEL", level)
    program = tmp_path / "program.py"
    program.write_text(SPAWNS)
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.count(f"EZMSG_LOGLEVEL={level} is no level, so that it is INFO") == said
    assert ("child at 20" in done.stderr) is is_info
    assert ("fine" in done.stderr) is not is_info
