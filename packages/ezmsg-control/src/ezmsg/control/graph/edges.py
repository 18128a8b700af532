"""Setting and removing one edge, for a session or, without one, for good."""

import logging
from uuid import UUID

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.graph.topics import require_topic
from ezmsg.protocol.messages.sessions import Connect, Disconnect, EdgeChanged

logger = logging.getLogger(__name__)


def connect_request(from_topic: str, to_topic: str, session_id: UUID | None = None) -> Connect:
    """Return the request to set an edge.

    :raises TypeError: if a topic is not text.
    :raises InvalidTopic: if a topic is empty.
    """
    return Connect(require_topic(from_topic, "from_topic"), require_topic(to_topic, "to_topic"), session_id)


def disconnect_request(from_topic: str, to_topic: str, session_id: UUID | None = None) -> Disconnect:
    """Return the request to remove an edge; it raises what :func:`connect_request` does."""
    return Disconnect(require_topic(from_topic, "from_topic"), require_topic(to_topic, "to_topic"), session_id)


async def change_edge(connection: ControlConnection, change: Connect | Disconnect) -> bool:
    """Ask for a change of one edge and return whether the topology changed.

    Peers that did not take part in time are named in a warning; they do so when they can.
    """
    changed: EdgeChanged = await connection.request(change)
    if changed.unconfirmed:
        logger.warning(
            "The edge %s -> %s is %s, but these did not confirm it yet: %s. They follow as soon as they can; "
            "see what keeps their event loops busy.",
            change.from_topic,
            change.to_topic,
            "set" if isinstance(change, Connect) else "removed",
            ", ".join(changed.unconfirmed),
        )
    return changed.topology_changed
