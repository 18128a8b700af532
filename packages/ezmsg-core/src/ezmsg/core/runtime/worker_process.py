"""The life of a worker process, from the arguments that it is handed to its exit.

What it imports is all that a worker that is not forked imports of the run, so it is no more than a worker needs.
"""

import gc
from multiprocessing.connection import Connection

from ezmsg.core.graph.processes import ProcessPlan
from ezmsg.core.runtime.backend import BackendProcess
from ezmsg.core.runtime.main_call import MainCall
from ezmsg.core.runtime.main_thread import join
from ezmsg.core.runtime.signals import let_in
from ezmsg.core.runtime.wishes import Wishes
from ezmsg.core.runtime.worker import Worker, run_units
from ezmsg.core.support.descriptors import leave_closed_output
from ezmsg.core.support.log_setup import LogSetup


def work(
    plan: ProcessPlan,
    pipe: Connection,
    inherited: list[Connection],
    owner: int,
    stop_limit_s: float,
    log_setup: LogSetup,
    backend: type[BackendProcess] | None,
) -> None:
    """Run the units of a plan, as the process whose pid is ``owner`` tells through the pipe, until the end.

    :param inherited: the owner's ends of pipes, of which a forked process holds copies.
    """
    for other in inherited:
        other.close()
    gc.freeze()  # to look for garbage in all modules takes tens of milliseconds, in which no message moves
    log_setup.apply()
    main_call, wishes = MainCall(plan.units), Wishes()
    let_in(main_call, wishes)
    worker = Worker(plan, pipe, main_call, owner=owner, wishes=wishes, stop_limit_s=stop_limit_s, backend=backend)
    join(run_units(worker, main_call))
    leave_closed_output()  # multiprocessing writes out what is buffered, before any exit function
