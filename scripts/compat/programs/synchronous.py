"""The API for programs without asyncio: publish, receive, callbacks, and how it is shut down."""

import threading
import time

import numpy as np
from say import say

import ezmsg.core as ez


def receive(context: ez.SyncContext) -> None:
    publisher = context.create_publisher("A", num_buffers=8)
    subscriber = context.create_subscription("B")
    context.connect("A", "B")
    say("kinds", type(publisher).__name__, type(subscriber).__name__, isinstance(context, ez.SyncContext))
    for number in range(5):
        publisher.publish(number)
    say("recv", [subscriber.recv(timeout=2.0) for _ in range(5)])
    array = np.arange(3)
    publisher.broadcast(array)
    received = subscriber.recv()
    say("recv", received is array, received, received.flags.writeable)
    publisher.broadcast(array, timeout=2.0)
    with subscriber.recv_zero_copy(timeout=2.0) as message:
        say("recv", message is array, message)
    try:
        subscriber.recv(timeout=0.1)
    except TimeoutError:
        say("recv", "TimeoutError")
    publisher.publish("after a timeout")
    say("recv", subscriber.recv(timeout=2.0))
    context.disconnect("A", "B")
    publisher.publish("nobody hears this")
    context.connect("A", "B")
    publisher.publish("heard")
    say("recv", subscriber.recv(timeout=2.0))


def callbacks(context: ez.SyncContext) -> None:
    """Callbacks run in the thread that spins; an exception in one does not stop the next."""
    main = threading.current_thread()
    seen: list[object] = []

    def on_message(message: object) -> None:
        say("callback", message, threading.current_thread() is main)
        seen.append(message)
        if message == "bad":
            raise ValueError(message)

    array = np.arange(2)
    publisher, *others = [context.publisher(topic) for topic in ("C", "D", "E")]
    context.create_subscription("C", callback=on_message)
    context.create_subscription("D", callback=lambda message: say("copied", message is array))
    context.create_subscription("E", callback=lambda message: say("not copied", message is array), zero_copy=True)
    say("spin", context.spin_once())
    for message in ("first", "bad", "last"):
        publisher.publish(message)
    while len(seen) < 3:
        context.spin_once(timeout=2.0)
    say("spin", context.spin_once(timeout=0.05))
    for other in others:
        other.publish(array)
        say("spin", context.spin_once(timeout=2.0))


def held_up(context: ez.SyncContext) -> None:
    publisher = context.publisher("HELD_UP", num_buffers=2)
    subscriber = context.subscriber("HELD_UP")
    publisher.publish(1)
    publisher.publish(2)
    try:
        publisher.publish(3, timeout=0.2)
    except TimeoutError:
        say("held up", "TimeoutError")
    say("held up", subscriber.recv(timeout=2.0), subscriber.recv(timeout=2.0))
    context.sync(timeout=2.0)
    context.resume(timeout=2.0)
    publisher.publish(4)
    say("held up", subscriber.recv(timeout=2.0))
    context.pause(timeout=2.0)
    time.sleep(0.5)  # the public package does not wait until the publishers know
    try:
        publisher.publish(5, timeout=0.2)
    except TimeoutError:
        say("held up", "paused")
    context.resume()
    publisher.publish(6)
    publisher.close()
    publisher.wait_closed(timeout=2.0)
    subscriber.close()
    subscriber.wait_closed(timeout=2.0)


def leaky(context: ez.SyncContext) -> None:
    publisher, subscriber = context.publisher("LEAKY"), context.subscriber("LEAKY", leaky=True, max_queue=2)
    witness = context.subscriber("LEAKY")
    for number in range(10):
        publisher.publish(number)
    say("leaky", [witness.recv(timeout=2.0) for _ in range(10)])
    say("leaky", subscriber.recv(timeout=2.0), subscriber.recv(timeout=2.0))


def spinning() -> None:
    """`spin` goes on until somebody shuts the context down."""
    with ez.sync.init() as context:
        publisher = context.create_publisher("SPUN")

        def on_message(number: int) -> None:
            say("spinning", number)
            if number == 3:
                context.shutdown()
            else:
                publisher.publish(number + 1)

        context.create_subscription("SPUN", callback=on_message)
        publisher.publish(0)
        context.spin(poll_interval=0.01)
        say("spinning", "is over")


def shut_down(context: ez.SyncContext) -> None:
    try:
        with context:
            say("again", "entered")
    except RuntimeError:
        say("again", "RuntimeError")
    context.shutdown()
    say("again", "shut down twice")


def main() -> None:
    with ez.sync.init() as context:
        receive(context)
        callbacks(context)
        held_up(context)
        leaky(context)
    shut_down(context)
    spinning()


if __name__ == "__main__":
    main()
