"""Units of one process share their messages: who changes one is found, and who asks for copies has them."""

from typing import Any

import pytest

SOURCE = """
import asyncio
from typing import Any

import numpy as np

import ezmsg.core as ez

class Source(ez.Unit):
    OUTPUT = ez.OutputStream(Any)

    @ez.publisher(OUTPUT)
    async def publish(self):
        for _ in range(3):
            await asyncio.sleep(0)
            yield self.OUTPUT, {"data": np.ones(1000)}
        raise ez.Complete

class Scale(ez.Unit):
    INPUT = ez.InputStream(Any)

    @ez.subscriber(INPUT%s)
    async def scale(self, message):
        message["data"] *= 2

class Look(ez.Unit):
    INPUT = ez.InputStream(Any)
    seen = 0

    @ez.subscriber(INPUT)
    async def look(self, message):
        await asyncio.sleep(0.01)
        print("saw", message["data"][0], flush=True)
        self.seen += 1
        if self.seen == 3:
            raise ez.NormalTermination

if __name__ == "__main__":
    units = {"SOURCE": Source(), "SCALE": Scale(), "LOOK": Look()}
    out = units["SOURCE"].OUTPUT
    ez.run(components=units, connections=[(out, units["SCALE"].INPUT), (out, units["LOOK"].INPUT)])
"""


def lines(program: Any) -> list[str]:
    assert program.ends() == 0
    return [line.split()[1] for line in program.out if line.startswith("saw")]


def test_who_changes_a_shared_message_is_named(start: Any) -> None:
    program = start(SOURCE % "", EZMSG_DEBUG_VIEWS="1")
    assert lines(program) == ["2.0"] * 3
    assert program.errors.count("was changed while it was lent to SCALE:scale") == 1, program.story()


@pytest.mark.parametrize("debug", ["0", "1"])
def test_a_function_that_asks_for_copies_changes_nobodys(start: Any, debug: str) -> None:
    program = start(SOURCE % ", zero_copy=False", EZMSG_DEBUG_VIEWS=debug)
    assert lines(program) == ["1.0"] * 3
    assert "was changed" not in program.errors, program.story()
