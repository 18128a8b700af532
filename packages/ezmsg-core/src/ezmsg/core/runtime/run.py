"""``run``: the one call that most programs make."""

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from ezmsg.core.graph.component import Component
from ezmsg.core.graph.streams import Stream
from ezmsg.core.graph.unit import Unit
from ezmsg.protocol.addresses import AddressType

if TYPE_CHECKING:
    from ezmsg.core.runtime.backend import BackendProcess

logger = logging.getLogger("ezmsg")


def run(
    components: Mapping[str, Component] | None = None,
    root_name: str | None = None,
    connections: Iterable[tuple[Stream | str, Stream | str]] | None = None,
    process_components: Collection[Component] | None = None,
    backend_process: "type[BackendProcess] | None" = None,
    graph_address: AddressType | None = None,
    force_single_process: bool = False,
    profiler_log_name: str | None = None,
    auto_start: bool | None = None,
    *,
    shutdown_timeout: float | None = None,
    dead_worker: str = "fail_fast",
    ends_with: Unit | str | Iterable[Unit | str] = (),
    transport: str | None = None,
    **components_kwargs: Component,
) -> None:
    """Run components until they are done, and return.

    ::

        source, sink = Source(), Sink()
        ez.run(
            SOURCE=source,
            SINK=sink,
            connections=((source.OUTPUT, sink.INPUT),),
            process_components=(sink,),
        )

    It ends when every task has ended, when one raises ``ez.NormalTermination``, or on Ctrl-C; then every unit's
    ``shutdown`` runs. Where worker processes are spawned and not forked, as on macOS and Windows, the call stands
    under ``if __name__ == "__main__":``.

    :param components: components by name; or give them by keyword.
    :param root_name: what stands before every component's address.
    :param connections: pairs of streams, or topics, beside those of collections.
    :param process_components: the components that get a process of their own.
    :param backend_process: a class derived from ``ezmsg.core.backendprocess.DefaultBackendProcess``, whose
        ``process(loop)`` is called on the main thread of every process, and runs the units by calling the inherited
        one.
    :param graph_address: where the graph server is; where nobody names one, it is the one at 127.0.0.1:25978 if it
        answers. Otherwise this run has a graph of its own, apart from others, and other programs find it as
        ``docs/explain/finding-the-graph.md`` says.
    :param force_single_process: run everything in this process.
    :param profiler_log_name: name of the profiler's log file.
    :param auto_start: whether to start a graph server if none answers; ``None``: only if no address was given.
    :param shutdown_timeout: how many seconds the end may take, every unit's ``shutdown()`` with it; ``None``
        means as ``EZMSG_SHUTDOWN_TIMEOUT`` says, else 10. A unit whose class sets a longer ``SHUTDOWN_TIMEOUT``
        gets that.
    :param dead_worker: what is done when a worker process dies while everything runs. ``"fail_fast"`` ends the run.
        ``"ignore"`` lets the others go on. ``"restart(3)"`` starts the process again, with its units as they were
        before they ran, and after 0.2 s, 0.4 s and so on to 10 s; if it dies more than three times in a row, that
        ends the run. A process that ran for a minute begins a new row.
    :param ends_with: units, or their addresses: when the last task of any of them has ended, so does the run.
    :param transport: the transport of output streams that name none, for processes that share no memory, such as
        ``"zenoh"`` where ``ezmsg-zenoh`` is installed; ``None`` means as ``EZMSG_TRANSPORT`` says, else TCP.
    :raises RunFailed: if a worker died, or something in its process failed.
    :raises Exception: what a unit of this process raised in ``initialize``, ``shutdown`` or ``main``; in a task,
        too, if the environment asks for a strict end.
    :raises EzmsgError: if a component, an edge or the graph server is at fault; before anything runs.
    """
    from ezmsg.core.runtime.runner import (
        GraphRunner,  # who only declares a graph need not wait for all that runs it
    )

    if isinstance(components, Component):
        logger.warning("run(component) is deprecated; it is named SYSTEM. Give it a name: run(NAME=component).")
        components = {"SYSTEM": components}
    GraphRunner(
        components,
        root_name,
        connections,
        process_components,
        backend_process,
        graph_address,
        force_single_process,
        profiler_log_name,
        auto_start,
        shutdown_timeout=shutdown_timeout,
        dead_worker=dead_worker,
        ends_with=ends_with,
        transport=transport,
        **components_kwargs,
    ).run_blocking()
