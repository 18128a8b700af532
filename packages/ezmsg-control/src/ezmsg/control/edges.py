"""Setting and removing one edge, for a session or, without one, for good."""

import logging
from uuid import UUID

from ezmsg.control.client import ControlConnection
from ezmsg.control.topics import require_topic
from ezmsg.protocol.messages.sessions import Connect, Disconnect, EdgeChanged

logger = logging.getLogger(__name__)


async def change_edge(
    connection: ControlConnection,
    change: type[Connect] | type[Disconnect],
    from_topic: str,
    to_topic: str,
    session_id: UUID | None = None,
) -> bool:
    """Ask for a change of one edge and return whether the topology changed.

    Peers that did not take part in time are named in a warning; they do so when they can.

    :raises TypeError: if a topic is not text.
    :raises InvalidTopic: if a topic is empty.
    """
    start, end = require_topic(from_topic, "from_topic"), require_topic(to_topic, "to_topic")
    changed: EdgeChanged = await connection.request(change(start, end, session_id))
    if changed.unconfirmed:
        state = "set" if change is Connect else "removed"
        logger.warning(
            "The edge %s -> %s is %s, but these did not confirm it yet: %s. They follow as soon as they can; "
            "see what keeps their event loops busy.",
            start,
            end,
            state,
            ", ".join(changed.unconfirmed),
        )
    return changed.topology_changed
