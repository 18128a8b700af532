"""Messages between two ends of the package under test: streams, round trips, paced streams, fan-out, fan-in, loans.

The leading end holds the clock. The following ends, in this process or in others, echo or count what comes, and
answer words. Both talk over the very topics that are measured: a tuple is a word or an answer, anything else is
payload. Only what the public package has, too, is used, but for loans, which are looked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from payloads import payload_of, same
from role import (
    MAX_SAMPLES,
    WARM_UP_LIMIT_S,
    BenchError,
    Parameters,
    Result,
    clock_ns,
    processor_ns,
    report,
    summary,
)

import ezmsg.core as ez

NUM_BUFFERS = 32
DEFAULT_BUF_SIZE = 65536
HEADROOM = 4096
"""Bytes beyond the payload in each buffer: the public package puts its header and a pickle there."""
WARM_UP_MESSAGES = 2 * NUM_BUFFERS
"""Every buffer of both directions has been touched before a clock starts."""
KNOCK_S = 0.05

Answer = tuple[str, int, int, int]
"""A word, the number of the end that answers it, the payloads it has seen or sent, and its processor time."""


def forward(stream: int = 0) -> str:
    return f"BENCH/FORWARD{stream}"


def back(stream: int = 0) -> str:
    return f"BENCH/BACK{stream}"


async def open_publisher(context: ez.GraphContext, parameters: Parameters, topic: str) -> Any:
    return await context.publisher(
        topic,
        num_buffers=NUM_BUFFERS,
        buf_size=max(DEFAULT_BUF_SIZE, parameters["size"] + HEADROOM),
        force_tcp=parameters["transport"] == "tcp",
        allow_local=parameters["transport"] == "local",
    )


# --- following ------------------------------------------------------------------------------------------------


@dataclass
class Follower:
    """A following end: echoes payloads until it is told to count them, and answers every word."""

    number: int
    publisher: Any
    subscriber: Any
    payload: Any
    seconds: float

    async def follow(self) -> None:
        echo, seen = True, 0
        publisher, subscriber = self.publisher, self.subscriber
        while True:
            async with subscriber.recv_zero_copy() as message:
                if type(message) is not tuple:
                    if echo:
                        await publisher.broadcast(message)
                    else:
                        seen += 1
                    del message  # a view outliving its lease would keep the public package from closing
                    continue
                word = message[0]
            if word == "count":
                echo, seen = False, 0
            elif word == "go":
                seen = await self.send()
            await publisher.broadcast((word, self.number, seen, processor_ns()))

    async def send(self) -> int:
        """Send for the length of a window; return how many messages that were."""
        sent, end = 0, clock_ns() + int(self.seconds * 1e9)
        while clock_ns() < end:
            await self.publisher.broadcast(self.payload)
            sent += 1
        return sent


async def open_follower(
    context: ez.GraphContext, parameters: Parameters, seconds: float, number: int, stream: int = 0
) -> Follower:
    subscriber = await context.subscriber(forward(stream))
    publisher = await open_publisher(context, parameters, back(stream))
    return Follower(number, publisher, subscriber, payload_of(parameters), seconds)


async def follow(context: ez.GraphContext, parameters: Parameters, seconds: float, number: int) -> None:
    """Be the following end of each stream, in a process of its own."""
    async with asyncio.TaskGroup() as tasks:
        for stream in range(parameters.get("streams", 1)):
            follower = await open_follower(context, parameters, seconds, number, stream)
            tasks.create_task(follower.follow())
        report("ready")


# --- leading --------------------------------------------------------------------------------------------------


@dataclass
class Leader:
    """The leading end of one stream."""

    publisher: Any
    subscriber: Any
    followers: int
    seen: int = 0
    """Payloads that came while answers were waited for."""

    async def ask(self, word: str) -> dict[int, Answer]:
        """Say a word; return the answer of every follower."""
        await self.publisher.broadcast((word,))
        return await self.answers(word)

    async def answers(self, word: str) -> dict[int, Answer]:
        found: dict[int, Answer] = {}
        while len(found) < self.followers:
            async with self.subscriber.recv_zero_copy() as message:
                if type(message) is not tuple:
                    self.seen += 1
                    del message
                elif message[0] == word:
                    found[message[1]] = message
        return found

    async def greet(self) -> None:
        """Return once messages pass both ways; until then what is broadcast may reach nobody."""
        heard = asyncio.Event()

        async def knock() -> None:
            while not heard.is_set():
                await self.publisher.broadcast(("hello",))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), KNOCK_S)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(knock())
            await self.answers("hello")
            heard.set()
        await self.ask("level")

    async def bounce(self, payload: Any) -> int:
        """Send a payload there and back; return the nanoseconds it took."""
        start = clock_ns()
        await self.publisher.broadcast(payload)
        async with self.subscriber.recv_zero_copy():
            return clock_ns() - start

    async def warm_up(self, payload: Any) -> None:
        """Check the echoes, then use every buffer."""
        await self.publisher.broadcast(payload)
        for _ in range(self.followers):
            async with self.subscriber.recv_zero_copy() as echoed:
                if not same(payload, echoed):
                    raise BenchError("the echo differs from what was sent")
                del echoed
        end = clock_ns() + int(WARM_UP_LIMIT_S * 1e9)
        for _ in range(WARM_UP_MESSAGES):
            await self.publisher.broadcast(payload)
            for _ in range(self.followers):
                async with self.subscriber.recv_zero_copy():
                    pass
            if clock_ns() > end:
                break


@contextlib.asynccontextmanager
async def leading(
    context: ez.GraphContext, parameters: Parameters, seconds: float, stream: int = 0
) -> AsyncIterator[Leader]:
    """Have the leading end of a stream, ready; where the followers belong into this process, with them."""
    followers = parameters.get("followers", 1)
    subscriber = await context.subscriber(back(stream))
    publisher = await open_publisher(context, parameters, forward(stream))
    leader = Leader(publisher, subscriber, followers)
    async with asyncio.TaskGroup() as tasks:
        here = [
            tasks.create_task((await open_follower(context, parameters, seconds, number, stream)).follow())
            for number in range(followers if in_one_process(parameters) else 0)
        ]
        await leader.greet()
        await leader.warm_up(payload_of(parameters))
        yield leader
        for task in here:
            task.cancel()


def in_one_process(parameters: Parameters) -> bool:
    return bool(parameters["transport"] == "local")


# --- what is measured -----------------------------------------------------------------------------------------


async def round_trip(leader: Leader, parameters: Parameters, seconds: float) -> Result:
    """One message in flight."""
    payload = payload_of(parameters)
    limit = parameters.get("messages", MAX_SAMPLES)
    samples: list[int] = []
    used_ns = processor_ns()
    end = clock_ns() + int(seconds * 1e9)
    while len(samples) < limit and ("messages" in parameters or clock_ns() < end):
        samples.append(await leader.bounce(payload))
    return summary(samples) | {"cpu_ns": (processor_ns() - used_ns) / len(samples)}


async def stream(leader: Leader, parameters: Parameters, seconds: float) -> Result:
    """As many messages as back-pressure allows, or so many a second, or so many in all.

    The clock starts with nothing in flight and stops when all followers have answered that they have seen all of
    them, so that no message is counted which was only queued.
    """
    payload = payload_of(parameters)
    before = await leader.ask("count")
    used_ns, start = processor_ns(), clock_ns()
    sent = await SENDING[sending(parameters)](leader.publisher, payload, parameters, seconds)
    after = await leader.ask("total")
    elapsed_ns, used_ns = clock_ns() - start, processor_ns() - used_ns
    for answer in after.values():
        if answer[2] != sent:
            raise BenchError(f"{sent} messages sent, {answer[2]} received")
    if not in_one_process(parameters):
        used_ns += sum(after[number][3] - before[number][3] for number in after)
    rate = sent * 1e9 / elapsed_ns
    return {
        "messages": sent,
        "messages_per_s": rate,
        "deliveries_per_s": rate * leader.followers,
        "delivery_ns": elapsed_ns / sent / leader.followers,
        "cpu_ns": used_ns / sent,
    }


def sending(parameters: Parameters) -> str:
    return next((each for each in ("turn", "rate_hz", "messages") if each in parameters), "flat out")


async def send_flat_out(publisher: Any, payload: Any, _: Parameters, seconds: float) -> int:
    sent, end = 0, clock_ns() + int(seconds * 1e9)
    while clock_ns() < end:
        await publisher.broadcast(payload)
        sent += 1
    return sent


async def send_by_turns(publisher: Any, payload: Any, _: Parameters, seconds: float) -> int:
    """Give the event loop a turn after each message, as a unit that does anything else does."""
    sent, end = 0, clock_ns() + int(seconds * 1e9)
    while clock_ns() < end:
        await publisher.broadcast(payload)
        await asyncio.sleep(0)
        sent += 1
    return sent


async def send_paced(publisher: Any, payload: Any, parameters: Parameters, seconds: float) -> int:
    sent, period_ns, due = 0, int(1e9 / parameters["rate_hz"]), clock_ns()
    count = parameters.get("messages") or int(seconds * parameters["rate_hz"])
    while sent < count:
        due = max(due + period_ns, clock_ns())  # what is missed is not caught up with
        await asyncio.sleep((due - clock_ns()) * 1e-9)
        await publisher.broadcast(payload)
        sent += 1
    return sent


async def send_so_many(publisher: Any, payload: Any, parameters: Parameters, _: float) -> int:
    for _sent in range(parameters["messages"]):
        await publisher.broadcast(payload)
    return int(parameters["messages"])


SENDING: dict[str, Callable[[Any, Any, Parameters, float], Coroutine[Any, Any, int]]] = {
    "turn": send_by_turns,
    "rate_hz": send_paced,
    "messages": send_so_many,
    "flat out": send_flat_out,
}


async def fan_in(leader: Leader, _: Parameters, __: float) -> Result:
    """Every follower sends as fast as it is let, and all of it is received here."""
    await leader.ask("count")
    leader.seen, start = 0, clock_ns()
    answers = await leader.ask("go")
    elapsed_ns = clock_ns() - start
    sent = sum(answer[2] for answer in answers.values())
    if sent != leader.seen:
        raise BenchError(f"{sent} messages sent, {leader.seen} received")
    return {"messages": sent, "messages_per_s": sent * 1e9 / elapsed_ns}


async def loan(leader: Leader, parameters: Parameters, seconds: float) -> Result:
    """Lend and send what somebody else would fill, beside copying as much; the ratio of both rates."""
    if not hasattr(leader.publisher, "loan"):
        return {"skipped": "no loans here"}
    payload = payload_of(parameters)
    copied = await stream(leader, parameters, seconds)
    await leader.ask("count")
    sent, start = 0, clock_ns()
    end = start + int(seconds * 1e9)
    while clock_ns() < end:
        async with leader.publisher.loan(payload.shape, payload.dtype) as lent:
            await leader.publisher.broadcast(lent)
            del lent  # a view of it would keep its segment open
        sent += 1
    (answer,) = (await leader.ask("total")).values()
    rate = sent * 1e9 / (clock_ns() - start)
    if answer[2] != sent:
        raise BenchError(f"{sent} messages sent, {answer[2]} received")
    copied_rate = copied["messages_per_s"]
    return {"messages_per_s": rate, "copied_per_s": copied_rate, "gain": rate / copied_rate}


async def several_streams(context: ez.GraphContext, parameters: Parameters, seconds: float) -> Result:
    """Several streams at once between two processes; what a message of any of them takes."""
    async with contextlib.AsyncExitStack() as stack:
        leaders = [
            await stack.enter_async_context(leading(context, parameters, seconds, number))
            for number in range(parameters["streams"])
        ]
        before = [await leader.ask("count") for leader in leaders]
        used_ns, start = processor_ns(), clock_ns()
        async with asyncio.TaskGroup() as tasks:
            payload = payload_of(parameters)
            send = SENDING[sending(parameters)]
            sending_all = [
                tasks.create_task(send(each.publisher, payload, parameters, seconds)) for each in leaders
            ]
        after = [await leader.ask("total") for leader in leaders]
        elapsed_ns, used_ns = clock_ns() - start, processor_ns() - used_ns
    sent = sum(each.result() for each in sending_all)
    if sum(answers[0][2] for answers in after) != sent:
        raise BenchError(f"{sent} messages sent, {after} received")
    used_ns += after[-1][0][3] - before[-1][0][3]  # they are all in one process
    return {"messages": sent, "messages_per_s": sent * 1e9 / elapsed_ns, "cpu_ns": used_ns / sent}


ON_ONE_STREAM: dict[str, Callable[[Leader, Parameters, float], Awaitable[Result]]] = {
    "round trip": round_trip,
    "stream": stream,
    "fan-in": fan_in,
    "loan": loan,
}


async def lead(context: ez.GraphContext, parameters: Parameters, seconds: float) -> Result:
    """Measure what the parameters name, and say over which transport it went."""
    if parameters.get("streams", 1) > 1:
        return await several_streams(context, parameters, seconds)
    async with leading(context, parameters, seconds) as leader:
        result = await ON_ONE_STREAM[parameters["measure"]](leader, parameters, seconds)
        return result | {"transport_seen": transport_seen(leader.subscriber, parameters["transport"])}


def transport_seen(subscriber: Any, wanted: str) -> str | None:
    """Return the transport that carried the last message received, where the package says so.

    Raises BenchError if it is another one than the workload asked for: better no number than that one.
    """
    if hasattr(subscriber, "kind_last"):
        seen = {str(subscriber.kind_last).lower()}
    else:
        try:
            from ezmsg.core.profiling import PROFILES  # the public package does not promise to have it
        except ImportError:
            return None
        subscribers = PROFILES.snapshot().subscribers.values()
        seen = {str(getattr(each.channel_kind_last, "value", "unknown")).lower() for each in subscribers}
    seen -= {"unknown"}
    if seen and seen != {wanted}:
        raise BenchError(f"asked for {wanted}, carried by {', '.join(sorted(seen))}")
    return wanted if seen else None
