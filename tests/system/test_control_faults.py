"""Faults of the control plane with real processes: stuck, frozen, killed, gone while others wait for them.

What must be quick is shown by the order in which things happen: it is done while the slow is still to come.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.core.graphmeta import ProcessControlErrorCode

HANG = 30.0
Code = ProcessControlErrorCode

SUBSCRIBER = """
    async def main():
        async with ez.GraphContext(sys.argv[1], auto_start=False) as context:
            subscriber = await context.subscriber(sys.argv[2])
            say("there", os.getpid())
            while True:
                say("got", await subscriber.recv())

    asyncio.run(main())
"""

PROCESS = """
    from ezmsg.core.graphmeta import ProcessControlResponse
    from ezmsg.core.processclient import ProcessControlClient
    from ezmsg.protocol.model.settings import SettingsSnapshotValue

    def answer(request, payload=None):
        return ProcessControlResponse(request.request_id, True, payload)

    async def main():
        loop = asyncio.get_running_loop()
        process = ProcessControlClient(sys.argv[1])

        async def report(request):
            fields = {"by": request.operation}
            value = SettingsSnapshotValue(None, fields, fields)
            await process.report_settings_update("UNIT", value)
            return answer(request)

        async def wait(request):
            say("waiting")
            try:
                await loop.create_future()
            finally:
                say("cancelled")

        def handle(request):
            match request.operation:
                case "SLOW":
                    say("slow")
                    threading.Event().wait()
                case "WAIT":
                    return wait(request)
                case "REPORT":
                    return report(request)
                case "REPORT FROM A THREAD":
                    return asyncio.run_coroutine_threadsafe(report(request), loop).result(30)
                case "NOTHING":
                    return None
                case "ANOTHER":
                    return ProcessControlResponse("another", True)
                case "TEXT":
                    return answer(request, "text")
                case "FAIL":
                    raise ZeroDivisionError("on purpose")
            return answer(request, request.payload)

        process.set_request_handler(handle)
        await process.register(["UNIT"])
        say("there", os.getpid())
        await loop.create_future()

    asyncio.run(main())
"""

ASKER = """
    async def main():
        async with ez.GraphContext(sys.argv[1], auto_start=False) as context:
            say("asking")
            await context.process_request("UNIT", "WAIT", timeout=30)

    asyncio.run(main())
"""


@asynccontextmanager
async def opened(address: Any) -> AsyncIterator[ez.GraphContext]:
    async with ez.GraphContext(address, auto_start=False) as context, asyncio.timeout(2 * HANG):
        yield context


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("EZMSG_SUBSCRIBER_UPDATE_TIMEOUT_SEC", "3")
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@pytest.fixture
def process(start: Callable[..., Any], server: Any) -> Any:
    """A process that owns `UNIT`, once it does."""
    program = start(PROCESS, str(server.address))
    program.says("there")
    return program


async def lines(program: Any, beginning: str, times: int = 1) -> list[str]:
    words: list[str] = await asyncio.to_thread(program.says, beginning, times)
    return words


async def test_stuck_subscribers_are_named_and_delay_nobody_else(
    start: Callable[..., Any], server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """R16 with three of four subscribers stuck."""
    topics = ["STUCK/1", "STUCK/2", "STUCK/3", "WELL"]
    programs = [start(SUBSCRIBER, str(server.address), topic) for topic in topics]
    for program in programs:
        await lines(program, "there")
    async with opened(server.address) as context, opened(server.address) as another:
        publisher = await context.publisher("SOURCE")
        other_publisher = await another.publisher("ELSEWHERE")
        for topic in topics:
            await context.connect("HUB", topic)
        for program in programs[:3]:
            program.signal(signal.SIGSTOP)
        waiting = asyncio.ensure_future(context.connect("SOURCE", "HUB"))
        while ("SOURCE", "HUB") not in (await another.snapshot()).edge_owners:
            pass  # each turn is a round trip
        await another.connect("ELSEWHERE", "WELL")
        await other_publisher.broadcast("quick")
        assert await lines(programs[3], "got") == ["got", "quick"]
        await another.disconnect("ELSEWHERE", "WELL")
        assert not waiting.done(), "others had to wait until the stuck ones were given up"
        assert not warnings_in(caplog)
        await waiting
        (warning,) = warnings_in(caplog)
        host = socket.gethostname()
        stuck = [f"{host}/{one.pid} {topic}" for one, topic in zip(programs[:3], topics[:3], strict=True)]
        assert f"these did not confirm it yet: {', '.join(sorted(stuck))}. " in warning
        for program in programs[:3]:
            program.signal(signal.SIGCONT)
        await context.disconnect("SOURCE", "HUB")
        await context.connect("SOURCE", "HUB")
        assert warnings_in(caplog) == [warning]
        await publisher.broadcast("all")
        for program in programs:
            assert await lines(program, "got all")


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "did not confirm" in record.getMessage()]


# --- processes: R19 -----------------------------------------------------------------------------------------


async def test_slow_handlers_delay_nothing_and_end_when_their_process_is_killed(process: Any, server: Any) -> None:
    async with opened(server.address) as context:
        events = context.subscribe_settings_events()
        slow = [asyncio.ensure_future(context.process_request("UNIT", "SLOW", timeout=HANG)) for _ in range(8)]
        await lines(process, "slow", 8)
        assert (await context.process_ping("UNIT", timeout=HANG)).pid == process.pid
        for operation in ("REPORT", "REPORT FROM A THREAD"):
            assert (await context.process_request("UNIT", operation, timeout=HANG)).ok
            event = await anext(aiter(events))
            assert (event.component_address, event.value.structured_value) == ("UNIT", {"by": operation})
        assert not any(one.done() for one in slow)
        process.signal(signal.SIGKILL)
        for response in await asyncio.gather(*slow):
            assert (response.ok, response.error_code) == (False, Code.PROCESS_DISCONNECTED)
            assert "'UNIT'" in response.error
        removed = await anext(aiter(events))
        assert removed.event_type.name == "SETTINGS_REMOVED"
        assert (await context.process_request("UNIT", "ECHO")).error_code is Code.UNROUTABLE_UNIT
        await events.aclose()  # type: ignore[attr-defined]


async def test_a_frozen_process_is_given_up_at_the_callers_deadline_and_its_late_answer_dropped(
    process: Any, server: Any
) -> None:
    async with opened(server.address) as context:
        process.signal(signal.SIGSTOP)
        patient = asyncio.ensure_future(context.process_request("UNIT", "ECHO", payload=b"patient", timeout=HANG))
        response = await context.process_request("UNIT", "ECHO", payload=b"late", timeout=0.3)
        assert (response.ok, response.error_code) == (False, Code.TIMEOUT)
        assert "0.3 s" in response.error
        with pytest.raises(RuntimeError, match=r"TIMEOUT.*0\.2 s"):
            await context.update_setting("UNIT", "gain", 1.0, timeout=0.2)
        with pytest.raises(RuntimeError, match="TIMEOUT"):
            await context.process_ping("UNIT", timeout=0)
        assert not patient.done()
        process.signal(signal.SIGCONT)
        assert (await patient).payload == b"patient"
        assert (await context.process_request("UNIT", "ECHO", payload=b"soon", timeout=HANG)).payload == b"soon"


async def test_a_client_that_is_killed_while_it_waits_is_waited_for_no_more(
    start: Callable[..., Any], process: Any, server: Any
) -> None:
    asker = start(ASKER, str(server.address))
    await lines(process, "waiting")
    asker.signal(signal.SIGKILL)
    await lines(process, "cancelled")
    async with opened(server.address) as context:
        assert await context.process_ping("UNIT", timeout=HANG)
        asked = asyncio.ensure_future(context.process_request("UNIT", "WAIT", timeout=HANG))
        await lines(process, "waiting", 2)
        asked.cancel()
        await lines(process, "cancelled", 2)
        assert await context.process_ping("UNIT", timeout=HANG)


async def test_wrong_answers_are_failures_with_their_codes(process: Any, server: Any) -> None:
    wrong = ("NOTHING", "ANOTHER", "TEXT")
    async with opened(server.address) as context:
        for operation in (*wrong, "FAIL"):
            response = await context.process_request("UNIT", operation, timeout=HANG)
            expected = Code.INVALID_RESPONSE if operation in wrong else Code.HANDLER_ERROR
            assert (response.ok, response.error_code) == (False, expected)
        assert (await context.process_request("UNIT", "ECHO", payload=b"well", timeout=HANG)).payload == b"well"
