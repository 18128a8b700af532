"""One scrape: all processes are asked at once, and what they say becomes the page. Nobody is asked in between.

The page is made in a thread, as that of a large graph takes longer than a client of the graph may be kept waiting.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from ezmsg.graphserver.deciding.effects import Surveyed
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.metrics.metrics import ProcessFigures, ServerFigures, metrics_text
from ezmsg.graphserver.sockets.log_limiter import one_line
from ezmsg.protocol.errors import WireError
from ezmsg.protocol.model.process_control import ProcessControlResponse
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot
from ezmsg.protocol.revisions import CURRENT
from ezmsg.protocol.wire.codec import decode

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 2.0
"""How long processes have to say what they counted."""

KEPT_S = 1.0
"""How long a page is told again, so that the graph does not work for those who read it all the time."""


class Scraping:
    """Makes the page; those who want it at the same time, or soon after, get the same.

    :param survey: asks every process, given the seconds that each has.
    :param late_replies: returns how many answers came too late.
    """

    def __init__(
        self,
        state: GraphState,
        survey: Callable[[float], Awaitable[Surveyed]],
        late_replies: Callable[[], int],
    ) -> None:
        self._state = state
        self._survey = survey
        self._late_replies = late_replies
        self._under_way: asyncio.Task[str] | None = None
        self._kept: str | None = None
        self._kept_until = 0.0

    async def page(self) -> str:
        """Return the page as of now, or as it was less than :data:`KEPT_S` ago."""
        if self._kept is not None and asyncio.get_running_loop().time() < self._kept_until:
            return self._kept
        if self._under_way is None or self._under_way.done():
            self._under_way = asyncio.create_task(self._make())
        # Who goes away does not take the page from the others.
        return await asyncio.shield(self._under_way)

    async def close(self) -> None:
        """Give up what is under way."""
        if self._under_way is not None:
            self._under_way.cancel()
            await asyncio.wait([self._under_way])

    async def _make(self) -> str:
        surveyed = await self._survey(ANSWER_TIMEOUT_S)
        self._kept = await asyncio.to_thread(_written, _figures(self._state, self._late_replies()), surveyed)
        self._kept_until = asyncio.get_running_loop().time() + KEPT_S
        return self._kept


def _written(figures: ServerFigures, surveyed: Surveyed) -> str:
    """Return the page; of the state of the graph, which changes meanwhile, it sees nothing but what it is given."""
    processes = [
        ProcessFigures(
            str(process_id),
            process.pid or 0,
            process.host or "",
            _counted(process_id, surveyed.responses[process_id]),
        )
        for process_id, process in surveyed.processes.items()
    ]
    return metrics_text(figures, processes)


def _counted(process_id: UUID, response: ProcessControlResponse) -> ProcessProfilingSnapshot | None:
    reason = response.error or "it did not say why"
    if response.ok and response.payload is not None:
        try:
            return decode(response.payload, ProcessProfilingSnapshot)
        except WireError as error:
            reason = error.sentence()
    logger.info("Process %s did not say what it counted: %s", process_id, one_line(reason))
    return None


def _figures(state: GraphState, late_replies: int) -> ServerFigures:
    from importlib.metadata import version  # here and not above: it takes a while, and few servers are scraped

    return ServerFigures(
        epoch=str(state.epoch),
        version=version("ezmsg-graphserver"),
        revision=str(CURRENT),
        clients=len(state.peers),
        sessions=len(state.sessions),
        processes=len(state.processes),
        edges=len(state.edges),
        publishers=len(state.endpoints.publishers),
        subscribers=len(state.endpoints.subscribers),
        topology_events=state.topology.last_seq,
        settings_events=state.settings.log.last_seq,
        late_replies=late_replies,
    )
