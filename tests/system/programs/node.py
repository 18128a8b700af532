"""A program that publishes, hears, and owns an edge, metadata, units and settings, whatever becomes of the server.

    node.py ADDRESS NAME [--hears NAME ...] [--tcp]

It publishes ``NAME/OUT`` a thousand times a second, and hears ``OTHER/OUT`` of each node that it is told of, which
may be itself. A line on standard input lets it pause and say what it has heard, or cuts its line to the server.
"""

import argparse
import asyncio
import sys
import threading

import ezmsg.core as ez
from ezmsg.control import ControlConnection, ProcessControlClient
from ezmsg.protocol.model.metadata import GraphMetadata
from ezmsg.protocol.model.settings import SettingsSnapshotValue


def say(*words: object) -> None:
    print(*words, flush=True)  # noqa: T201  this is how its test hears of it


class Heard:
    """The messages of one publisher: numbers from the first that came on, each once."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.next = 0
        self.missing = 0
        self.twice = 0

    def take(self, number: int) -> None:
        if self.first is None:
            self.first = self.next = number
        self.missing += max(0, number - self.next)
        self.twice += number < self.next
        self.next = max(self.next, number + 1)


class Node:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.sent = 0
        self.going = asyncio.Event()
        self.going.set()
        self.heard = {name: Heard() for name in options.hears}

    async def run(self) -> None:
        name = self.options.name
        async with ez.GraphContext(self.options.address) as context:
            process = ProcessControlClient(self.options.address)
            await context.register_metadata(GraphMetadata(1, name, {}))
            await process.register([name])
            await process.report_settings_update(name, SettingsSnapshotValue(None, {"gain": 2}, {"gain": 2}))
            publisher = await context.publisher(f"{name}/OUT", force_tcp=self.options.tcp)
            subscribers = {}
            for other in self.heard:
                await context.connect(f"{other}/OUT", f"{name}/FROM_{other}")
                subscribers[other] = await context.subscriber(f"{name}/FROM_{other}")
            tasks = [asyncio.create_task(self.hear(other, one)) for other, one in subscribers.items()]
            tasks.append(asyncio.create_task(self.publish(publisher)))
            say("ready", name)
            await self.obey(context._connection)
            for task in tasks:
                task.cancel()
            await process.close()

    async def publish(self, publisher: ez.Publisher) -> None:
        while True:
            await self.going.wait()
            await publisher.broadcast(self.sent)
            self.sent += 1
            await asyncio.sleep(0.001)

    async def hear(self, name: str, subscriber: ez.Subscriber) -> None:
        while True:
            self.heard[name].take(await subscriber.recv())

    async def obey(self, connection: ControlConnection) -> None:
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

        def read() -> None:
            for line in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, line.strip())

        threading.Thread(target=read, daemon=True).start()
        while (line := await lines.get()) != "end":
            if line == "pause":
                self.going.clear()
                await asyncio.sleep(0)
                say("paused", self.sent)
            elif line == "cut":
                lost = asyncio.Event()
                connection.on_lost(lambda _, lost=lost: lost.set())
                connection._line._transport._transport.abort()
                await lost.wait()
                await connection.wait_connected()
                say("back")
            elif line.startswith("await"):  # the number that each publisher has sent, by its name
                wanted = dict(word.split("=") for word in line.split()[1:])
                while any(self.heard[name].next < int(sent) for name, sent in wanted.items()):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                counts = " ".join(f"{name}={heard.missing},{heard.twice}" for name, heard in self.heard.items())
                say("heard", counts)
                self.going.set()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("address", type=lambda text: (text.rpartition(":")[0], int(text.rpartition(":")[2])))
    parser.add_argument("name")
    parser.add_argument("--hears", nargs="*", default=[])
    parser.add_argument("--tcp", action="store_true")
    asyncio.run(Node(parser.parse_args()).run())


if __name__ == "__main__":
    main()
