"""A graph that is still being set up, as others see it: who is waited for, since when, and what it can be asked."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

HANG = 30.0
EZMSG = (sys.executable, "-c", "import sys; from ezmsg.control.cli import main; sys.exit(main())")
Start = Callable[..., Any]

PROGRAM = """
    import pathlib

    GO = pathlib.Path(sys.argv[1])

    class GainSettings(ez.Settings):
        gain: float = 1.0

    class Slow(ez.Unit):
        SETTINGS = GainSettings
        INPUT_SETTINGS = ez.InputStream(GainSettings)

        async def initialize(self):
            say("initializing")
            while not GO.exists():
                {wait}

        @ez.subscriber(INPUT_SETTINGS)
        async def on_settings(self, settings):
            self.apply_settings(settings)

    class Quick(ez.Unit):
        @ez.task
        async def stay(self):
            say("running", self.address)
            await asyncio.Event().wait()

    if __name__ == "__main__":
        start_as("spawn")
        slow = Slow()
        ez.run(SLOW=slow, QUICK=Quick(), process_components=(slow,))
"""


def asked(environment: dict[str, str], *words: str) -> str:
    command = [*EZMSG, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=True).stdout


def processes(environment: dict[str, str]) -> dict[str, dict[str, Any]]:
    lines = asked(environment, "process", "--json").splitlines()
    return {each["units"][0]: each for each in map(json.loads, lines)}


@pytest.mark.parametrize("wait", ["await asyncio.sleep(0.02)", "time.sleep(0.02)"])
def test_a_process_in_initialize_is_shown_as_starting(
    start: Start, environment: dict[str, str], tmp_path: Any, wait: str
) -> None:
    go = tmp_path / "go"
    program = start(PROGRAM.format(wait=wait), str(go))
    program.says("initializing")
    deadline_s = time.monotonic() + HANG
    while (quick := processes(environment).get("QUICK", {})).get("phase") != "ready":
        assert time.monotonic() < deadline_s, program.story()
    slow = processes(environment)["SLOW"]
    assert (slow["phase"], list(slow["waits_for"])) == ("starting", ["SLOW"])
    assert slow["waits_for"]["SLOW"] > 0
    assert quick["waits_for"] == {}
    assert "starting: SLOW for " in asked(environment, "process")

    # What is asked of it meanwhile waits until it can be done.
    setting = subprocess.Popen(
        [*EZMSG, "settings", "set", "SLOW", "gain=2.5", "--timeout", str(HANG)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    go.touch()
    program.says("running QUICK")
    assert "2.5" in setting.communicate(timeout=HANG)[0]
    assert setting.returncode == 0
    assert {each["phase"] for each in processes(environment).values()} == {"running"}
    program.signal(2)
    assert program.ends() == 0


CHAIN = """
    import json
    from collections import Counter
    from ezmsg.control import ControlConnection

    ASKED = Counter()
    request = ControlConnection.request

    async def counted(self, body, **kwargs):
        ASKED[type(body).__name__] += 1
        return await request(self, body, **kwargs)

    ControlConnection.request = counted

    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def publish(self):
            yield self.OUTPUT, 1

    class Hop(ez.Unit):
        INPUT = ez.InputStream(int)
        OUTPUT = ez.OutputStream(int)

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def hand_on(self, message):
            yield self.OUTPUT, message + 1

    class Sink(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def end(self, message):
            starting = {name: count for name, count in ASKED.items() if name != "Connect"}
            say("came", message, json.dumps(starting))
            raise ez.NormalTermination

    if __name__ == "__main__":
        hops = {f"HOP{number}": Hop() for number in range(int(sys.argv[1]))}
        units = {"SOURCE": Source(), **hops, "SINK": Sink()}
        ends = list(units.values())
        ez.run(components=units, connections=[(one.OUTPUT, other.INPUT) for one, other in zip(ends, ends[1:])])
"""


def test_as_many_requests_start_thirty_units_as_ten(start: Start) -> None:
    """What its units declare goes together, whatever there is of it."""
    asked_for = []
    for hops in (10, 30):
        program = start(CHAIN, str(hops))
        _, came, *requests = program.says("came")
        assert int(came) == hops + 1
        asked_for.append(json.loads(" ".join(requests)))
        assert program.ends() == 0
    few, many = asked_for
    assert many == few
    assert many["DeclareEndpoints"] == 1
