"""What a running unit does with its functions, with publishers and subscribers made of script."""

import asyncio
import logging
from contextlib import asynccontextmanager

import numpy as np
import pytest

import ezmsg.core as ez
from ezmsg.core.errors import EndpointClosed
from ezmsg.core.runtime.tasks import RunningUnit, inlets_in_use

HANG = 30.0


class Outlet:
    """A publisher that keeps what it gets."""

    def __init__(self):
        self.sent = []
        self.closed = False
        self._news = asyncio.Condition()

    async def holds(self, count):
        """Wait for so many messages."""
        async with asyncio.timeout(HANG), self._news:
            await self._news.wait_for(lambda: len(self.sent) >= count)

    async def broadcast(self, obj):
        if self.closed:
            raise EndpointClosed(topic="A/OUTPUT", role="publisher")
        self.sent.append(obj)
        async with self._news:
            self._news.notify_all()


class Inlet:
    """A subscriber that hands out what it is given, and counts its leases."""

    def __init__(self, leaky=False):
        self.leaky = leaky
        self.watched = False
        self.messages = asyncio.Queue()
        self.leases = 0
        self.tracer = None
        self.waiting = asyncio.Event()
        self.closed = False

    async def _next(self):
        self.waiting.set()
        message = await self.messages.get()
        self.waiting.clear()
        if isinstance(message, Exception):
            raise message
        return message

    async def recv(self):
        assert self.leaky
        return np.copy(await self._next())

    @asynccontextmanager
    async def recv_zero_copy(self):
        assert not self.leaky
        message = await self._next()
        self.leases += 1
        try:
            yield message
        finally:
            self.leases -= 1

    def close(self):
        self.closed = True

    async def taken(self):
        """Wait until everything was handed out and the reader waits for more."""
        async with asyncio.timeout(HANG):
            while not self.messages.empty() or not self.waiting.is_set():  # noqa: ASYNC110  changed by two tasks
                await asyncio.sleep(0)


class Bench:
    """A unit with scripted endpoints, and its tasks."""

    def __init__(self, unit, *, strict=False, leaky=False):
        unit._set_name("A")
        unit._set_location([])
        self.unit = unit
        self.outlets = {s.address: Outlet() for s in unit.streams.values() if isinstance(s, ez.OutputStream)}
        self.inlets = {s.address: Inlet(leaky) for s in inlets_in_use(unit)}
        self.running = RunningUnit(unit, self.outlets, self.inlets, strict)
        self.tasks = {
            name: asyncio.ensure_future(coroutine) for name, coroutine in self.running.coroutines().items()
        }

    async def give(self, *messages, topic="A/INPUT"):
        for message in messages:
            self.inlets[topic].messages.put_nowait(message)
        waiting = asyncio.ensure_future(self.inlets[topic].taken())
        async with asyncio.timeout(HANG):
            await asyncio.wait([waiting, self.tasks[topic]], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()

    async def end(self):
        for task in self.tasks.values():
            task.cancel()
        await asyncio.wait(self.tasks.values())


@pytest.fixture
async def bench():
    benches = []

    def make(unit, **options):
        benches.append(Bench(unit, **options))
        return benches[-1]

    yield make
    for each in benches:
        await each.end()


async def outcome(task):
    async with asyncio.timeout(HANG):
        return await task


async def test_functions_of_one_inlet_are_called_in_turn_for_each_message(bench):
    seen = []

    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def first(self, message):
            seen.append(("first begins", message))
            await asyncio.sleep(0)
            seen.append(("first ends", message))

        @ez.subscriber(INPUT)
        def second(self, message):
            seen.append(("second", message))

    await bench(Unit()).give(1, 2)
    for message in (1, 2):
        mine = [what for what, m in seen if m == message]
        assert sorted(mine) == ["first begins", "first ends", "second"]
        assert mine.index("first ends") == mine.index("first begins") + 1
    assert [m for _, m in seen] == [1, 1, 1, 2, 2, 2]


async def test_different_inlets_do_not_wait_for_each_other(bench):
    seen = []

    class Unit(ez.Unit):
        SLOW = ez.InputStream(int)
        INPUT = ez.InputStream(int)

        @ez.subscriber(SLOW)
        async def slow(self, _):
            await asyncio.Event().wait()

        @ez.subscriber(INPUT)
        async def quick(self, message):
            seen.append(message)

    made = bench(Unit())
    made.inlets["A/SLOW"].messages.put_nowait(0)
    await made.give(1, 2)
    assert seen == [1, 2]


async def test_complete_stops_one_function_and_when_all_did_the_inlet_is_closed(bench):
    seen = []

    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def short(self, message):
            seen.append(("short", message))
            raise ez.Complete

        @ez.subscriber(INPUT)
        async def long(self, message):
            seen.append(("long", message))
            if message == 3:
                raise ez.Complete

    made = bench(Unit())
    await made.give(1, 2, 3)
    await outcome(made.tasks["A/INPUT"])
    assert sorted(seen) == [("long", 1), ("long", 2), ("long", 3), ("short", 1)]
    assert made.inlets["A/INPUT"].closed
    assert made.inlets["A/INPUT"].leases == 0


@pytest.mark.parametrize("strict", [False, True])
async def test_an_exception_is_logged_and_ends_the_task_only_under_strict(bench, caplog, strict):
    seen = []

    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def take(self, message):
            seen.append(message)
            raise OSError("no")

        @ez.task
        async def once(self):
            raise OSError("neither")

    made = bench(Unit(), strict=strict)
    with caplog.at_level(logging.ERROR):
        await made.give(1, 2)
        done, _ = await asyncio.wait([made.tasks["A:once"]], timeout=HANG)
    (once,) = done
    assert "Exception in Task: A:take" in caplog.text
    assert "Exception in Task: A:once" in caplog.text
    assert "Traceback" in caplog.text
    assert made.inlets["A/INPUT"].leases == 0
    if strict:
        assert seen == [1]
        with pytest.raises(OSError, match="neither"):
            once.result()
        with pytest.raises(OSError, match="no"):
            await outcome(made.tasks["A/INPUT"])
    else:
        assert seen == [1, 2]
        assert once.result() is None


async def test_a_message_that_cannot_be_had_is_skipped(bench, caplog):
    seen = []

    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def take(self, message):
            seen.append(message)

    with caplog.at_level(logging.ERROR):
        await bench(Unit()).give(1, ValueError("not to be unpickled"), 2)
    assert seen == [1, 2]
    assert "A message for A/INPUT could not be received, and is skipped" in caplog.text


async def test_a_subscriber_that_is_closed_under_it_ends_the_task(bench):
    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def take(self, message):
            pass

    made = bench(Unit())
    await made.give(EndpointClosed(topic="A/INPUT", role="subscriber"))
    with pytest.raises(EndpointClosed):
        await outcome(made.tasks["A/INPUT"])


async def test_normal_termination_goes_through(bench):
    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def take(self, message):
            raise ez.NormalTermination

        @ez.task
        async def once(self):
            raise ez.NormalTermination

    made = bench(Unit())
    await made.give(1)
    for task in made.tasks.values():
        with pytest.raises(ez.NormalTermination):
            await outcome(task)


async def test_yields_are_published_on_their_streams_in_order(bench):
    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)
        A = ez.OutputStream(int)
        B = ez.OutputStream(int)

        @ez.subscriber(INPUT)
        @ez.publisher(A)
        @ez.publisher(B)
        async def take(self, message):
            yield self.A, message
            yield Unit.B, -message
            yield self.A, message + 1

    made = bench(Unit())
    await made.give(1, 10)
    assert made.outlets["A/A"].sent == [1, 2, 10, 11]
    assert made.outlets["A/B"].sent == [-1, -10]


async def test_a_turn_is_given_after_each_message(bench):
    class Unit(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def flood(self):
            while True:
                yield self.OUTPUT, 0

    made = bench(Unit())
    await made.outlets["A/OUTPUT"].holds(3)
    await made.end()  # it could not be cancelled otherwise


async def test_yields_that_go_nowhere_are_named_once_for_each_function(bench, caplog):
    class Other(ez.Unit):
        ELSEWHERE = ez.OutputStream(int)

    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)
        OUTPUT = ez.OutputStream(int)

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def take(self, message):
            yield Other.ELSEWHERE, message
            yield self.INPUT, message
            yield "A/OUTPUT", message
            yield self.OUTPUT, message

    made = bench(Unit())
    with caplog.at_level(logging.ERROR):
        await made.give(1, 2)
    assert made.outlets["A/OUTPUT"].sent == [1, 2]
    assert caplog.text.count("A:take yields messages for") == 1


async def test_a_generator_is_closed_when_its_task_is_cancelled(bench):
    seen = []

    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def send(self):
            try:
                yield self.OUTPUT, 1
                await asyncio.Event().wait()
            finally:
                seen.append("send closed")

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def take(self, message):
            try:
                yield self.OUTPUT, message
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                seen.append("take closed")

    made = bench(Unit())
    made.inlets["A/INPUT"].messages.put_nowait(7)
    await made.outlets["A/OUTPUT"].holds(2)
    await made.end()
    assert sorted(seen) == ["send closed", "take closed"]
    assert made.inlets["A/INPUT"].leases == 0


async def test_a_generator_is_closed_when_its_message_cannot_be_sent(bench, caplog):
    seen = []

    class Unit(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def send(self):
            try:
                yield self.OUTPUT, 1
            finally:
                seen.append("closed")

    made = bench(Unit())
    made.outlets["A/OUTPUT"].closed = True
    await outcome(made.tasks["A:send"])
    assert seen == ["closed"]
    assert "The publisher of A/OUTPUT is closed" in caplog.text


async def test_the_lease_is_given_back_before_the_next_wait(bench):
    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def take(self, message):
            assert made.inlets["A/INPUT"].leases == 1

    made = bench(Unit(), strict=True)
    await made.give(1)
    assert made.inlets["A/INPUT"].leases == 0


async def test_a_message_is_not_kept_while_the_next_is_awaited(bench):
    import gc
    import weakref

    class Message:
        pass

    class Unit(ez.Unit):
        INPUT = ez.InputStream(Message)

        @ez.subscriber(INPUT)
        async def take(self, message):
            pass

    made = bench(Unit())
    message = Message()
    reference = weakref.ref(message)
    await made.give(message)
    del message
    gc.collect()
    assert reference() is None


async def test_a_leaky_inlet_is_read_by_private_copies(bench):
    seen = []

    class Unit(ez.Unit):
        INPUT = ez.InputStream(np.ndarray, leaky=True)

        @ez.subscriber(INPUT)
        async def take(self, message):
            message[:] = 0
            seen.append(message)

    array = np.ones(3)
    await bench(Unit(), leaky=True).give(array)
    assert array.tolist() == [1, 1, 1]
    assert seen[0].tolist() == [0, 0, 0]


async def test_only_inlets_that_a_function_reads_are_in_use():
    class Unit(ez.Unit):
        USED = ez.InputStream(int)
        UNUSED = ez.InputStream(int)

        @ez.subscriber(USED)
        async def one(self, message):
            pass

        @ez.subscriber(USED)
        async def two(self, message):
            pass

    unit = Unit()
    unit._set_location()
    assert [inlet.address for inlet in inlets_in_use(unit)] == ["Unit/USED"]


async def test_a_generator_that_is_no_asynchronous_one_is_an_error_and_not_silence(bench, caplog):
    class Unit(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        def send(self):
            yield self.OUTPUT, 1

    with caplog.at_level(logging.ERROR):
        await outcome(bench(Unit()).tasks["A:send"])
    assert "A:send" in caplog.text
    assert "async def" in caplog.text


async def test_a_yield_that_is_no_pair_is_named(bench, caplog):
    class Unit(ez.Unit):
        OUTPUT = ez.OutputStream(int)

        @ez.publisher(OUTPUT)
        async def send(self):
            yield 5

    with caplog.at_level(logging.ERROR):
        await outcome(bench(Unit()).tasks["A:send"])
    assert "A:send" in caplog.text
    assert "self.OUTPUT, message" in caplog.text


async def test_a_publisher_that_never_ends_and_does_not_yield_is_told_at_the_start(bench, caplog):
    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)
        OUTPUT = ez.OutputStream(int)
        runs = asyncio.Event()

        @ez.publisher(OUTPUT)
        async def generate(self):
            self.runs.set()
            await asyncio.Event().wait()

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def wait(self, message):
            await asyncio.Event().wait()

        @ez.publisher(OUTPUT)
        async def yields(self):
            yield self.OUTPUT, 1

        @ez.publisher(OUTPUT)
        @ez.timeit
        async def timed(self):
            yield self.OUTPUT, 1

        @ez.task
        async def publishes_nothing(self):
            await asyncio.sleep(0)

    made = bench(Unit())
    await asyncio.wait_for(Unit.runs.wait(), 30)
    told = sorted(record.getMessage() for record in caplog.records if "`yield`" in record.getMessage())
    assert [each.partition(":")[2] for each in told] == [
        f"{name} publishes on OUTPUT, but has no `yield`: nothing of it can be published, and what it returns goes "
        "nowhere. Write `yield self.OUTPUT, message` in it."
        for name in ("generate", "wait")
    ]
    assert len(made.outlets["A/OUTPUT"].sent) <= 2


async def test_a_publisher_that_does_not_yield_is_told_once(bench, caplog):
    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)
        OUTPUT = ez.OutputStream(int)

        @ez.subscriber(INPUT)
        @ez.publisher(OUTPUT)
        async def returns(self, message):
            return self.OUTPUT, message

        @ez.publisher(OUTPUT)
        async def forgets(self):
            await asyncio.sleep(0)

        @ez.publisher(OUTPUT)
        def plain(self):
            return 3

        @ez.subscriber(INPUT)
        async def stray(self, message):
            return message  # it declares nothing that it would publish

    made = bench(Unit())
    await made.give(1, 2)
    await outcome(made.tasks["A:forgets"])
    await outcome(made.tasks["A:plain"])
    messages = [record.getMessage() for record in caplog.records]
    told = [each for each in messages if "Write `yield self.OUTPUT, message`" in each]
    assert len(told) == 3
    assert any("A:returns publishes on OUTPUT, but has no `yield`" in each for each in told)
    assert any("A:forgets publishes on OUTPUT, but has no `yield`" in each for each in told)
    assert any("A:plain is a plain function" in each and "goes nowhere: 3" in each for each in told)
    assert "stray" not in caplog.text
    assert made.outlets["A/OUTPUT"].sent == []


async def test_a_task_that_has_ended_by_an_exception_is_said_to_have_ended(bench, caplog):
    class Unit(ez.Unit):
        OUTPUT = ez.OutputStream(int)
        INPUT = ez.InputStream(int)

        @ez.publisher(OUTPUT)
        async def play(self):
            yield self.OUTPUT, 1
            raise OSError("unplugged")

        @ez.subscriber(INPUT)
        async def take(self, message):
            raise OSError("not this one")

    made = bench(Unit())
    await outcome(made.tasks["A:play"])
    await made.give(1, 2, 3)
    assert "A:play has ended by this exception and will not run again" in caplog.text
    assert "EZMSG_STRICT_SHUTDOWN" in caplog.text
    assert "A:take has ended" not in caplog.text, "it is called for the next message"
    assert made.running.ended_by_exception == {"A:play"}
    assert made.running.sources == ["A:play"]
    assert caplog.text.count("OSError: not this one") == 1
    made.running.finish()
    assert "A:take: and 2 more like it" in caplog.text


async def test_who_prints_into_a_closed_output_is_called_no_more(bench, caplog, monkeypatch):
    monkeypatch.setattr("ezmsg.core.runtime.tasks.output_is_closed", lambda: True)
    seen = []

    class Unit(ez.Unit):
        INPUT = ez.InputStream(int)

        @ez.subscriber(INPUT)
        async def show(self, message):
            raise BrokenPipeError

        @ez.subscriber(INPUT)
        async def count(self, message):
            seen.append(message)

    await bench(Unit()).give(1, 2, 3)
    assert seen == [1, 2, 3]
    assert caplog.text.count("A:show, which prints, is not called any more") == 1
    assert "Traceback" not in caplog.text
