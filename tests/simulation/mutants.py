"""Faults put into the product on purpose: a simulation that does not find them proves nothing.

Each changes one decision, and says what is wrong then.
"""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.process.owned import Owned
from ezmsg.core.channels.backpressure import Window
from ezmsg.core.pubsub.routes import Routes
from ezmsg.core.transports.sender import Sender
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.state.endpoints import Endpoints
from ezmsg.graphserver.deciding.state.event_log import Cursor
from ezmsg.graphserver.deciding.state.returning import Returning
from ezmsg.graphserver.deciding.state.settings import Settings


def _take_without_gap(cursor: Any) -> Any:
    cursor._next = max(cursor._next, cursor._log.first_seq)
    return _TAKE(cursor)


def _forget_holders(window: Any, token: int, holders: int) -> None:
    _HOLD(window, token, 1)


def _keep_tokens(sender: Any) -> None:
    sender._held.clear()


def _register_only(owned: Any) -> Any:
    yield owned.registration(sorted(owned.units), sorted(owned.starting))


def _end_but_keep_edges(state: Any, session: Any, now: Any) -> Any:
    state.sessions.drop_metadata(session)
    state.sessions.close(session)
    return []


def _withdraw_in_silence(settings: Any, process: Any, units: Any, _timestamp: float) -> None:
    for unit in units:
        settings._components.pop(unit, None)


_TAKE = Cursor.take
_HOLD = Window.hold

MUTANTS: dict[str, Callable[[], Any]] = {
    "an older connection of a client is still heard": lambda: patch.object(Graph, "_fence", lambda *_: []),
    "a gap in a stream of events is not told": lambda: patch.object(Cursor, "take", _take_without_gap),
    "nothing is said again on a new line": lambda: patch.object(ControlConnection, "_say_again", lambda *_: []),
    "settings are not said again": lambda: patch.object(Owned, "say_again", _register_only),
    "a message counts as held by one, of several": lambda: patch.object(Window, "hold", _forget_holders),
    "buffers of the dead do not come back": lambda: patch.object(Sender, "abandon", _keep_tokens),
    "what is missed is not counted": lambda: patch.object(Routes, "_note_loss", _lose_in_silence),
    "edges outlive their session": lambda: patch.object(GraphState, "end_session", _end_but_keep_edges),
    "settings of the dead go in silence": lambda: patch.object(Settings, "withdraw", _withdraw_in_silence),
    "routes are torn down while clients return": lambda: patch.object(Returning, "claim", lambda *_: None),
    "endpoints of the dead stay": lambda: patch.object(Endpoints, "drop_peer", _drop_nobody),
}


def _lose_in_silence(_routes: Any, route: Any, _channel: Any) -> None:
    route.channel = None


def _drop_nobody(_endpoints: Any, _peer: Any) -> Any:
    from ezmsg.graphserver.deciding.state.endpoints import Routes as Changes

    return Changes()
