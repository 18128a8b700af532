"""The server's page of metrics, while two processes of a run are at work."""

import urllib.request
from collections.abc import Callable
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.graphserver.conftest import ServerProcess

HANG = 30.0

PROGRAM = """
    class Sink(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def take(self, number: int) -> None:
            if number == 999:
                say("all")

    class Source(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def count(self) -> Output:
            for number in range(1000):
                yield self.OUTPUT, number
            await asyncio.Event().wait()

    if __name__ == "__main__":
        source, sink = Source(), Sink()
        ez.run(
            SOURCE=source, SINK=sink, connections=((source.OUTPUT, sink.INPUT),), process_components=(sink,),
            graph_address=sys.argv[1],
        )
"""


def test_two_processes_are_counted(start: Callable[..., Any], environment: dict[str, str]) -> None:
    options = ("--address", "127.0.0.1:0", "--metrics", "127.0.0.1:0")
    server = ServerProcess(*options, environ={"EZMSG_RUNTIME_DIR": environment["EZMSG_RUNTIME_DIR"]})
    try:
        address = server.wait_ready()
        program = start(PROGRAM, str(address))
        program.says("all")
        (page,) = [line.split()[-1] for line in server.lines if "/metrics" in line]
        with urllib.request.urlopen(page, timeout=HANG) as response:
            text = response.read().decode()
    finally:
        server.process.kill()
        server.process.communicate(timeout=HANG)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def values(name: str, topic: str) -> list[float]:
        return [each.value for each in samples if each.name == name and each.labels.get("topic") == topic]

    up = {each.labels["pid"]: each.value for each in samples if each.name == "ezmsg_process_up"}
    assert len(up) == 2
    assert set(up.values()) == {1}
    assert str(program.pid) in up
    assert values("ezmsg_published_messages_total", "SOURCE/OUTPUT") == [1000]
    assert values("ezmsg_received_messages_total", "SINK/INPUT") == [1000]
    assert values("ezmsg_channel_messages_total", "SOURCE/OUTPUT") == [1000]
    assert values("ezmsg_traced_seconds_total", "SOURCE/OUTPUT") == [], "something is traced"
