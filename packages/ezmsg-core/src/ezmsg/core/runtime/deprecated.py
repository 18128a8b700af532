"""Names of ezmsg 3 for running graphs whose place something else has taken. New programs need none of them."""

import warnings
from collections.abc import Collection as AbstractCollection
from collections.abc import Iterable, Mapping
from typing import Self

from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.component import Component
from ezmsg.core.graph.crawl import ResolvedGraph, resolve_graph
from ezmsg.core.graph.streams import Stream
from ezmsg.core.runtime.backend import BackendProcess
from ezmsg.core.runtime.run import run


class ExecutionContext:
    """What components would come to if they were run: for tools that check a graph before.

    It starts nothing; that is for :class:`ezmsg.core.GraphRunner`, which takes the same components, under the same
    names, afterwards.
    """

    def __init__(self, graph: ResolvedGraph) -> None:
        self._graph = graph

    @classmethod
    def setup(
        cls,
        components: Mapping[str, Component],
        root_name: str | None = None,
        connections: Iterable[tuple[Stream | str, Stream | str]] | None = None,
        process_components: AbstractCollection[Component] | None = None,
        force_single_process: bool = False,
        start_participant: bool = False,
    ) -> Self | None:
        """Resolve components into addresses, edges and processes; ``None`` if there is nothing to run.

        :param start_participant: has no effect: the caller takes part in the start only by running the graph.
        :raises EzmsgError: whatever is wrong with the components or the edges, as when they are run.
        """
        graph = resolve_graph(components, root_name, connections, process_components, force_single_process)
        for component in components.values():
            component._only_looked_at = True
        return cls(graph) if graph.processes else None

    @property
    def connections(self) -> list[tuple[str, str]]:
        """The edges of the graph."""
        return list(self._graph.edges)

    @property
    def process_count(self) -> int:
        """How many processes the graph would run in, with the caller's own."""
        return len(self._graph.processes)


def run_system(
    system: Collection,
    num_buffers: int = 32,
    init_buf_size: int = 65536,
    backend_process: type[BackendProcess] | None = None,
) -> None:
    """Run a collection under the name SYSTEM. Deprecated: write ``run(SYSTEM=system)``.

    The other arguments have no effect: every outlet says itself how many buffers it has, and of what size.
    """
    warnings.warn(
        "run_system(system) is deprecated. Write run(SYSTEM=system); num_buffers and buf_size belong to each "
        "OutputStream.",
        DeprecationWarning,
        stacklevel=2,
    )
    run({"SYSTEM": system}, backend_process=backend_process)
