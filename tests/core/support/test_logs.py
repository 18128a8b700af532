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
