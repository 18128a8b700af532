"""The graph service that people use: what is asked of a graph, and drawings of it."""

from ezmsg.control.graph.service import GraphOperations


class GraphService(GraphOperations):
    """Operates the graph server at an address, and draws its graph."""

    async def get_formatted_graph(self, fmt: str, direction: str = "LR", compact_level: int | None = None) -> str:
        """Return the graph as the source of a drawing, see :func:`ezmsg.control.rendering.diagrams.draw`.

        :raises UnknownFormat: if ``fmt`` is neither ``mermaid`` nor ``graphviz``.
        """
        from ezmsg.control.rendering.diagrams import draw  # every context is one of these, and few draw

        return draw((await self.dag()).graph, fmt, direction, compact_level)
