"""One end of a topic in a process of its own: ``publish`` or ``subscribe``; each line on standard input is a go."""

import argparse
import asyncio
import os
import sys

import numpy as np

import ezmsg.core as ez


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def told():
    return (await asyncio.to_thread(sys.stdin.readline)).strip()


def message(number, size):
    return np.full(size, number % 251, dtype=np.uint8)


async def publish(topic, options):
    publisher = await ez.Publisher.create(
        topic, num_buffers=options.buffers, force_tcp=options.tcp, allow_local=False
    )
    say("ready", os.getpid())
    sent = 0
    for part in options.parts:
        if options.gated:
            assert await told() == "go"
        for size in part:
            await publisher.broadcast(message(sent, size))
            sent += 1
        say("sent", sent)
    publisher.close()
    await publisher.wait_closed()
    say("closed")


async def subscribe(topic, options):
    subscriber = await ez.Subscriber.create(topic)
    say("ready", os.getpid())
    sizes = [size for part in options.parts for size in part]
    kept = None
    for number, size in enumerate(sizes):
        if options.slow:
            await asyncio.sleep(options.slow)
        if options.keep:
            async with subscriber.recv_zero_copy() as view:
                got = view.copy()
                kept = view
        else:
            got = await subscriber.recv()
        assert np.array_equal(got, message(number, size)), f"message {number} is {got!r}"
        if number % 10 == 9:
            say("got", number + 1)
    say("all", len(sizes))
    subscriber.close()
    await subscriber.wait_closed()
    if kept is not None:
        say("kept", int(kept.sum()) >= 0)  # the view is still there to be read


def parts(text):
    return [[int(size) for size in part.split(",")] for part in text.split("/")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["publish", "subscribe"])
    parser.add_argument("topic")
    parser.add_argument("parts", type=parts)
    parser.add_argument("--buffers", type=int, default=32)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--gated", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    asyncio.run({"publish": publish, "subscribe": subscribe}[options.role](options.topic, options))
    say("end")


if __name__ == "__main__":
    main()
