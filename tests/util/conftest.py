"""Programs of their own for the tests of units: real graphs, run to their end."""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HANG = 30.0

Run = Callable[..., list[Any]]

BEGINNING = """
import asyncio, json, sys
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any

import numpy as np

import ezmsg.core as ez
from ezmsg.util.messagereplay import MessageCollector
from ezmsg.util.messages.axisarray import AxisArray
from ezmsg.util.terminate import TerminateOnTotal, TerminateOnTotalSettings

class ScriptSettings(ez.Settings):
    messages: Any

class Script(ez.Unit):
    "Sends what it was given, as text the name of a stream and a message, or just a message."
    SETTINGS = ScriptSettings
    OUTPUT = ez.OutputStream(Any)
    OTHER = ez.OutputStream(Any)

    @ez.publisher(OUTPUT)
    @ez.publisher(OTHER)
    async def send(self) -> AsyncIterator[Any]:
        for each in self.SETTINGS.messages:
            name, message = each if isinstance(each, tuple) else ("OUTPUT", each)
            yield getattr(self, name), message
            await asyncio.sleep(0.01)  # two streams are in no order, so one is given time to arrive

def script(*messages):
    return Script(ScriptSettings(messages))

def run(*edges, total, **units):
    "Run a graph until the collector has so many messages, and return them."
    units |= {"KEEP": MessageCollector(), "END": TerminateOnTotal(TerminateOnTotalSettings(total))}
    last = edges[-1][0]
    edges = [*edges[:-1], (last, units["KEEP"].INPUT_MESSAGE)]
    edges.append((units["KEEP"].OUTPUT_MESSAGE, units["END"].INPUT_MESSAGE))
    ez.run(**units, connections=edges, force_single_process=True)
    return units["KEEP"].messages

def tell(value):
    print(json.dumps(value), flush=True)
"""


@pytest.fixture
def run_program(tmp_path: Path) -> Run:
    """Run a program to its end, and return what it told; its log is in ``run_program.log``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("EZMSG_")}
    environment = {**kept, "EZMSG_RUNTIME_DIR": str(tmp_path / "runtime"), "HOME": str(tmp_path)}
    (tmp_path / "runtime").mkdir(mode=0o700)

    def run(source: str, *arguments: object, log: list[str] | None = None, **more: str) -> list[Any]:
        program = tmp_path / "program.py"
        program.write_text(BEGINNING + textwrap.dedent(source))
        command = [sys.executable, str(program), *map(str, arguments)]
        ran = subprocess.run(
            command, env={**environment, **more}, capture_output=True, text=True, timeout=HANG, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        if log is not None:
            log.extend((ran.stdout + ran.stderr).splitlines())
        return [json.loads(line) for line in ran.stdout.splitlines() if line[:1] in '[{"0123456789']

    return run
