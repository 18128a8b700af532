"""Processes say which units they own."""

from ezmsg.graphserver.deciding.conversations.handlers import Request, handles
from ezmsg.graphserver.deciding.conversations.settings import make_again
from ezmsg.graphserver.deciding.effects import Effect
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.protocol.messages.processes import RegisterProcess, UpdateOwnership
from ezmsg.protocol.messages.sessions import Done


@handles(RegisterProcess)
def register_process(state: GraphState, request: Request, body: RegisterProcess) -> list[Effect]:
    """Let a process join."""
    client_id = state.peers[request.peer].client_id
    change = state.processes.register(body.process_id, request.peer, client_id, body.registration)
    effects = state.process_changed(body.process_id, change.lost, request.now) if change.changed else []
    return [*effects, request.reply(Done()), *make_again(state, body.process_id, body.registration.units)]


@handles(UpdateOwnership)
def update_ownership(state: GraphState, request: Request, body: UpdateOwnership) -> list[Effect]:
    """Change what a process owns."""
    change = state.processes.update(body.process_id, request.peer, body.update)
    effects = state.process_changed(body.process_id, change.lost, request.now) if change.changed else []
    return [*effects, request.reply(Done()), *make_again(state, body.process_id, body.update.added_units)]
