"""Streams of events: the state hands a cursor to the shell, which reads it as fast as the peer does."""

from ezmsg.graphserver.deciding.conversations.handlers import Request, handles
from ezmsg.graphserver.deciding.effects import Effect, Follow
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.protocol.messages.events import FollowTopology
from ezmsg.protocol.messages.sessions import Done


@handles(FollowTopology)
def follow_topology(state: GraphState, request: Request, body: FollowTopology) -> list[Effect]:
    """Open the stream of topology events."""
    cursor = state.cursor(state.topology, body.after_seq, body.epoch)
    return [request.reply(Done()), Follow(request.peer, request.id, cursor)]
