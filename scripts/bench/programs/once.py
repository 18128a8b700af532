"""One unit that ends at once; with a start method, in a process of its own."""

import multiprocessing
import sys

import ezmsg.core as ez


class Once(ez.Unit):
    @ez.task
    async def end(self) -> None:
        raise ez.NormalTermination


if __name__ == "__main__":
    unit = Once()
    if sys.argv[1:]:
        multiprocessing.set_start_method(sys.argv[1])
    ez.run(ONCE=unit, process_components=[unit] if sys.argv[1:] else [])
