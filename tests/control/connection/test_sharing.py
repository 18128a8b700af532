"""One connection per loop and server: joined, counted, replaced when lost, closed by the last."""

import asyncio
import gc
import os
import weakref
from typing import Any
from uuid import uuid4

import pytest

from ezmsg.control import ControlConnection, acquire, release
from ezmsg.control.connection import sharing
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.errors import DeadlineExceeded, ServerUnreachable
from ezmsg.protocol.messages.sessions import Done, OpenSession

HANG = 30.0


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Any:
    yield
    assert not sharing._all


async def test_everybody_shares_and_the_last_one_closes(scripted: Any) -> None:
    first = await acquire(scripted.address)
    second = await acquire(scripted.address)
    assert first is second
    await release(first)
    assert await second.request(OpenSession(uuid4())) == Done()
    await release(second)
    assert second.closed
    await release(second)  # once too often does no harm
    third = await acquire(scripted.address)
    assert third is not first
    await release(third)
    assert len(scripted.peers) == 2


async def test_those_who_come_at_once_join_one_opening(scripted: Any) -> None:
    connections = await asyncio.gather(*(acquire(scripted.address) for _ in range(50)))
    assert len(set(map(id, connections))) == 1
    assert len(scripted.peers) == 1
    for connection in connections:
        await release(connection)


async def test_tokens_are_not_mixed_up(scripted: Any) -> None:
    scripted.token = b"secret"
    connection = await acquire(scripted.address, b"secret")
    with pytest.raises(PermissionError):
        await acquire(scripted.address, b"wrong")
    await release(connection)


async def test_a_lost_connection_is_shared_when_it_is_back(scripted: Any) -> None:
    connection = await acquire(scripted.address)
    lost = asyncio.Event()
    connection.on_lost(lambda _: lost.set())
    scripted.peers[0].transport.abort()
    async with asyncio.timeout(HANG):
        await lost.wait()
    assert await acquire(scripted.address) is connection
    await release(connection)
    assert await connection.request(OpenSession(uuid4())) == Done()
    await release(connection)


async def test_a_lost_server_is_waited_for_as_long_as_was_said(scripted: Any) -> None:
    connection = await acquire(scripted.address)
    lost = asyncio.Event()
    connection.on_lost(lambda _: lost.set())
    await scripted.stop()
    async with asyncio.timeout(HANG):
        await lost.wait()
    with pytest.raises(ServerUnreachable, match=str(scripted.address)):
        await acquire(scripted.address, timeout=0.1)
    await release(connection)
    assert not sharing._all


async def test_everybody_hears_why_it_could_not_be_opened_and_the_next_one_tries_again(scripted: Any) -> None:
    scripted.token = b"secret"
    outcomes = await asyncio.gather(*(acquire(scripted.address) for _ in range(5)), return_exceptions=True)
    assert all(isinstance(outcome, PermissionError) for outcome in outcomes)
    scripted.token = b""
    await release(await acquire(scripted.address))


async def test_one_who_gives_up_does_not_disturb_the_others(scripted: Any) -> None:
    patient, hasty = (asyncio.create_task(acquire(scripted.address)) for _ in range(2))
    await asyncio.sleep(0)
    hasty.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hasty
    await release(await patient)


async def test_when_all_give_up_the_opening_ends(scripted: Any) -> None:
    scripted.silent = True
    tasks = [asyncio.create_task(acquire(scripted.address)) for _ in range(2)]
    await scripted.joined()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    async with asyncio.timeout(HANG):
        await scripted.peers[0].gone.wait()


async def test_a_failed_opening_leaves_nothing(monkeypatch: pytest.MonkeyPatch, scripted: Any) -> None:
    scripted.silent = True
    opening = ControlConnection.open
    monkeypatch.setattr(
        ControlConnection, "open", lambda address, token: opening(address, token=token, timeout=0.02)
    )
    with pytest.raises(DeadlineExceeded):
        await acquire(scripted.address)
    with pytest.raises(ServerUnreachable):
        await acquire(Address("127.0.0.1", 1))


def test_a_loop_that_is_over_is_not_kept(server: Any) -> None:
    loops: list[Any] = []

    async def use() -> None:
        loops.append(weakref.ref(asyncio.get_running_loop()))
        await release(await acquire(server.address))

    asyncio.run(use())
    gc.collect()
    assert loops[0]() is None


def test_each_loop_has_a_connection_of_its_own(server: Any) -> None:
    async def use() -> int:
        connection = await acquire(server.address)
        other = await asyncio.to_thread(asyncio.run, again(connection)) if len(seen) < 1 else 0
        await release(connection)
        return other

    async def again(outer: ControlConnection) -> int:
        inner = await acquire(server.address)
        seen.append(inner is outer)
        await release(inner)
        return 1

    seen: list[bool] = []
    assert asyncio.run(use()) == 1
    assert seen == [False]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # that is what the test is about
def test_connections_of_dead_loops_are_swept(server: Any) -> None:
    async def forget() -> None:
        await acquire(server.address)

    asyncio.run(forget())
    assert len(sharing._all) == 1
    asyncio.run(forget_not(server.address))
    gc.collect()


async def forget_not(address: Address) -> None:
    connection = await acquire(address)
    assert len(sharing._all) == 1
    await release(connection)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the loop is forgotten on purpose
def test_two_threads_may_sweep_the_same_dead_loop(server: Any) -> None:
    asyncio.run(forget(server.address))
    (dead,) = sharing._all
    sharing._forget(dead)
    sharing._forget(dead)  # the other thread was first
    del dead
    gc.collect()


async def forget(address: Address) -> None:
    await acquire(address)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:unclosed:ResourceWarning")
async def test_a_forked_child_shares_nothing(scripted: Any) -> None:
    connection = await acquire(scripted.address)
    child = os.fork()
    if child == 0:
        os._exit(len(sharing._all))
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(sharing._all) == 1
    await release(connection)
