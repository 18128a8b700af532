"""What the token of each role opens, through the verbs, a real server and real processes."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.tui.conftest import RunningLab, lab

import ezmsg.core as ez
from ezmsg.control.cli import main
from ezmsg.control.connection.discovery import find_token
from ezmsg.protocol.errors import RoleRequired
from ezmsg.protocol.wire.roles import Role, role_of

__all__ = ["lab"]

Told = tuple[int, str, str]
Run = Callable[..., Told]

READS = [
    *(["graph"], ["topic"], ["unit"], ["process"], ["session"], ["settings"], ["settings", "get", "LAB/FILT"]),
    *(["topic", "hz", "--window", "0.2"], ["process", "stacks", "LAB/SLOW"], ["server", "status"]),
    *(["top", "--once"], ["settings", "history", "LAB/FILT"], ["events"], ["profile", "snapshot"], ["snapshot"]),
]
OPERATES = [
    ["graph", "connect", "LAB/GEN/OUTPUT", "SPY"],
    ["graph", "disconnect", "LAB/GEN/OUTPUT", "SPY"],
    ["topic", "echo", "LAB/GEN/OUTPUT", "--count", "1"],
    ["settings", "set", "LAB/FILT", "cutoff=50"],
    ["settings", "set", "LAB/FILT", "cutoff=40"],
]
GOVERNS = [["server", "stop"], ["shutdown"]]


@pytest.fixture
def run(lab: RunningLab, capsys: pytest.CaptureFixture[str]) -> Run:
    def one(*words: str) -> Told:
        code = main([*words, "--address", str(lab.address)])
        told = capsys.readouterr()
        return code, told.out, told.err

    return one


@pytest.fixture
def token_of(run: Run, tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that has a token made, and returns its file."""

    def make(role: str) -> Path:
        file = tmp_path / "config" / role
        code, out, err = run("server", "token", "--role", role, "--file", str(file))
        assert (code, out.strip()) == (0, str(file)), err
        made = file.read_text().strip()
        assert made not in out + err
        assert file.stat().st_mode & 0o777 == 0o600
        assert role_of(made.encode()).word == role
        return file

    return make


@contextlib.contextmanager
def holding(file: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EZMSG_TOKEN_FILE", str(file))
        yield


def refused(told: Told, needed: str, held: str) -> None:
    code, out, err = told
    assert (code, out) == (4, ""), err
    assert "EZ-3013" in err
    assert f"needs the role {needed}, and the token of this client gives {held} only" in err


def test_an_observer_reads_and_no_more(run: Run, token_of: Callable[[str], Path]) -> None:
    with holding(token_of("observer")):
        for words in READS:
            code, _, err = run(*words)
            assert code == 0, (words, err)
        for words in OPERATES:
            refused(run(*words), "operator", "observer")
        for words in GOVERNS:
            refused(run(*words), "admin", "observer")
        assert run("graph")[0] == 0, "the server goes on"


def test_an_operator_changes_and_does_not_govern(run: Run, token_of: Callable[[str], Path]) -> None:
    with holding(token_of("operator")):
        for words in OPERATES:
            code, _, err = run(*words)
            assert code == 0, (words, err)
        for words in GOVERNS:
            refused(run(*words), "admin", "operator")


async def test_a_program_with_an_observers_token_hears_and_says_nothing(
    lab: RunningLab, token_of: Callable[[str], Path]
) -> None:
    with holding(token_of("observer")):
        async with ez.GraphContext(lab.address) as context:
            assert (await context.snapshot()).processes
            for refused_call in (context.publisher("X"), context.subscriber("LAB/GEN/OUTPUT"), context.pause()):
                with pytest.raises(RoleRequired) as caught:
                    await refused_call
                assert caught.value.held == "observer"


def test_no_token_is_made_of_a_lesser_one_or_over_another_file(
    lab: RunningLab, run: Run, token_of: Callable[[str], Path], tmp_path: Path
) -> None:
    own = find_token(lab.address)
    assert own is not None
    assert role_of(own) is Role.ADMIN
    with holding(token_of("observer")):
        code, _, err = run("server", "token", "--role", "operator", "--file", str(tmp_path / "more"))
        assert code == 1
        assert "a token of an observer" in err
    mine = tmp_path / "mine"
    mine.write_bytes(own)
    code, _, err = run("server", "token", "--role", "observer", "--file", str(mine))
    assert code == 1
    assert "holds something else" in err
    assert mine.read_bytes() == own
    assert token_of("observer").read_bytes() == token_of("observer").read_bytes(), "made again, it is the same"
