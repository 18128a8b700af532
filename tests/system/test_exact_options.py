"""No command line takes an abbreviated option, or repeats what was given to one that it does not know."""

import argparse
import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = "s3cret-of-somebody"

PREFIXED = [
    ["ezmsg.graphserver", "--token", SECRET],
    ["ezmsg.graphserver", f"--token={SECRET}"],
    ["ezmsg.control", "server", "run", "--token", SECRET],
    ["ezmsg.control", "server", "start", f"--token={SECRET}"],
    ["ezmsg.core", "serve", "--token", SECRET],
    ["ezmsg.tui", "--token", SECRET],
    ["ezmsg.util.perf.command", "hotpath", "--token", SECRET],
    ["ezmsg.graphserver", "--addr", "127.0.0.1:0"],
    ["ezmsg.control", "server", "run", "--addr", "127.0.0.1:0"],
    ["ezmsg.core", "serve", "--addr", "127.0.0.1:0"],
    ["ezmsg.core", "mermaid", "--nobrow"],
    ["ezmsg.tui", "--addr", "127.0.0.1:0"],
    ["ezmsg.util.perf.command", "hotpath", "--sample", "1"],
]


@pytest.mark.parametrize("words", PREFIXED, ids=lambda words: " ".join(words[:3]))
def test_an_abbreviation_is_refused_and_no_secret_is_repeated(words: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=30, check=False)
    assert ran.returncode == 2, ran.stderr
    assert SECRET not in ran.stdout + ran.stderr
    option = next(word for word in words if word.startswith("--")).partition("=")[0]
    assert option in ran.stderr


def parsers() -> Iterator[tuple[Path, ast.Call]]:
    for folder in ("packages", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ArgumentParser"):
                    yield path, node


def test_every_parser_is_exact() -> None:
    found = list(parsers())
    assert found, "where are the parsers?"
    for path, call in found:
        assert any(word.arg == "allow_abbrev" for word in call.keywords), f"{path}:{call.lineno}"


def test_subcommands_of_others_are_exact_too() -> None:
    from ezmsg.core.commands.command_line import build_parser
    from ezmsg.util.perf.command import setup_perf_cmdline

    theirs = argparse.ArgumentParser()
    setup_perf_cmdline(theirs.add_subparsers())
    pending: list[argparse.ArgumentParser] = [build_parser()]
    (action,) = [each for each in theirs._actions if isinstance(each, argparse._SubParsersAction)]
    pending += action.choices.values()
    while pending:
        parser = pending.pop()
        assert not parser.allow_abbrev, parser.prog
        for each in parser._actions:
            if isinstance(each, argparse._SubParsersAction):
                pending += each.choices.values()


def test_a_token_is_not_in_the_command_line_of_a_server_that_has_one(tmp_path: Path) -> None:
    environ = {**os.environ, "EZMSG_TOKEN": SECRET, "EZMSG_RUNTIME_DIR": str(tmp_path / "run")}
    command = [sys.executable, "-m", "ezmsg.control", "server", "start", "--address", "127.0.0.1:0", "--json"]
    log = tmp_path / "log"
    ran = subprocess.run(
        [*command, "--log-file", str(log)], capture_output=True, text=True, timeout=60, env=environ, check=False
    )
    assert ran.returncode == 0, ran.stderr
    import json

    known = json.loads(ran.stdout)
    try:
        assert SECRET not in ran.stdout + ran.stderr
        if sys.platform == "linux":
            assert SECRET.encode() not in Path(f"/proc/{known['pid']}/cmdline").read_bytes()
    finally:
        stop = [sys.executable, "-m", "ezmsg.control", "server", "stop", "--address", known["address"]]
        subprocess.run(stop, timeout=60, env=environ, check=True, capture_output=True)
    assert SECRET not in log.read_text()
