"""Whether anybody reads standard output, asked of a real pipe; and the three descriptors that must be there."""

import os
import subprocess
import sys

HANG = 30.0


def ask(stdout: int) -> int:
    code = (
        "import sys\nfrom ezmsg.core.support.descriptors import output_is_closed\n"
        "sys.stdin.readline()\nsys.exit(7 if output_is_closed() else 0)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=stdout)
    process.communicate(b"\n", timeout=HANG)
    return process.returncode


def test_a_pipe_whose_reader_has_gone_is_closed() -> None:
    read, write = os.pipe()
    assert ask(write) == 0
    os.close(read)
    assert ask(write) == 7
    os.close(write)


def test_a_file_is_open() -> None:
    with open(os.devnull, "wb") as file:  # noqa: PTH123  its descriptor is what this is about
        assert ask(file.fileno()) == 0
