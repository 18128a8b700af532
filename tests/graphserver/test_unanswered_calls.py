"""A client that reads but never answers costs the server no memory that grows."""

from typing import Any
from uuid import UUID, uuid4

import pytest

from ezmsg.graphserver.deciding.effects import PeerId
from ezmsg.graphserver.sockets import link as link_module
from ezmsg.graphserver.sockets.link import Link
from ezmsg.protocol.errors import FrameTooLarge, ServerOverloaded
from ezmsg.protocol.messages.endpoints import PausePublishing
from ezmsg.protocol.messages.settings import UpdateSetting
from ezmsg.protocol.wire.connection import CancelReceived, Connection
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake


class Nobody:
    """An owner that only keeps why its link ended."""

    error: Any = None

    def link_made(self, link: Link) -> None: ...
    def link_opened(self, link: Link, hello: Any) -> None: ...
    def link_received(self, link: Link, event: Any) -> None: ...
    def link_heard(self) -> None: ...
    def link_gone(self, link: Link) -> None: ...
    def link_closed(self, link: Link, error: Any) -> None:
        self.error = error


def opened(owner: Nobody) -> tuple[Link, Connection]:
    link = Link(PeerId(1), ServerHandshake(b"", b"s" * 32, UUID(int=1)), owner)
    client = Connection(ClientHandshake(lambda: b"", b"c" * 32, uuid4()))
    for _ in range(2):
        link.connection.receive_data(client.data_to_send())
        client.receive_data(link.connection.data_to_send())
    link.connection.events_received()
    client.events_received()
    return link, client


async def test_a_call_that_is_no_longer_wanted_is_forgotten_and_the_client_told() -> None:
    link, client = opened(Nobody())
    for call_id in range(100):
        link.call(call_id, PausePublishing())
        link.uncall(call_id)
        link.uncall(call_id)
    assert not link._calls
    assert not link._asked
    assert not link.connection._asked
    client.receive_data(link.connection.data_to_send())
    assert sum(isinstance(event, CancelReceived) for event in client.events_received()) == 100


async def test_an_answer_is_taken_once() -> None:
    link, _ = opened(Nobody())
    link.call(7, PausePublishing())
    (request_id,) = link._calls
    assert link.take_call(request_id) == 7
    assert link.take_call(request_id) is None
    assert not link._asked


async def test_a_question_that_may_be_refused_costs_itself_and_not_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(link_module, "FRAME_LIMIT", 1000)
    owner = Nobody()
    link, _ = opened(owner)
    link.call(1, UpdateSetting("A", "x", b"x" * 500, 1.0), refusable=True)
    with pytest.raises(FrameTooLarge):
        link.call(2, UpdateSetting("A", "x", b"x" * 500, 1.0), refusable=True)
    link.call(3, PausePublishing())
    monkeypatch.setattr(link_module, "CALLS_LIMIT", 2)
    with pytest.raises(ServerOverloaded):
        link.call(4, PausePublishing(), refusable=True)
    assert owner.error is None
    assert list(link._asked) == [1, 3]


async def test_who_leaves_too_many_unanswered_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "CALLS_LIMIT", 3)
    owner = Nobody()
    link, _ = opened(owner)
    for call_id in range(5):
        link.call(call_id, PausePublishing())
    assert isinstance(owner.error, ServerOverloaded)
    assert "unanswered" in str(owner.error)
    assert len(link._calls) == 3
