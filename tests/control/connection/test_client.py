"""One connection: opening, requests, streams, the server's own requests, and every way it can end."""

import asyncio
import random
import select
import socket
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ezmsg.control import ControlConnection, StreamOverrun
from ezmsg.control.connection import streaming
from ezmsg.control.connection.line import Line
from ezmsg.graphserver import GraphServer
from ezmsg.graphserver.deciding.configuration import Configuration
from ezmsg.graphserver.server import Server
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.announcement import announcement_name
from ezmsg.protocol.errors import (
    AuthenticationFailed,
    ConnectionLost,
    CyclicException,
    DeadlineExceeded,
    EzmsgError,
    FrameTooLarge,
    InternalError,
    InvalidAddress,
    InvalidMessage,
    ProtocolViolation,
    RemoteError,
    ServerOverloaded,
    ServerUnreachable,
    UnknownMessage,
    VersionMismatch,
    root,
)
from ezmsg.protocol.messages.endpoints import ApplyRoutes, PausePublishing
from ezmsg.protocol.messages.events import FollowTopology, Gap
from ezmsg.protocol.messages.service import Topology
from ezmsg.protocol.messages.sessions import Connect, Disconnect, Done, EdgeChanged, OpenSession, TakeSnapshot
from ezmsg.protocol.revisions import Revision
from ezmsg.protocol.wire import connection as events
from ezmsg.protocol.wire.frames import FRAME_LIMIT

HANG = 30.0


def hold(*_: Any) -> None:
    """A script that answers nothing."""


# --- opening --------------------------------------------------------------------------------------------


async def test_an_open_connection_knows_both_ends(scripted: Any, connection: ControlConnection) -> None:
    assert connection.address == scripted.address
    assert connection.epoch == scripted.epoch
    assert connection.local_host == "127.0.0.1"
    assert scripted.peers[0].connection.handshake.hello.client_id == connection.client_id
    assert not connection.closed


async def test_nothing_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address(*probe.getsockname())
        with pytest.raises(ServerUnreachable) as caught:
            await ControlConnection.open(address)
    assert isinstance(caught.value, OSError)
    assert "Connection refused" in str(caught.value)
    assert str(address) in str(caught.value)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 300])
async def test_a_host_that_does_not_exist(host: str) -> None:
    with pytest.raises(ServerUnreachable):
        await ControlConnection.open(Address(host, 1), timeout=HANG)


async def test_an_address_that_is_none() -> None:
    with pytest.raises(InvalidAddress):
        await ControlConnection.open(("127.0.0.1", 70000))  # type: ignore[arg-type]


@pytest.mark.parametrize(("held", "shown"), [(b"secret", b"wrong"), (b"secret", b""), (b"", b"secret")])
async def test_tokens_that_differ(scripted: Any, held: bytes, shown: bytes) -> None:
    scripted.token = held
    with pytest.raises(AuthenticationFailed, match="EZMSG_TOKEN"):
        await ControlConnection.open(scripted.address, token=shown)


async def test_a_server_without_a_token_is_no_friend_unless_somebody_says_so(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EZMSG_INSECURE")
    with pytest.raises(AuthenticationFailed, match=r"--insecure.*EZMSG_INSECURE=1"):
        await ControlConnection.open(scripted.address)
    await (await ControlConnection.open(scripted.address, token=b"")).close()
    monkeypatch.setenv("EZMSG_INSECURE", "1")
    await (await ControlConnection.open(scripted.address)).close()


async def test_tokens_that_agree(scripted: Any) -> None:
    scripted.token = b"secret"
    connection = await ControlConnection.open(scripted.address, token=b"secret")
    assert await connection.request(OpenSession(uuid4())) == Done()
    await connection.close()


@pytest.mark.parametrize("major", [0, 2])
async def test_another_revision(scripted: Any, major: int) -> None:
    scripted.revision = Revision(major, 0)
    with pytest.raises(VersionMismatch) as caught:
        await ControlConnection.open(scripted.address)
    # Whoever noticed it, it is told from this side.
    assert caught.value.ours.major == 1
    assert caught.value.theirs.major == major
    assert f"Upgrade the side that speaks {min(major, 1)}.0" in str(caught.value)


async def test_a_newer_minor_revision_is_understood(scripted: Any) -> None:
    scripted.revision = Revision(1, 7)
    connection = await ControlConnection.open(scripted.address)
    await connection.close()


@pytest.mark.parametrize("greeting", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
async def test_something_else_listens(greeting: bytes) -> None:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(ServerUnreachable, match=r"no graph server|reset"):
        await ControlConnection.open(Address(*server.sockets[0].getsockname()))
    server.close()
    await server.wait_closed()


async def test_a_server_that_never_answers_the_hello(scripted: Any) -> None:
    scripted.silent = True
    with pytest.raises(DeadlineExceeded) as caught:
        await ControlConnection.open(scripted.address, timeout=0.05)
    assert str(scripted.address) in caught.value.operation
    assert caught.value.seconds == 0.05
    async with asyncio.timeout(HANG):
        await scripted.peers[0].gone.wait()


async def test_opening_can_be_cancelled(scripted: Any) -> None:
    scripted.silent = True
    task = asyncio.create_task(ControlConnection.open(scripted.address))
    await scripted.joined()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(HANG):
        await scripted.peers[0].gone.wait()


# --- requests -------------------------------------------------------------------------------------------


async def test_a_failure_comes_back_as_its_class(scripted: Any, connection: ControlConnection) -> None:
    error = CyclicException(from_topic="A", to_topic="B", path=["B", "A"])
    scripted.script = lambda peer, event: peer.connection.fail(event.id, error)
    with pytest.raises(CyclicException) as caught:
        await connection.request(Connect("A", "B"))
    assert caught.value.fields() == error.fields()


async def test_a_hundred_requests_answered_out_of_order(scripted: Any, connection: ControlConnection) -> None:
    scripted.script = hold
    tasks = [asyncio.create_task(connection.request(Connect(f"{n}", "B"))) for n in range(100)]
    asked = [await scripted.request(Connect) for _ in tasks]
    random.Random(1).shuffle(asked)
    for peer, event in asked:
        peer.say("reply", event.id, EdgeChanged(True, [event.body.from_topic]))
    replies = await asyncio.gather(*tasks)
    assert [reply.unconfirmed for reply in replies] == [[f"{n}"] for n in range(100)]


async def test_a_deadline_cancels_and_the_late_reply_is_dropped(
    scripted: Any, connection: ControlConnection
) -> None:
    scripted.script = hold
    with pytest.raises(DeadlineExceeded) as caught:
        await connection.request(TakeSnapshot(), timeout=0.02)
    assert caught.value.seconds == 0.02
    assert "TakeSnapshot" in caught.value.operation
    peer, event = await scripted.request(TakeSnapshot)
    assert (await scripted.arrival(events.CancelReceived)).id == event.id
    peer.say("reply", event.id, Done())
    scripted.script = lambda peer, event: peer.connection.reply(event.id, EdgeChanged(True))
    assert await connection.request(Connect("A", "B")) == EdgeChanged(True)


async def test_a_cancelled_request_is_cancelled_at_the_server(scripted: Any, connection: ControlConnection) -> None:
    scripted.script = hold
    task = asyncio.create_task(connection.request(TakeSnapshot(), timeout=None))
    _, event = await scripted.request(TakeSnapshot)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await scripted.arrival(events.CancelReceived)).id == event.id


async def test_a_reply_of_the_wrong_kind(scripted: Any, connection: ControlConnection) -> None:
    with pytest.raises(ProtocolViolation, match="Done is no answer to TakeSnapshot"):
        await connection.request(TakeSnapshot())


async def test_what_is_no_request_is_not_sent(connection: ControlConnection) -> None:
    with pytest.raises(TypeError, match="is not a request"):
        await connection.request(Done())
    with pytest.raises(InvalidMessage):
        await connection.request(Connect("A", "B", 5))  # type: ignore[arg-type]
    with pytest.raises(FrameTooLarge):
        await connection.request(Connect("x" * (FRAME_LIMIT + 1), "B"))
    assert not connection.closed


# --- streams --------------------------------------------------------------------------------------------


async def test_a_stream_ends_with_the_server(scripted: Any, connection: ControlConnection) -> None:
    def script(peer: Any, event: Any) -> None:
        peer.connection.reply(event.id, Done())
        for n in range(3):
            peer.connection.item(event.id, Gap(n, n))
        peer.connection.end_stream(event.id)

    scripted.script = script
    assert [item async for item in connection.stream(FollowTopology())] == [Gap(n, n) for n in range(3)]


async def test_items_arrive_while_the_stream_is_read_and_closing_cancels_it(
    scripted: Any, connection: ControlConnection
) -> None:
    async with aclosing(connection.stream(FollowTopology())) as stream:
        step = asyncio.ensure_future(anext(stream))
        peer, event = await scripted.request(FollowTopology)
        peer.say("item", event.id, Gap(1, 2))
        assert await step == Gap(1, 2)
    assert (await scripted.arrival(events.CancelReceived)).id == event.id
    peer.say("item", event.id, Gap(3, 4))
    await connection.request(OpenSession(uuid4()))


async def test_a_stream_that_is_refused(scripted: Any, connection: ControlConnection) -> None:
    scripted.script = lambda peer, event: peer.connection.fail(event.id, UnknownMessage(tag="topology.follow"))
    with pytest.raises(UnknownMessage):
        await anext(connection.stream(FollowTopology()))


async def test_a_stream_that_never_opens(scripted: Any, connection: ControlConnection) -> None:
    scripted.script = hold
    with pytest.raises(DeadlineExceeded):
        await anext(connection.stream(FollowTopology(), timeout=0.02))


async def test_a_stream_read_too_slowly_says_so(
    scripted: Any, connection: ControlConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming.ItemLine.__init__, "__defaults__", (10,))
    stream = connection.stream(FollowTopology())
    step = asyncio.ensure_future(anext(stream))
    peer, event = await scripted.request(FollowTopology)
    for n in range(12):
        peer.connection.item(event.id, Gap(n, n))
    peer.flush()
    assert await step == Gap(0, 0)
    assert [await anext(stream) for _ in range(9)] == [Gap(n, n) for n in range(1, 10)]
    with pytest.raises(StreamOverrun, match="read too slowly"):
        await anext(stream)
    assert (await scripted.arrival(events.CancelReceived)).id == event.id


async def test_a_stream_ends_with_its_connection(scripted: Any, connection: ControlConnection) -> None:
    stream = connection.stream(FollowTopology())
    step = asyncio.ensure_future(anext(stream))
    peer, _ = await scripted.request(FollowTopology)
    peer.transport.abort()
    with pytest.raises(ConnectionLost):
        await step


# --- the server asks ------------------------------------------------------------------------------------


async def answered(peer: Any) -> Any:
    async with asyncio.timeout(HANG):
        while True:
            event = await peer.seen.get()
            if isinstance(event, events.ReplyReceived | events.FailureReceived):
                return event


async def test_answers_run_side_by_side(scripted: Any, connection: ControlConnection) -> None:
    release = asyncio.Event()

    async def slow(request: ApplyRoutes) -> None:
        await release.wait()

    async def quick(_: PausePublishing) -> Topology:
        return Topology([])

    connection.answer(ApplyRoutes, slow)
    connection.answer(PausePublishing, quick)
    peer = scripted.peers[0]
    first = peer.say("request", ApplyRoutes(1, []))
    second = peer.say("request", PausePublishing())
    assert await answered(peer) == events.ReplyReceived(second, Topology([]))
    release.set()
    assert await answered(peer) == events.ReplyReceived(first, Done())


@pytest.mark.parametrize(
    ("raised", "expected"),
    [(ServerOverloaded(reason="x"), ServerOverloaded), (KeyError("boom"), InternalError)],
)
async def test_what_a_handler_raises_becomes_the_failure(
    scripted: Any, connection: ControlConnection, raised: Exception, expected: type[EzmsgError]
) -> None:
    async def fail(_: object) -> None:
        raise raised

    connection.answer(PausePublishing, fail)
    peer = scripted.peers[0]
    peer.say("request", PausePublishing())
    assert type((await answered(peer)).error) is expected
    assert not connection.closed


async def test_a_reply_that_cannot_be_encoded_becomes_a_failure(
    scripted: Any, connection: ControlConnection
) -> None:
    async def odd(_: object) -> object:
        return EdgeChanged(True, 5)  # type: ignore[arg-type]

    connection.answer(PausePublishing, odd)
    peer = scripted.peers[0]
    peer.say("request", PausePublishing())
    assert isinstance((await answered(peer)).error, InternalError)


async def test_a_request_without_a_handler(scripted: Any, connection: ControlConnection) -> None:
    async def never(_: object) -> None:
        raise AssertionError

    connection.answer(PausePublishing, never)
    connection.answer(PausePublishing, None)
    peer = scripted.peers[0]
    peer.say("request", PausePublishing())
    assert (await answered(peer)).error.fields() == {"tag": "publishing.pause"}


async def test_closing_ends_answers_that_are_being_worked_on(scripted: Any, connection: ControlConnection) -> None:
    started, ended = asyncio.Event(), asyncio.Event()

    async def stuck(_: object) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    connection.answer(PausePublishing, stuck)
    scripted.peers[0].say("request", PausePublishing())
    await started.wait()
    await connection.close()
    assert ended.is_set()


async def test_a_handler_may_close_the_connection(scripted: Any, connection: ControlConnection) -> None:
    closed = asyncio.Event()

    async def close(_: object) -> None:
        await connection.close()
        closed.set()

    connection.answer(PausePublishing, close)
    scripted.peers[0].say("request", PausePublishing())
    async with asyncio.timeout(HANG):
        await closed.wait()
    assert connection.closed


# --- the end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["abort", "close"])
async def test_the_server_goes_while_requests_wait(scripted: Any, connection: ControlConnection, how: str) -> None:
    scripted.script = hold
    lost: asyncio.Queue[EzmsgError | None] = asyncio.Queue()
    connection.on_lost(lost.put_nowait)
    tasks = [asyncio.create_task(connection.request(TakeSnapshot(), timeout=None)) for _ in range(3)]
    peer, _ = await scripted.request(TakeSnapshot)
    getattr(peer.transport, how)()
    errors = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, ConnectionLost) for error in errors)
    assert len({id(error) for error in errors}) == 3
    assert isinstance(await lost.get(), ConnectionLost)
    assert not connection.closed


async def test_the_servers_goodbye_is_passed_on(scripted: Any, connection: ControlConnection) -> None:
    scripted.script = lambda peer, _: peer.connection.close(ServerOverloaded(reason="you read too slowly"))
    with pytest.raises(ConnectionLost, match="you read too slowly"):
        await connection.request(TakeSnapshot())


async def test_a_malformed_frame_ends_the_connection(scripted: Any, connection: ControlConnection) -> None:
    scripted.script = lambda peer, _: peer.transport.write(b"\x01\x00\x00\x00\xc1")
    with pytest.raises(ConnectionLost):
        await connection.request(TakeSnapshot())


async def test_closing_fails_what_waits_and_calls_nobody_back(scripted: Any, connection: ControlConnection) -> None:
    scripted.script = hold
    connection.on_lost(lambda _: pytest.fail("close() is no loss"))
    task = asyncio.create_task(connection.request(TakeSnapshot(), timeout=None))
    await scripted.request(TakeSnapshot)
    await asyncio.gather(connection.close(), connection.close())
    await connection.close()
    with pytest.raises(ConnectionLost, match="this side closed it"):
        await task
    async with asyncio.timeout(HANG):
        await scripted.peers[0].gone.wait()


async def test_a_callback_can_be_taken_back(scripted: Any, connection: ControlConnection) -> None:
    lost = asyncio.Event()
    undo = connection.on_lost(lambda _: pytest.fail("taken back"))
    connection.on_lost(lambda _: lost.set())
    undo()
    undo()
    scripted.peers[0].transport.abort()
    async with asyncio.timeout(HANG):
        await lost.wait()


async def test_an_error_of_a_later_release(scripted: Any, connection: ControlConnection) -> None:
    class Later(EzmsgError):
        code = "EZ-2999"

        def sentence(self) -> str:
            return "from the future"

    del root._CLASSES["EZ-2999"]
    scripted.script = lambda peer, event: peer.connection.fail(event.id, Later())
    with pytest.raises(RemoteError, match="from the future"):
        await connection.request(Disconnect("A", "B"))


async def test_a_server_that_reads_nothing_cannot_make_the_client_swell(
    scripted: Any, connection: ControlConnection
) -> None:
    scripted.peers[0].transport.pause_reading()
    big = "x" * (20 * 1024 * 1024)
    requests = [asyncio.create_task(connection.request(Connect(big, "B"), timeout=None)) for _ in range(8)]
    async with asyncio.timeout(HANG):
        results = await asyncio.gather(*requests, return_exceptions=True)
    assert all(isinstance(result, ConnectionLost) for result in results)
    assert "unread" in str(results[0])


@pytest.mark.parametrize("token", ["a token of its own", ""])
async def test_a_server_may_announce_its_token_a_moment_after_it_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """Who connects in between is let in, because it looks for the token when the server has spoken."""
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = Address(*listener.getsockname())
        opening = asyncio.create_task(ControlConnection.open(address))
        await asyncio.to_thread(select.select, [listener], [], [], HANG)  # the client is there, and knows no token
        server = Server(listener.dup(), token, Configuration())
        await server.start()
        connection = await opening
        await connection.close()
        await server.close()


async def test_who_hears_of_a_server_that_has_ended_is_told_that_and_not_of_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's challenge is still under way when it has taken its announcement away, and is gone."""
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path))
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    announced = tmp_path / announcement_name(server.address.port)

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, asks = await asyncio.open_connection(*server.address)
        asks.write(await reader.read(65536))
        challenge = await answers.read(65536)
        here.unlink()
        writer.write(challenge)
        for each in (asks, writer):
            each.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as relaying:
        address = Address(*relaying.sockets[0].getsockname())
        here = tmp_path / announcement_name(address.port)
        here.write_bytes(announced.read_bytes())
        here.chmod(0o600)
        with pytest.raises((ServerUnreachable, ConnectionLost)):
            await ControlConnection.open(address)
    server.stop()


async def test_who_is_at_the_door_when_it_ends_is_told_that_and_not_of_tokens() -> None:
    opened = asyncio.Semaphore(0)

    async def knock(address: Address) -> EzmsgError:
        while True:
            try:
                await (await ControlConnection.open(address)).close()
                opened.release()
            except EzmsgError as error:
                return error

    for _ in range(10):
        server = GraphServer()
        server.start(("127.0.0.1", 0))
        knocking = [asyncio.create_task(knock(server.address)) for _ in range(8)]
        async with asyncio.timeout(30):
            for _ in knocking:  # then others are in the middle of it
                await opened.acquire()
        await asyncio.to_thread(server.stop)
        async with asyncio.timeout(30):
            for error in await asyncio.gather(*knocking):
                assert isinstance(error, ServerUnreachable | ConnectionLost), repr(error)


@pytest.mark.parametrize("times", [2, 1000])
async def test_who_is_turned_away_at_a_crowded_door_comes_again(
    server: Any, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    opened = ControlConnection._open_line
    left: list[float] = []

    async def crowded(self: ControlConnection, timeout: float) -> Line:
        left.append(timeout)
        if len(left) <= times:
            raise ServerOverloaded(reason="too many others are in their handshake, too")
        return await opened(self, timeout)

    monkeypatch.setattr(ControlConnection, "_open_line", crowded)
    if times > 2:
        with pytest.raises(ServerOverloaded):
            await ControlConnection.open(server.address, timeout=0.5)
    else:
        await (await ControlConnection.open(server.address, timeout=HANG)).close()
        assert len(left) == times + 1
    assert left == sorted(left, reverse=True)
