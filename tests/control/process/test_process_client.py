"""Processes that own units, asked through a real server: every request ends in one answer or one typed failure."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from typing import Any

import pytest

from ezmsg.control import (
    ControlConnection,
    ProcessControlClient,
    decode_payload,
    encode_payload,
    follow_settings,
    follow_topology,
    ping,
    process_stats,
    route_request,
    settings_events,
    settings_snapshot,
    take_settings,
    update_setting,
)
from ezmsg.control.errors import (
    InvalidTimeout,
    ProcessNotConnected,
    ProcessRequestFailed,
    SettingsRefused,
    UnexpectedPayload,
)
from ezmsg.control.process.payloads import decode_response
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.errors import OwnershipCollision, SettingsUnavailable, StaleRevision
from ezmsg.protocol.messages.events import Reset
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
    ProcessStats,
    SettingsFieldUpdateRequest,
)
from ezmsg.protocol.model.settings import SettingsEventType, SettingsSnapshotValue

HANG = 30.0
Code = ProcessControlErrorCode


@pytest.fixture
async def client(server: GraphServer) -> AsyncIterator[ControlConnection]:
    connection = await ControlConnection.open(server.address)
    yield connection
    await connection.close()


@pytest.fixture
async def process(server: GraphServer) -> AsyncIterator[ProcessControlClient]:
    process = ProcessControlClient(server.address)
    await process.register(["A", "B"])
    yield process
    await process.close()


def echo(request: ProcessControlRequest) -> ProcessControlResponse:
    return ProcessControlResponse(request.request_id, True, request.payload)


def value(**fields: Any) -> SettingsSnapshotValue:
    return SettingsSnapshotValue(None, dict(fields), dict(fields))


def in_a_thread() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(HANG)
    loop.close()


async def registered(server: GraphServer) -> ProcessControlClient:
    process = ProcessControlClient(server.address)
    await process.register(["A", "B"])
    return process


async def takes_over(server: GraphServer) -> None:
    """Own the units as soon as nobody else does, which the server tells whoever follows its events."""
    connection = await ControlConnection.open(server.address)
    async with asyncio.timeout(HANG), aclosing(follow_topology(connection)) as events:
        async for _ in events:  # the first is older than the end that the server has yet to see
            with suppress(OwnershipCollision):
                process = await registered(server)
                await process.close()
                break
    await connection.close()


def test_it_is_closed_from_the_loop_of_another_thread(server: GraphServer) -> None:
    with contextmanager(in_a_thread)() as loop:
        process = asyncio.run_coroutine_threadsafe(registered(server), loop).result(HANG)
        asyncio.run(process.close())
        asyncio.run(takes_over(server))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_it_is_closed_when_its_loop_has_ended(server: GraphServer) -> None:
    loop = asyncio.new_event_loop()
    process = loop.run_until_complete(registered(server))
    asyncio.run(process.close())
    asyncio.run(process.close())
    asyncio.run(takes_over(server))
    loop.close()
    del process, loop
    gc.collect()  # nothing could close the socket's objects


# --- built in -----------------------------------------------------------------------------------------------


async def test_a_process_answers_for_its_units(client: ControlConnection, process: ProcessControlClient) -> None:
    assert (await ping(client, "A")).process_id == process.process_id == process.client_id
    stats = await process_stats(client, "B")
    assert stats.owned_units == ["A", "B"]
    assert stats.uptime_s is not None
    assert stats.uptime_s >= 0
    assert stats.cpu_s
    assert stats.loop_lateness_s is not None


async def test_ownership_moves(
    client: ControlConnection, process: ProcessControlClient, server: GraphServer
) -> None:
    other = ProcessControlClient(server.address)
    with pytest.raises(OwnershipCollision):
        await other.register(["C", "A"])
    await other.register(["C"])
    with pytest.raises(OwnershipCollision):
        await process.update_ownership(["C"])
    await process.update_ownership(["D"], ["A"])
    assert (await process_stats(client, "D")).owned_units == ["B", "D"]
    assert (await route_request(client, "A", "ANY")).error_code is Code.UNROUTABLE_UNIT
    await other.close()
    await other.close()
    with pytest.raises(ProcessNotConnected):
        await other.update_ownership(["E"])


# --- the user's handler -------------------------------------------------------------------------------------


@pytest.mark.parametrize("payload", [None, b"", b"\x00bytes"])
async def test_bytes_reach_the_handler_and_come_back_as_they_are(
    client: ControlConnection, process: ProcessControlClient, payload: bytes | None
) -> None:
    process.set_request_handler(echo)
    response = await route_request(client, "A", "ECHO", payload)
    assert (response.ok, response.payload, response.process_id) == (True, payload, process.process_id)


async def test_a_coroutine_function_handles_on_the_loop(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    thread = threading.get_ident()

    async def handle(request: ProcessControlRequest) -> ProcessControlResponse:
        await asyncio.sleep(0)
        assert threading.get_ident() == thread
        return echo(request)

    process.set_request_handler(handle)
    assert (await route_request(client, "A", "ANY", b"1")).payload == b"1"


def returns_nothing(_: ProcessControlRequest) -> Any:
    return None


def answers_another(_: ProcessControlRequest) -> ProcessControlResponse:
    return ProcessControlResponse("another", True)


def sends_text(request: ProcessControlRequest) -> ProcessControlResponse:
    return ProcessControlResponse(request.request_id, True, "text")  # type: ignore[arg-type]


def fails(_: ProcessControlRequest) -> ProcessControlResponse:
    raise ZeroDivisionError("on purpose")


def leaves(_: ProcessControlRequest) -> ProcessControlResponse:
    raise SystemExit(3)


async def gives_up(_: ProcessControlRequest) -> ProcessControlResponse:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (None, Code.HANDLER_NOT_CONFIGURED),
        (returns_nothing, Code.INVALID_RESPONSE),
        (answers_another, Code.INVALID_RESPONSE),
        (sends_text, Code.INVALID_RESPONSE),
        (fails, Code.HANDLER_ERROR),
        (leaves, Code.HANDLER_ERROR),
        (gives_up, Code.HANDLER_ERROR),
    ],
)
async def test_a_handler_that_fails_is_a_failure_with_its_code(
    client: ControlConnection, process: ProcessControlClient, handler: Any, code: ProcessControlErrorCode
) -> None:
    process.set_request_handler(handler)
    response = await route_request(client, "A", "ANY", timeout=HANG)
    assert (response.ok, response.error_code) == (False, code)
    assert response.error
    assert await ping(client, "A", HANG)


async def test_profiling_is_not_offered(client: ControlConnection, process: ProcessControlClient) -> None:
    response = await route_request(client, "A", ProcessControlOperation.GET_PROFILING_SNAPSHOT)
    assert response.error_code is Code.UNSUPPORTED_OPERATION


async def test_a_handler_that_blocks_delays_nothing_else(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    go_on = threading.Event()

    def handle(request: ProcessControlRequest) -> ProcessControlResponse:
        if request.operation == "BLOCK":
            assert go_on.wait(HANG)
        return echo(request)

    process.set_request_handler(handle)
    blocked = asyncio.ensure_future(route_request(client, "A", "BLOCK", b"late", timeout=HANG))
    assert (await route_request(client, "A", "ECHO", b"soon", timeout=HANG)).payload == b"soon"
    assert await ping(client, "A", HANG)
    assert not blocked.done()
    go_on.set()
    assert (await blocked).payload == b"late"


async def test_a_handler_that_is_too_late_is_answered_for(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    cancelled = asyncio.Event()

    async def never(_: ProcessControlRequest) -> ProcessControlResponse:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cancelled.set()
        raise AssertionError

    process.set_request_handler(never)
    assert (await route_request(client, "A", "ANY", timeout=0.05)).error_code is Code.TIMEOUT
    async with asyncio.timeout(HANG):
        await cancelled.wait()


async def test_the_late_answer_of_a_handler_in_a_thread_is_dropped_and_counted(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    go_on = threading.Event()

    def slow(request: ProcessControlRequest) -> ProcessControlResponse:
        assert go_on.wait(HANG)
        return ProcessControlResponse(request.request_id, True)

    process.set_request_handler(slow)
    assert (await route_request(client, "A", "ANY", timeout=0.05)).error_code is Code.TIMEOUT
    assert (await process_stats(client, "A", HANG)).late_replies == 0
    go_on.set()
    async with asyncio.timeout(HANG):
        while (await process_stats(client, "A", HANG)).late_replies != 1:
            pass


async def test_a_process_that_leaves_ends_its_requests(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    arrived = asyncio.Event()

    async def never(_: ProcessControlRequest) -> ProcessControlResponse:
        arrived.set()
        return await asyncio.get_running_loop().create_future()

    process.set_request_handler(never)
    asked = asyncio.ensure_future(route_request(client, "A", "ANY", timeout=HANG))
    async with asyncio.timeout(HANG):
        await arrived.wait()
    await process.close()
    assert (await asked).error_code is Code.PROCESS_DISCONNECTED


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf"), None])
async def test_a_time_that_cannot_be_waited_for(client: ControlConnection, seconds: Any) -> None:
    with pytest.raises(InvalidTimeout, match="Give it a finite number of seconds from 0 on"):
        await update_setting(client, "A", "field", 1, timeout=seconds)
    with pytest.raises(InvalidTimeout, match="Give it a finite number of seconds from 0 on"):
        await route_request(client, "A", "ANY", timeout=seconds)


# --- payloads -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plain", [None, True, 3, 2**80, 1.5, "text", b"", [1, "2"], {"a": {"b": [1]}}, (1, 2)])
def test_plain_values_are_payloads(plain: Any) -> None:
    assert decode_payload(encode_payload(plain), object) == plain
    assert decode_payload(encode_payload(plain), type(plain)) == plain


@pytest.mark.parametrize(("sent", "expected"), [(True, int), ("text", bytes), ({"a": 1}, ProcessStats), (1, list)])
def test_a_payload_of_another_type(sent: Any, expected: type) -> None:
    with pytest.raises(UnexpectedPayload, match=expected.__name__):
        decode_payload(encode_payload(sent), expected)


def test_what_has_no_payload_cannot_be_decoded() -> None:
    with pytest.raises(ProcessRequestFailed, match=r"Process request failed \(TIMEOUT\): late"):
        decode_response(ProcessControlResponse("1", False, error="late", error_code=Code.TIMEOUT), object)
    with pytest.raises(UnexpectedPayload, match="did not include a payload"):
        decode_response(ProcessControlResponse("1", True), object)
    with pytest.raises(UnexpectedPayload):
        decode_payload(b"\xc1", object)
    with pytest.raises(UnexpectedPayload, match=r"it cannot be read: more bytes follow after its end\. Ask"):
        decode_payload(encode_payload(1) + b"\x01", object)
    with pytest.raises(UnexpectedPayload, match=r"and what came is of the type int\. Ask"):
        decode_payload(encode_payload(1), str)


# --- settings -----------------------------------------------------------------------------------------------


async def test_reports_are_kept_and_told(client: ControlConnection, process: ProcessControlClient) -> None:
    start = await take_settings(client)
    async with aclosing(follow_settings(client, start.seq)) as events:
        await process.report_settings_update("A", value(x=1), timestamp=5.0)
        event = await anext(events)
    assert (event.component_address, event.timestamp, event.source_process_id) == ("A", 5.0, process.process_id)
    assert (await settings_snapshot(client))["A"].structured_value == {"x": 1}
    assert await settings_events(client, start.seq) == [event]
    assert await settings_events(client, event.seq) == []
    with pytest.raises(RuntimeError, match="does not own"):
        await process.report_settings_update("Z", value(x=1))


async def test_a_setting_is_changed_by_its_process(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    async def change(address: str, path: str, new: Any) -> SettingsSnapshotValue:
        if new == "bad":
            raise SettingsRefused(path=path, value="bad", reason="it is bad")
        return value(**{"at": address, path: new})

    process.set_settings_handler(change)
    applied = await update_setting(client, "A", "x", [1, {"y": 2.5}])
    assert (applied.structured_value, applied.revision) == ({"at": "A", "x": [1, {"y": 2.5}]}, 0)
    with pytest.raises(SettingsRefused, match="it is bad"):
        await update_setting(client, "A", "x", "bad")
    with pytest.raises(StaleRevision):
        await update_setting(client, "A", "x", 1, expect=5)
    with pytest.raises(SettingsUnavailable):
        await update_setting(client, "Z", "x", 1)
    assert (await update_setting(client, "A", "x", 2, expect=0)).revision == 1
    routed = await route_request(
        client,
        "A",
        ProcessControlOperation.UPDATE_SETTING_FIELD,
        encode_payload(SettingsFieldUpdateRequest("x", 7)),
    )
    assert decode_response(routed, SettingsSnapshotValue).revision == 2
    kinds = [event.event_type for event in await settings_events(client)]
    assert kinds == [SettingsEventType.SETTINGS_UPDATED] * 3


async def test_without_a_settings_handler_the_request_handler_changes(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    def handle(request: ProcessControlRequest) -> ProcessControlResponse:
        change = decode_payload(request.payload or b"", SettingsFieldUpdateRequest)
        payload = encode_payload(value(**{change.field_path: change.value}))
        return ProcessControlResponse(request.request_id, True, payload)

    with pytest.raises(ProcessRequestFailed, match="HANDLER_NOT_CONFIGURED"):
        await update_setting(client, "A", "x", 3)
    process.set_request_handler(handle)
    assert (await update_setting(client, "A", "x", 3)).structured_value == {"x": 3}


# --- streams ------------------------------------------------------------------------------------------------


async def test_another_run_of_the_server_is_a_reset(
    client: ControlConnection, process: ProcessControlClient
) -> None:
    for follow in (follow_settings, follow_topology):
        async with aclosing(follow(client, 50, process.process_id)) as items:  # no epoch of this server
            first = await anext(items)
            assert isinstance(first, Reset)
            assert first.epoch == client.epoch
            await process.report_settings_update("A", value(x=1))
            await process.update_ownership(["N"] if follow is follow_settings else ["M"])
            assert not isinstance(await anext(items), Reset)
