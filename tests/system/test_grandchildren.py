"""Units that start processes and leave them behind: those hold copies of what their parents had open."""

import os
import signal

import pytest

GRANDPARENT = """
    class Grandparent(ez.Unit):
        @ez.task
        async def fork(self):
            if os.fork() == 0:
                while True:
                    time.sleep(60)
            say("forked", os.getpid())
            {then}

    if __name__ == "__main__":
        start_as("{method}")
        unit = Grandparent()
        try:
            ez.run(UNIT=unit, HERE=Here(), process_components=(unit,))
        finally:
            say("over")
"""


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_that_dies_is_seen_though_its_child_lives(start, method):
    program = start(GRANDPARENT.format(method=method, then="await asyncio.Event().wait()"))
    worker = int(program.says("forked")[1])
    os.kill(worker, signal.SIGKILL)
    program.says("over")
    program.kill()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_run_ends_though_a_workers_child_lives(start, method):
    program = start(GRANDPARENT.format(method=method, then="raise ez.NormalTermination"))
    program.says("over")
    program.kill()
