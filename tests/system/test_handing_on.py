"""Views of another process's messages that many units of one process hand on to each other, several under way."""

import pytest


@pytest.mark.parametrize("kind", ["array", "dataclass"])
def test_a_long_row_of_relays_passes_all_of_it_on(start, kind):
    program = start(
        f"""
        from dataclasses import dataclass
        import numpy as np

        @dataclass
        class Sheet:
            data: np.ndarray

        RELAYS, COUNT = 8, 400

        class Source(ez.Unit):
            OUTPUT = ez.OutputStream(object)

            @ez.publisher(OUTPUT)
            async def send(self):
                for number in range(COUNT):
                    array = np.full(4, number)
                    yield self.OUTPUT, array if "{kind}" == "array" else Sheet(array)

        class Relay(ez.Unit):
            INPUT = ez.InputStream(object)
            OUTPUT = ez.OutputStream(object)

            @ez.subscriber(INPUT)
            @ez.publisher(OUTPUT)
            async def pass_on(self, message):
                yield self.OUTPUT, message

        class Sink(ez.Unit):
            INPUT = ez.InputStream(object)

            async def initialize(self):
                self.number = 0

            @ez.subscriber(INPUT)
            async def take(self, message):
                array = message if "{kind}" == "array" else message.data
                assert (array == self.number).all(), (array, self.number)
                self.number += 1
                if self.number == COUNT:
                    say("all of them")
                    raise ez.NormalTermination

        if __name__ == "__main__":
            source, sink = Source(), Sink()
            relays = [Relay() for _ in range(RELAYS)]
            row = [source, *relays, sink]
            ez.run(
                components={{f"U{{number}}": unit for number, unit in enumerate(row)}},
                connections=[(a.OUTPUT, b.INPUT) for a, b in zip(row, row[1:])],
                process_components=(source,),
            )
        """
    )
    assert program.says("all of them")
    assert program.ends() == 0
