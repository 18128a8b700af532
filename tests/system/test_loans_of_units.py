"""A unit fills an array that its stream lends, and yields it: in its own process and in another one."""

import pytest


@pytest.mark.parametrize("apart", [True, False])
def test_a_unit_yields_what_its_stream_lent(start, apart):
    program = start(
        f"""
        import numpy as np

        class Filler(ez.Unit):
            OUTPUT = ez.OutputStream(np.ndarray, num_buffers=4)

            @ez.publisher(OUTPUT)
            async def fill(self):
                for number in range(100):
                    async with self.OUTPUT.loan((50, 4), np.float32) as array:
                        array[...] = number
                        yield self.OUTPUT, array

        class Adder(ez.Unit):
            INPUT = ez.InputStream(np.ndarray)

            async def initialize(self):
                self.number = 0

            @ez.subscriber(INPUT)
            async def add(self, array):
                assert array.shape == (50, 4) and array.dtype == np.float32
                assert (array == self.number).all()
                self.number += 1
                if self.number == 100:
                    say("all of them")
                    raise ez.NormalTermination

        class Never(ez.Unit):
            OUTPUT = ez.OutputStream(int)

        if __name__ == "__main__":
            try:
                Never().OUTPUT.loan(3)
            except RuntimeError as error:
                say("refused", error)
            filler, adder = Filler(), Adder()
            ez.run(
                FILLER=filler,
                ADDER=adder,
                connections=((filler.OUTPUT, adder.INPUT),),
                process_components=(adder,) if {apart} else (),
            )
        """
    )
    assert program.ends() == 0
    assert program.says("refused")
    assert program.says("all of them")
