"""The ends of channels as processes of their own: each does what the lines on its standard input say.

The methods of the two classes are what it can say. Each answers with a line that begins with its name.
"""

import argparse
import asyncio
import faulthandler
import os
import resource
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import psutil

import ezmsg.core as ez
from ezmsg.core.errors import PeerLost

BURST = [64 * 4**step for step in range(8)]


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  this is how its test hears of it


async def lines() -> AsyncIterator[list[str]]:
    """The words of each line of standard input, read by a thread that nobody has to wait for."""
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[str]()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(queue.put_nowait, line)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield (await queue.get()).split()


def message(number: int, size: int) -> np.ndarray[Any, Any]:
    """A message whose every element tells its number."""
    return np.full(size, number, np.int64)


class End:
    """What both can be told."""

    async def limit(self, name: str, more: str) -> None:
        """Forbid this process to take much more of something than it has."""
        number = getattr(resource, f"RLIMIT_{name}")
        present = psutil.Process().memory_info().vms if name == "AS" else 0
        resource.setrlimit(number, (present + int(more), resource.getrlimit(number)[1]))
        say("limit")

    async def block(self, path: str) -> None:
        say("block")
        with open(path, "rb") as pipe:  # noqa: ASYNC230, PTH123  nothing happens here until somebody writes
            pipe.read(1)
        say("unblocked")


class PublisherEnd(End):
    def __init__(self, context: ez.GraphContext, publisher: ez.Publisher, options: dict[str, Any]) -> None:
        self.context = context
        self.publisher = publisher
        self.options = options

    async def send(self, first: str, count: str, size: str = "10") -> None:
        for number in range(int(first), int(first) + int(count)):
            await self.publisher.broadcast(message(number, int(size)))
        await asyncio.sleep(0)  # a burst is written when the event loop turns
        say("send", first, count)

    async def refused(self, size: str) -> None:
        try:
            await self.publisher.broadcast(message(0, int(size)))
        except OSError as error:
            say("refused", type(error).__name__)

    async def send_bad(self) -> None:
        try:
            await self.publisher.broadcast(lambda: 0)
        except TypeError as error:
            say("send_bad", type(error).__name__)

    async def burst(self, num_buffers: str) -> None:
        publisher = await self.context.publisher("OUT", **{**self.options, "num_buffers": int(num_buffers)})
        for number, size in enumerate(BURST * 2):
            await publisher.broadcast(np.full(size, number, np.uint8))
        publisher.close()
        await publisher.wait_closed()
        say("burst")

    async def close(self) -> None:
        self.publisher.close()
        await self.publisher.wait_closed()
        say("close", self.publisher.undelivered)


class SubscriberEnd(End):
    def __init__(self, subscriber: ez.Subscriber) -> None:
        self.subscriber = subscriber
        self.loans: list[Any] = []
        self.views: list[np.ndarray[Any, Any]] = []

    async def take(self, count: str) -> None:
        numbers = []
        for _ in range(int(count)):
            array = await self.subscriber.recv()
            assert (array == array[0]).all()
            numbers.append(int(array[0]))
        say("take", *numbers)

    async def burst(self) -> None:
        for number, size in enumerate(BURST * 2):
            async with self.subscriber.recv_zero_copy() as array:
                assert array.shape == (size,), (array.shape, size)
                assert (array == number).all()
        say("burst")

    async def hold(self, count: str) -> None:
        for _ in range(int(count)):
            loan = self.subscriber.recv_zero_copy()
            self.views.append(await loan.__aenter__())
            self.loans.append(loan)
        say("hold", *(int(view[0]) for view in self.views))

    async def until(self, last: str) -> None:
        taken = [-1]
        while taken[-1] < int(last):
            array = await self.subscriber.recv()
            assert (array == array[0]).all()
            assert array[0] > taken[-1]
            taken.append(int(array[0]))
        say("until", len(taken) - 1, self.subscriber.dropped)

    async def take_until_lost(self) -> None:
        """Receive until a publisher is lost; say after which message, when, and what came before."""
        numbers = []
        while True:
            try:
                numbers.append(int((await self.subscriber.recv(peer_lost="raise"))[0]))
            except PeerLost as loss:
                say("take_until_lost", loss.topic, loss.last_seq, time.monotonic(), *numbers)
                return

    async def missed(self, count: str) -> None:
        while self.subscriber.messages_missed < int(count):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        say("missed", self.subscriber.messages_missed)

    async def kind(self) -> None:
        say("kind", self.subscriber.kind_last)

    async def let_go(self) -> None:
        for loan in self.loans:
            await loan.__aexit__(None, None, None)
        self.loans.clear()
        say("let_go")

    async def look(self) -> None:
        assert all((view == view[0]).all() for view in self.views)
        say("look", *(int(view[0]) for view in self.views))

    async def close(self) -> None:
        self.subscriber.close()
        await self.subscriber.wait_closed()
        say("close")


def where(end: Any) -> str:
    """What a stranger needs to knock at this process's doors."""
    contact = end._exchange._contact
    return f"{contact.exchange_id} {contact.link} {contact.tcp_host} {contact.tcp_port} {end.id}"


async def main(options: argparse.Namespace) -> None:
    async with ez.GraphContext(options.address) as context:
        end: Any
        own: Any
        if options.role == "publisher":
            more = {"num_buffers": options.num_buffers, "force_tcp": options.tcp, "buf_size": 64}
            if options.max_block:
                more["max_block"] = options.max_block
            own = await context.publisher("OUT", **more)
            end = PublisherEnd(context, own, more)
        else:
            own = await context.subscriber("OUT", leaky=options.leaky)
            end = SubscriberEnd(own)
        say("ready", os.getpid(), where(own))
        async for command, *arguments in lines():
            if command == "end":
                break
            work: Callable[..., Awaitable[None]] = getattr(end, command)
            await work(*arguments)
    say("ended")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["publisher", "subscriber"])
    parser.add_argument("--address", required=True)
    parser.add_argument("--num-buffers", type=int, default=32)
    parser.add_argument("--leaky", action="store_true")
    parser.add_argument("--max-block", type=float)
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    faulthandler.dump_traceback_later(25)  # a test that waits in vain says where
    if options.loop == "uvloop":
        import uvloop

        uvloop.run(main(options))
    else:
        asyncio.run(main(options))
