"""A running program looked into and changed from another process, through the public names only."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

import ezmsg.core as ez
from ezmsg.core.graphmeta import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
    SettingsFieldUpdateRequest,
)
from ezmsg.core.processclient import ProcessControlClient

HANG = 30.0

PROGRAM = """
    import dataclasses

    class Gain(ez.Settings):
        gain: float = 1.0
        taps: list[float] = dataclasses.field(default_factory=lambda: [1.0, 2.0])

    class Amplifier(ez.Unit):
        SETTINGS = Gain
        INPUT_SETTINGS = ez.InputStream(Gain)

        @ez.subscriber(INPUT_SETTINGS)
        async def take(self, settings: Gain) -> None:
            if settings.gain > 100:
                raise ValueError("too loud")
            self.apply_settings(settings)
            say("gain", settings.gain, *settings.taps)

    if __name__ == "__main__":
        amplifier, blocker, last = Amplifier(), Blocker(), Last()
        ez.run(
            AMPLIFIER=amplifier, BLOCKER=blocker, LAST=last,
            process_components=({processes}), graph_address=sys.argv[2],
        )
"""


@pytest.fixture
def server(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(tmp_path / "run"))
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@asynccontextmanager
async def looking_into(server: Any, *units: str) -> AsyncIterator[ez.GraphContext]:
    """A context that is open as soon as these units are owned by processes."""
    async with ez.GraphContext(server.address, auto_start=False) as context, asyncio.timeout(HANG):
        events = aiter(context.subscribe_topology_events())
        missing = set(units)
        while missing:
            await anext(events)
            owned = {unit for each in (await context.snapshot()).processes.values() for unit in each.units}
            missing -= owned
        await events.aclose()  # type: ignore[attr-defined]
        yield context


def program(processes: str) -> str:
    return PROGRAM.format(processes=processes)


async def test_settings_are_changed_from_outside(start: Callable[..., Any], server: Any, tmp_path: Any) -> None:
    stop = tmp_path / "stop"
    running = start(program("amplifier,").replace("BLOCKER=blocker, ", ""), str(stop), str(server.address))
    async with looking_into(server, "AMPLIFIER", "LAST") as context:
        applied = await context.update_setting("AMPLIFIER", "gain", 2.5, timeout=HANG)
        assert applied.structured_value == {"gain": 2.5, "taps": [1.0, 2.0]}
        assert await asyncio.to_thread(running.says, "gain") == ["gain", "2.5", "1.0", "2.0"]
        assert (await context.update_setting("AMPLIFIER", "taps[1]", 7, timeout=HANG)).revision == 2
        for path, value in (("gain", "loud"), ("nothing", 1), ("taps[2]", 1), ("gain", 1000)):
            with pytest.raises(RuntimeError, match=rf"Process request failed \(HANDLER_ERROR\): .*{path[:4]}"):
                await context.update_setting("AMPLIFIER", path, value, timeout=HANG)
        with pytest.raises(RuntimeError, match="UNROUTABLE_UNIT"):
            await context.update_setting("NOBODY", "gain", 1.0)
        with pytest.raises(RuntimeError, match="takes no settings"):
            await context.update_setting("LAST", "gain", 1.0)
        assert (await context.settings_snapshot())["AMPLIFIER"].structured_value == applied.structured_value | {
            "taps": [1.0, 7.0]
        }
        both = await asyncio.gather(
            context.update_setting("AMPLIFIER", "gain", 3.0, timeout=HANG),
            context.update_setting("AMPLIFIER", "taps[0]", 4.0, timeout=HANG),
        )
        assert max(both, key=lambda value: value.revision).structured_value == {"gain": 3.0, "taps": [4.0, 7.0]}
        events = await context.settings_events()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[-1].value == max(both, key=lambda value: value.revision)
        stop.touch()
        assert await asyncio.to_thread(running.ends) == 0


async def test_settings_that_are_published_are_reported(
    start: Callable[..., Any], server: Any, tmp_path: Any
) -> None:
    stop = tmp_path / "stop"
    source = program("amplifier,").replace("BLOCKER=blocker, ", "")
    running = start(source, str(stop), str(server.address))
    async with looking_into(server, "AMPLIFIER") as context:
        assert await context.settings_input_topic("AMPLIFIER") == "AMPLIFIER/INPUT_SETTINGS"
        with pytest.raises(RuntimeError, match="dynamic settings"):
            await context.settings_input_topic("LAST")
        publisher = await context.publisher("AMPLIFIER/INPUT_SETTINGS")
        before = (await context.settings_events())[-1].seq
        events = context.subscribe_settings_events(after_seq=before)
        await publisher.broadcast(SimpleNamespace(gain=9.0, taps=[0.5]))
        event = await anext(aiter(events))
        assert event.component_address == "AMPLIFIER"
        assert event.value.repr_value == "namespace(gain=9.0, taps=[0.5])"
        assert event.source_process_id is not None
        await events.aclose()  # type: ignore[attr-defined]
        assert await asyncio.to_thread(running.says, "gain") == ["gain", "9.0", "0.5"]
        applied = await context.update_setting("AMPLIFIER", "gain", 8.0, timeout=HANG)
        assert applied.revision == event.value.revision + 1
        stop.touch()
        assert await asyncio.to_thread(running.ends) == 0


async def test_whoever_joins_learns_which_process_does_not_answer(
    start: Callable[..., Any], server: Any, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    speaking = "    class Speaking(Blocker):\n        OUT = ez.OutputStream(int)\n"
    source = speaking + program("blocker,").replace("Blocker()", "Speaking()")
    running = start(source, str(tmp_path / "stop"), str(server.address))
    async with looking_into(server, "BLOCKER") as context:
        pid = await asyncio.to_thread(lambda: int(running.says("blocking")[2]))
        await context.subscriber("BLOCKER/OUT")
        (said,) = [
            record.getMessage() for record in caplog.records if "did not answer in time" in record.getMessage()
        ]
        assert f"/{pid} BLOCKER/OUT (units BLOCKER)." in said
        assert f"/{os.getpid()} " not in said
    running.signal(signal.SIGKILL, group=True)


async def test_a_process_answers_while_a_unit_blocks_its_loop(
    start: Callable[..., Any], server: Any, tmp_path: Any
) -> None:
    running = start(program("blocker,"), str(tmp_path / "stop"), str(server.address))
    async with looking_into(server, "BLOCKER") as context:
        pid = await asyncio.to_thread(lambda: int(running.says("blocking")[2]))
        assert (await context.process_ping("BLOCKER", timeout=HANG)).pid == pid != running.pid
        stats = await context.process_stats("BLOCKER", timeout=HANG)
        assert (stats.pid, stats.owned_units) == (pid, ["BLOCKER"])
        assert stats.loop_lateness_s is not None
        assert stats.loop_lateness_s > 0.01
        os.kill(pid, signal.SIGKILL)
        response = await context.process_request("BLOCKER", "ANY", timeout=HANG)
        codes = ProcessControlErrorCode
        assert response.error_code in (codes.PROCESS_DISCONNECTED, codes.UNROUTABLE_UNIT)
    assert await asyncio.to_thread(running.ends) == 1


async def test_requests_of_the_users_own(server: Any) -> None:
    def handle(request: ProcessControlRequest) -> ProcessControlResponse:
        return ProcessControlResponse(request.request_id, True, request.payload)

    process = ProcessControlClient(server.address)
    await process.connect()
    await process.register(["UNIT"])
    process.set_request_handler(handle)
    async with ez.GraphContext(server.address) as context:
        response = await context.process_request("UNIT", "ECHO", payload_obj={"a": [1, None]})
        assert context.decode_process_payload(response) == {"a": [1, None]}
        assert context.decode_process_payload(response, dict) == {"a": [1, None]}
        with pytest.raises(RuntimeError, match="Unexpected process payload"):
            context.decode_process_payload(response, int)
        assert (await context.process_request("UNIT", "ECHO", payload=b"")).payload == b""
        with pytest.raises(ValueError, match="only one of payload or payload_obj"):
            await context.process_request("UNIT", "ECHO", payload=b"", payload_obj=1)
    with pytest.raises(RuntimeError, match="session"):
        await context.process_ping("UNIT")
    await process.close()


STUCK = """
    class Gain(ez.Settings):
        gain: float = 0.0
        name: str = ""

    class Stuck(ez.Unit):
        SETTINGS = Gain
        INPUT_SETTINGS = ez.InputStream(Gain)

        @ez.subscriber(INPUT_SETTINGS)
        async def take(self, settings: Gain) -> None:
            say("takes", settings.gain)
            while settings.gain == 1.0 and not os.path.exists(sys.argv[3]):
                time.sleep(0.01)
            self.apply_settings(settings)
            say("has", settings.gain, settings.name)

    if __name__ == "__main__":
        stuck, last = Stuck(), Last()
        ez.run(STUCK=stuck, LAST=last, process_components=(stuck,), graph_address=sys.argv[2])
"""


async def test_who_waits_for_a_unit_that_blocks_is_told_in_time(
    start: Callable[..., Any], server: Any, tmp_path: Any
) -> None:
    """Each caller has its own deadline, whatever the unit does; what waits its turn is then applied in order."""
    stop, release = tmp_path / "stop", tmp_path / "release"
    running = start(STUCK, str(stop), str(server.address), str(release))
    async with looking_into(server, "STUCK") as context, ez.GraphContext(server.address) as other:
        seq = (await context.settings_events())[-1].seq
        first = asyncio.create_task(context.update_setting("STUCK", "gain", 1.0, timeout=0.5))
        await asyncio.to_thread(running.says, "takes")
        # From here on the unit's loop is blocked, and only the test ends that.
        last = asyncio.create_task(other.update_setting("STUCK", "gain", 3.0, timeout=HANG))
        with pytest.raises(RuntimeError, match=r"TIMEOUT\): .*may still be applied") as failure:
            await first
        assert isinstance(failure.value.__cause__, TimeoutError)
        with pytest.raises(RuntimeError, match="TIMEOUT"):
            await context.update_setting("STUCK", "gain", 2.0, timeout=0.1)
        field = SettingsFieldUpdateRequest("gain", 2.5)
        operation = ProcessControlOperation.UPDATE_SETTING_FIELD
        response = await context.process_request("STUCK", operation, payload_obj=field, timeout=0.1)
        assert response.error_code is ProcessControlErrorCode.TIMEOUT
        assert (await context.process_ping("STUCK", timeout=HANG)).pid != running.pid
        assert not last.done()
        assert await context.settings_events(seq) == []
        release.touch()
        assert (await last).structured_value == {"gain": 3.0, "name": ""}
        events = await context.settings_events(seq)
        assert [event.value.structured_value["gain"] for event in events] == [1.0, 3.0]
        assert [event.value.revision for event in events] == [1, 2]
        stop.touch()
        assert await asyncio.to_thread(running.ends) == 0
    assert [line.split()[1] for line in running.out if line.startswith("takes")] == ["1.0", "3.0"]


async def test_two_clients_change_one_unit_at_once(start: Callable[..., Any], server: Any, tmp_path: Any) -> None:
    stop = tmp_path / "stop"
    running = start(STUCK, str(stop), str(server.address), str(stop))
    async with looking_into(server, "STUCK") as one, ez.GraphContext(server.address) as other:
        both = await asyncio.gather(
            one.update_setting("STUCK", "gain", 5.0, timeout=HANG),
            other.update_setting("STUCK", "name", "x", timeout=HANG),
        )
        assert sorted(each.revision for each in both) == [1, 2]
        assert (await one.settings_snapshot())["STUCK"].structured_value == {"gain": 5.0, "name": "x"}
        outcomes = await asyncio.gather(
            *(
                each.update_setting("STUCK", "gain", gain, timeout=HANG, expect=2)
                for each, gain in ((one, 6.0), (other, 7.0))
            ),
            return_exceptions=True,
        )
        (refused,) = [each for each in outcomes if isinstance(each, Exception)]
        assert "expected at revision 2, but they are at revision 3" in str(refused)
        (applied,) = [each for each in outcomes if not isinstance(each, Exception)]
        now = (await other.settings_snapshot())["STUCK"]
        assert (now.revision, now.structured_value) == (3, applied.structured_value)
        stop.touch()
        assert await asyncio.to_thread(running.ends) == 0
