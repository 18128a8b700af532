"""The profiler of methods in a program of several processes: all write to one file, or nobody does."""

import csv
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MESSAGES = 20

PROGRAM = """
    from types import SimpleNamespace
    import numpy as np
    from ezmsg.util.profiler import profile_method, profile_subpub

    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(object)

        @ez.publisher(OUTPUT)
        @profile_subpub()
        async def produce(self) -> Output:
            for number in range(int(sys.argv[3])):
                axis = SimpleNamespace(offset=float(number), gain=0.25)
                yield self.OUTPUT, SimpleNamespace(data=np.zeros((3, 2)), dims=["time", "ch"], axes={"time": axis})

    class Middle(ez.Unit):
        INPUT = ez.InputStream(object)
        OUTPUT = ez.OutputStream(object)

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        @profile_subpub(trace_oldest=False)
        async def pass_on(self, message: object) -> Output:
            yield self.OUTPUT, await self.look(message)

        @profile_method()
        async def look(self, message: object) -> object:
            return self.see(message)

        @profile_method()
        def see(self, message: object) -> object:
            return message

    class Sink(ez.Unit):
        INPUT = ez.InputStream(object)

        @ez.subscriber(INPUT)
        @profile_subpub()
        async def take(self, message: object) -> None:
            if message.axes["time"].offset == int(sys.argv[3]) - 1:
                raise ez.NormalTermination

    if __name__ == "__main__":
        start_as(sys.argv[1])
        source, middle, sink = Source(), Middle(), Sink()
        ez.run(
            SOURCE=source, MIDDLE=middle, SINK=sink, process_components=(middle, sink),
            connections=((source.OUTPUT, middle.INPUT), (middle.OUTPUT, sink.INPUT)),
            profiler_log_name=sys.argv[2] or None,
        )
"""


def lines(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("method", "name"), [("fork", ""), ("spawn", "mine.csv")])
def test_every_process_writes_to_the_file(
    start: Callable[..., Any], tmp_path: Path, method: str, name: str
) -> None:
    began = time.perf_counter()
    program = start(PROGRAM, method, name, str(MESSAGES), HOME=str(tmp_path), EZMSG_LOGLEVEL="DEBUG")
    assert program.ends() == 0
    (path,) = (tmp_path / ".ezmsg" / "profiler").iterdir()
    assert path.name == (name or "ezprofiler.log")
    written = lines(path)
    counts = Counter((each["Topic"], float(each["SampleTime"]) % 1) for each in written)
    # The last message ends the sink before it is measured.
    assert counts.pop(("SINK", 0.0)) == MESSAGES - 1
    assert counts == {("SOURCE", 0.0): MESSAGES, ("MIDDLE", 0.0): 2 * MESSAGES, ("MIDDLE", 0.5): MESSAGES}
    assert {each["Source"].rpartition(".")[2] for each in written} == {"Source", "Middle", "Sink"}
    for each in written:
        assert began < float(each["PerfCounter"]) - float(each["Elapsed"]) / 1e3


def test_without_debug_there_is_no_file(start: Callable[..., Any], tmp_path: Path) -> None:
    program = start(PROGRAM, "spawn", "mine.csv", str(MESSAGES), HOME=str(tmp_path))
    assert program.ends() == 0
    assert not (tmp_path / ".ezmsg").exists()
