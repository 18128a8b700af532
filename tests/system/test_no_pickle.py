"""The graph server opens no pickle, whatever its clients have in their settings, messages and requests."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

HANG = 30.0
EZMSG = (sys.executable, "-c", "import sys; from ezmsg.control.cli import main; sys.exit(main())")

SERVER = """
    import fractions
    import pickle

    from ezmsg.graphserver import GraphServer

    opened = []
    sys.addaudithook(lambda event, what: opened.append(what) if event == "pickle.find_class" else None)
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    say("at", "{}:{}".format(*server.address))
    sys.stdin.readline()
    server.stop()
    say("opened", len(opened), opened[:3])
    pickle.loads(pickle.dumps(fractions.Fraction(1, 2)))
    say("noticed", len(opened))
"""

PROGRAM = """
    import dataclasses
    import enum
    import fractions

    import numpy as np

    class Mode(enum.Enum):
        SLOW = 1
        FAST = 2

    @dataclasses.dataclass
    class Nested:
        ratio: fractions.Fraction
        array: np.ndarray

    class Choices(ez.Settings):
        mode: Mode = Mode.SLOW
        gain: float = 1.0
        nested: Nested = dataclasses.field(
            default_factory=lambda: Nested(fractions.Fraction(1, 2), np.arange(100.0))
        )

    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(fractions.Fraction)

        @ez.publisher(OUTPUT)
        async def send(self):
            while True:
                yield self.OUTPUT, fractions.Fraction(1, 3)
                await asyncio.sleep(0.01)

    class Sink(ez.Unit):
        SETTINGS = Choices
        INPUT = ez.InputStream(fractions.Fraction)
        INPUT_SETTINGS = ez.InputStream(Choices)
        told = False

        @ez.subscriber(INPUT_SETTINGS)
        async def on_settings(self, settings):
            self.apply_settings(settings)
            say("gain", self.SETTINGS.gain)

        @ez.subscriber(INPUT)
        async def take(self, message):
            if not self.told:
                self.told = True
                say("heard", message)

    if __name__ == "__main__":
        source, sink = Source(), Sink(Choices())
        ez.run(SOURCE=source, SINK=sink, connections=((source.OUTPUT, sink.INPUT),), process_components=(sink,))
"""


@pytest.mark.timeout(120)
def test_the_server_opens_no_pickle(start: Callable[..., Any], environment: dict[str, str]) -> None:
    server = start(SERVER, stdin=subprocess.PIPE)
    (_, address) = server.says("at")
    beside = {**environment, "EZMSG_GRAPHSERVER_ADDR": address}
    program = start(PROGRAM, EZMSG_GRAPHSERVER_ADDR=address)
    program.says("heard")

    def asked(*words: str) -> str:
        done = subprocess.run(
            [*EZMSG, *words], env=beside, capture_output=True, text=True, timeout=HANG, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    asked("settings", "set", "SINK", "gain=2.5", "mode=FAST")
    assert program.says("gain")[1] == "2.5"
    assert "SINK" in asked("settings")
    assert json.loads(asked("graph", "--json").splitlines()[0])
    asked("process", "--json")
    asked("process", "stacks", "SINK")
    asked("profile", "trace", "--seconds", "0.5", "--output", str(server.folder / "trace.json"))
    program.process.send_signal(signal.SIGINT)
    program.process.wait(HANG)
    server.process.stdin.write("\n")
    server.process.stdin.close()
    assert server.says("opened")[1] == "0", server.story()
    assert server.says("noticed")[1] == "1", "what would notice one does not"
