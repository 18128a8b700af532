"""``ezmsg completion``: scripts that shells take, and what they complete."""

import shutil
import subprocess

import pytest

from ezmsg.control.cli import main

HANG = 30.0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_knows_every_verb(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert all(word in told.out for word in ("settings", "echo", "blame", "top", "run"))
    program = shutil.which(shell)
    if program is not None:
        done = subprocess.run(
            [program, "-n"], input=told.out, capture_output=True, text=True, timeout=HANG, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    program = shutil.which("bash")
    if program is None:
        pytest.skip("there is no bash here")
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    script += "COMP_WORDS=(ezmsg settings hi); COMP_CWORD=2\n"
    script += '"$(complete -p ezmsg | sed "s/.*-F \\([^ ]*\\).*/\\1/")"\n'
    script += 'printf "%s\\n" "${COMPREPLY[@]}"\n'
    done = subprocess.run([program], input=script, capture_output=True, text=True, timeout=HANG, check=False)
    assert done.stdout.split() == ["history"], done.stderr


def test_another_shell_is_refused_with_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "bash" in told.err
