"""The units for every day, in graphs that run."""

from pathlib import Path

import pytest
from tests.util.conftest import Run

from ezmsg.util.codec.log import log_object
from ezmsg.util.codec.types import LogStart
from ezmsg.util.messagecodec import message_log


def test_a_gate_lets_messages_through_while_it_is_open(run_program: Run) -> None:
    (got,) = run_program("""
        from ezmsg.util.messagegate import *
        opened, shut = ("OTHER", GateMessage(True)), ("OTHER", GateMessage(False))
        source = script(1, opened, 2, 3, shut, 4, opened, 5)
        gate = MessageGate(MessageGateSettings())
        edges = [(source.OUTPUT, gate.INPUT), (source.OTHER, gate.INPUT_GATE), (gate.OUTPUT, None)]
        tell(run(*edges, total=3, SOURCE=source, GATE=gate))
    """)
    assert got == [2, 3, 5]


@pytest.mark.parametrize(
    ("settings", "passed"),
    [
        ("start_open=True, default_open=False, default_after=2", [0, 1]),
        ("start_open=False, default_open=True, default_after=2", [2, 3, 4]),
        ("start_open=False, default_open=True, default_after=0", [1, 2, 3, 4]),
        ("start_open=True, default_open=False", [0, 1, 2, 3, 4]),
    ],
)
def test_a_gate_falls_back_by_itself(run_program: Run, settings: str, passed: list[int]) -> None:
    (got,) = run_program(f"""
        from ezmsg.util.messagegate import *
        source, gate = script(*range(5)), MessageGate({settings})
        edges = [(source.OUTPUT, gate.INPUT), (gate.OUTPUT, None)]
        tell(run(*edges, total={len(passed)}, SOURCE=source, GATE=gate))
    """)
    assert got == passed


def test_a_queue_keeps_what_it_was_only_lent(run_program: Run) -> None:
    """The sender has two slots, and the messages wait longer than those are theirs."""
    (got,) = run_program("""
        from ezmsg.util.messagequeue import *

        class Source(ez.Unit):
            OUTPUT = ez.OutputStream(np.ndarray, num_buffers=2)

            @ez.publisher(OUTPUT)
            async def send(self) -> AsyncIterator[Any]:
                for number in range(8):
                    yield self.OUTPUT, np.full(1000, number)

        class Last(ez.Unit):
            INPUT = ez.InputStream(np.ndarray)
            OUTPUT = ez.OutputStream(list)

            @ez.subscriber(INPUT)
            @ez.publisher(OUTPUT)
            async def take(self, message: np.ndarray) -> AsyncIterator[Any]:
                yield self.OUTPUT, [int(message[0]), int(message[-1])]

        if __name__ == "__main__":
            source, queue, last = Source(), MessageQueue(output_hz=50.0), Last()
            keep, end = MessageCollector(), TerminateOnTotal(8)
            edges = [(source.OUTPUT, queue.INPUT), (queue.OUTPUT, last.INPUT), (last.OUTPUT, keep.INPUT_MESSAGE)]
            edges.append((keep.OUTPUT_MESSAGE, end.INPUT_MESSAGE))
            units = dict(QUEUE=queue, SOURCE=source, LAST=last, KEEP=keep, END=end)
            ez.run(**units, connections=edges, process_components=[source])
            tell(keep.messages)
    """)
    assert got == [[number, number] for number in range(8)]


def test_a_full_queue_drops_its_oldest_or_lets_the_sender_wait(run_program: Run) -> None:
    source = """
        from ezmsg.util.messagequeue import *

        class Held(MessageQueue):
            "Sends nothing before all have come, as long as it leaks."
            @ez.publisher(MessageQueue.OUTPUT)
            async def send_message(self) -> AsyncIterator[Any]:
                waiting = self.STATE.msg_queue
                while self.STATE.leaky and not (waiting.full() and waiting._queue[-1] == 5):
                    await asyncio.sleep(0.01)
                async for each in super().send_message():
                    yield each

        source, queue = script(*range(6)), Held(maxsize=2, leaky=sys.argv[1] == "leaky")
        edges = [(source.OUTPUT, queue.INPUT), (queue.OUTPUT, None)]
        tell(run(*edges, total=int(sys.argv[2]), SOURCE=source, QUEUE=queue))
    """
    assert run_program(source, "leaky", 2) == [[4, 5]]
    assert run_program(source, "patient", 6) == [[0, 1, 2, 3, 4, 5]]


def test_a_queue_without_a_limit_cannot_leak_and_says_so(run_program: Run) -> None:
    log: list[str] = []
    source = """
        from ezmsg.util.messagequeue import *
        source, queue = script(*range(3)), MessageQueue(leaky=True)
        tell(run((source.OUTPUT, queue.INPUT), (queue.OUTPUT, None), total=3, SOURCE=source, QUEUE=queue))
    """
    assert run_program(source, log=log) == [[0, 1, 2]]
    assert any("QUEUE is leaky, but its maxsize is not above 0" in line for line in log)


def test_what_passes_is_shown_and_cut_short(run_program: Run) -> None:
    log: list[str] = []
    source = """
        from ezmsg.util.debuglog import *
        source, show = script("x" * 50, "y"), DebugLog(DebugLogSettings(name="HERE", max_length=20))
        tell(run((source.OUTPUT, show.INPUT), (show.OUTPUT, None), total=2, SOURCE=source, SHOW=show))
    """
    assert run_program(source, log=log) == [["x" * 50, "y"]]
    assert any(line.endswith("HERE - msg='xxxxxxxx ... [truncated]") for line in log)
    assert any(line.endswith("HERE - msg='y'") for line in log)


def test_silence_ends_a_program_but_not_before_its_first_message(run_program: Run) -> None:
    (got,) = run_program("""
        import time
        from ezmsg.util.terminate import *

        class Late(ez.Unit):
            OUTPUT = ez.OutputStream(float)

            @ez.publisher(OUTPUT)
            async def send(self) -> AsyncIterator[Any]:
                for _ in range(3):
                    await asyncio.sleep(0.4)
                    yield self.OUTPUT, time.monotonic()

            async def shutdown(self) -> None:
                pass

        source, keep = Late(), MessageCollector()
        end = TerminateOnTimeout(TerminateOnTimeoutSettings(time=0.3 * 3, poll_rate=50.0))
        edges = [(source.OUTPUT, keep.INPUT_MESSAGE), (source.OUTPUT, end.INPUT)]
        ez.run(SOURCE=source, KEEP=keep, END=end, connections=edges, force_single_process=True)
        tell([len(keep.messages), time.monotonic() - keep.messages[-1]])
    """)
    assert got[0] == 3
    assert got[1] > 0.9


def test_the_total_may_be_told_later(run_program: Run) -> None:
    (got,) = run_program("""
        source, keep, end = script(0, 1, 2, ("OTHER", 3)), MessageCollector(), TerminateOnTotal()
        edges = [(source.OUTPUT, end.INPUT_MESSAGE), (source.OTHER, end.INPUT_TOTAL)]
        edges += [(source.OUTPUT, keep.INPUT_MESSAGE)]
        ez.run(SOURCE=source, KEEP=keep, END=end, connections=edges, force_single_process=True)
        tell(keep.messages)
    """)
    assert got == [0, 1, 2]


LOGGING = """
    from ezmsg.util.messagelogger import *
    first, second = (Path(sys.argv[1]) / name for name in ("first.txt", "deep/er/second.txt"))
    array = AxisArray(np.arange(6.0).reshape(2, 3)[:, ::2], ["time", "ch"], attrs={"n": np.arange(2)}, key="k")
    source = script({"x": 1}, array, ("OTHER", second), ("OTHER", second), 3, lambda: None, [1, 2])
    logger = MessageLogger(MessageLoggerSettings(output=first, write_period=float(sys.argv[2])))
    edges = [(source.OUTPUT, logger.INPUT_MESSAGE), (source.OTHER, logger.INPUT_START)]
    edges += [(logger.OUTPUT_MESSAGE, None)]
    run(*edges, total=5, SOURCE=source, LOGGER=logger)
"""


@pytest.mark.parametrize("period", [0.0, 0.05, 60.0])
def test_messages_are_logged_to_every_open_file(run_program: Run, tmp_path: Path, period: float) -> None:
    import numpy as np

    from ezmsg.util.messages.axisarray import AxisArray

    log: list[str] = []
    run_program(LOGGING, tmp_path, period, log=log)
    first = list(message_log(tmp_path / "first.txt"))
    array = AxisArray(np.arange(6.0).reshape(2, 3)[:, ::2], ["time", "ch"], attrs={"n": np.arange(2)}, key="k")
    assert first == [{"x": 1}, array, 3, [1, 2]]
    assert list(message_log(tmp_path / "deep/er/second.txt")) == [3, [1, 2]]
    stamped = list(message_log(tmp_path / "first.txt", return_object=False))
    assert [set(each) for each in stamped] == [{"ts", "obj"}] * 4
    assert [each["ts"] for each in stamped] == sorted(each["ts"] for each in stamped)
    assert sum("EZ-7103" in line for line in log) == 1, "what cannot be logged is said, once"


def test_a_file_is_closed_when_that_is_asked_for(run_program: Run, tmp_path: Path) -> None:
    (got,) = run_program(
        """
        from ezmsg.util.messagelogger import *
        path = Path(sys.argv[1]) / "log.txt"
        source, logger = script(0, ("OTHER", path), ("OTHER", path), 1), MessageLogger(output=path)
        end, keep = TerminateOnTotal(2), MessageCollector()
        edges = [(source.OUTPUT, logger.INPUT_MESSAGE), (source.OTHER, logger.INPUT_STOP)]
        edges += [(logger.OUTPUT_STOP, keep.INPUT_MESSAGE), (logger.OUTPUT_MESSAGE, end.INPUT_MESSAGE)]
        ez.run(SOURCE=source, LOGGER=logger, KEEP=keep, END=end, connections=edges, force_single_process=True)
        tell([path.name for path in keep.messages])
        """,
        tmp_path,
    )
    assert got == ["log.txt"]
    assert list(message_log(tmp_path / "log.txt")) == [0]


def write(path: Path, *lines: object) -> Path:
    text = [line if isinstance(line, str) else log_object(line) for line in lines]
    path.write_text("".join(f"{line}\n" for line in text))
    return path


REPLAYING = """
    from ezmsg.util.messagereplay import *

    class Say(ez.Unit):
        "Makes lists of what comes, as they come on several streams."
        INPUT_MESSAGE, INPUT_TOTAL, INPUT_STATUS = ez.InputStream(Any), ez.InputStream(int), ez.InputStream(Any)
        OUTPUT = ez.OutputStream(list)

        @ez.subscriber(INPUT_MESSAGE)
        @ez.publisher(OUTPUT)
        async def on_message(self, message: Any) -> AsyncIterator[Any]:
            yield self.OUTPUT, ["message", message]

        @ez.subscriber(INPUT_TOTAL)
        @ez.publisher(OUTPUT)
        async def on_total(self, message: int) -> AsyncIterator[Any]:
            yield self.OUTPUT, ["total", message]

        @ez.subscriber(INPUT_STATUS)
        @ez.publisher(OUTPUT)
        async def on_status(self, message: Any) -> AsyncIterator[Any]:
            yield self.OUTPUT, ["status", message.filename.name, message.idx, message.total, message.done]

    def replay(source, replay, **more):
        say, keep, end = Say(), MessageCollector(), TerminateOnTotal(int(sys.argv[2]))
        edges = [(replay.OUTPUT_MESSAGE, say.INPUT_MESSAGE), (replay.OUTPUT_TOTAL, say.INPUT_TOTAL)]
        edges += [(replay.OUTPUT_REPLAY_STATUS, say.INPUT_STATUS), (say.OUTPUT, keep.INPUT_MESSAGE)]
        edges += [(keep.OUTPUT_MESSAGE, end.INPUT_MESSAGE)]
        edges += [(source.OUTPUT, replay.INPUT_FILE), (source.OTHER, more.pop("other", replay.INPUT_STOP))]
        units = dict(SOURCE=source, REPLAY=replay, SAY=say, KEEP=keep, END=end)
        ez.run(**units, connections=edges, force_single_process=True)
        tell(keep.messages)
"""


def of(kind: str, said: list[list[object]]) -> list[object]:
    return [each[1] if len(each) == 2 else each[1:] for each in said if each[0] == kind]


def test_files_are_replayed_one_after_the_other(run_program: Run, tmp_path: Path) -> None:
    first = write(tmp_path / "first.txt", LogStart(), 0, "no JSON", {"a": [1]}, "", '{"no": "stamp"}', 2)
    write(tmp_path / "second.txt", 3)
    log: list[str] = []
    program = f"""{REPLAYING}
    folder = Path(sys.argv[1])
    files = [FileReplayMessage(folder / "missing.txt"), FileReplayMessage(folder / "second.txt", rate=20.0)]
    replay(script(*files), MessageReplay(MessageReplaySettings(filename=folder / "first.txt")))
    """
    (said,) = run_program(program, tmp_path, 4 + 2 + 9 + 3, log=log)
    assert of("message", said) == [0, {"a": [1]}, 2, 3]
    assert of("total", said) == [3, 1]
    lines = len(first.read_text().splitlines())
    assert of("status", said) == [
        *(["first.txt", index, lines, False] for index in range(lines + 1)),
        ["first.txt", lines, lines, True],
        *(["second.txt", index, 1, False] for index in range(2)),
        ["second.txt", 1, 1, True],
    ]
    assert sum("REPLAY leaves out" in line for line in log) == 3


def test_a_stopped_file_ends_also_while_it_is_paused(run_program: Run, tmp_path: Path) -> None:
    write(tmp_path / "first.txt", *range(5))
    write(tmp_path / "second.txt", "more")
    write(tmp_path / "second.txt", 7)
    program = f"""{REPLAYING}
    folder = Path(sys.argv[1])

    class Paused(MessageReplay):
        "Pauses itself behind its second message, and is stopped a moment later."
        @ez.publisher(MessageReplay.OUTPUT_MESSAGE)
        @ez.publisher(MessageReplay.OUTPUT_TOTAL)
        @ez.publisher(MessageReplay.OUTPUT_REPLAY_STATUS)
        async def replay(self) -> AsyncIterator[Any]:
            async for stream, message in super().replay():
                yield stream, message
                if message == 1 and stream is self.OUTPUT_MESSAGE:
                    await self.set_paused(True)
                    asyncio.get_running_loop().call_later(0.1, self.STATE.stop.set)
                elif getattr(message, "done", False):
                    await self.set_paused(False)

    replay(script(FileReplayMessage(folder / "second.txt")), Paused(filename=folder / "first.txt"))
    """
    (said,) = run_program(program, tmp_path, 2 + 1 + 4 + 1 + 1 + 3)
    assert of("message", said) == [0, 1, 7]
    assert of("total", said) == [2, 1]
    assert ["first.txt", 2, 5, True] in of("status", said)
