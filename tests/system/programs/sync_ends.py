"""Programs without asyncio for test_sync.py; each function is one, chosen by the first argument."""

import os
import signal
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

import numpy as np

import ezmsg.core as ez


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def say_ready_when_asleep() -> None:
    """Say so when the main thread is where a signal is to find it; the wait comes after this call."""
    main = threading.main_thread().ident
    assert main is not None

    def is_asleep() -> bool:
        frames = traceback.extract_stack(sys._current_frames()[main])
        return any(Path(frame.filename).match("blocking/*.py") for frame in frames)

    def watch() -> None:
        while not is_asleep():
            time.sleep(0.001)
        say("ready")

    threading.Thread(target=watch, daemon=True).start()


def echo() -> None:
    """Send back what comes, until it is None."""
    with ez.sync.init() as context:
        subscriber, publisher = context.subscriber("THERE"), context.publisher("BACK", num_buffers=2)
        say("ready")
        while (message := subscriber.recv()) is not None:
            publisher.publish(message)
    say("ended")


def echo_views() -> None:
    """Send back what comes, from a callback that is lent it, until it is one number."""
    with ez.sync.init() as context:
        publisher = context.publisher("BACK")

        def send_back(message: object) -> None:
            if np.ndim(message) == 0:  # type: ignore[call-overload]
                context.shutdown()
            else:
                assert not message.flags.writeable  # type: ignore[attr-defined]
                publisher.publish(message)

        context.create_subscription("THERE", send_back, zero_copy=True)
        say("ready")
        context.spin()
    say("ended")


def slow() -> None:
    """Receive one message for each line of standard input."""
    with ez.sync.init() as context:
        subscriber = context.subscriber("THERE")
        say("ready")
        for _ in sys.stdin:
            say("got", subscriber.recv())


def waits_in_recv() -> None:
    with ez.sync.init() as context:
        subscriber = context.subscriber("NOTHING")
        say_ready_when_asleep()
        try:
            subscriber.recv()
        except KeyboardInterrupt:
            say("interrupted")
            context.publisher("NOTHING").publish(1)
            say("got", subscriber.recv())


def waits_in_spin() -> None:
    with ez.sync.init() as context:
        context.create_subscription("NOTHING", print)
        say_ready_when_asleep()
        context.spin()
    say("ended")


def waits_in_publish() -> None:
    with ez.sync.init() as context:
        publisher, _subscriber = context.publisher("T", num_buffers=1), context.subscriber("T")
        publisher.publish(1)
        say_ready_when_asleep()
        publisher.publish(2)


def waits_in_shutdown() -> None:
    """Leave a context whose last message another one cannot read, as its event loop is held up."""
    other = ez.sync.init().__enter__()
    subscriber = other.subscriber("T")
    with ez.sync.init() as context:
        publisher = context.publisher("T", force_tcp=True, allow_local=False)
        publisher.publish(1)
        subscriber.recv()
        subscriber._calls.loop.call_soon_threadsafe(time.sleep, 3.0)
        publisher.publish(2)
        say_ready_when_asleep()


def never_leaves() -> None:
    context = ez.sync.init().__enter__()
    context.publisher("BACK", num_buffers=64).publish("the last words")
    threading.Thread(target=context.create_subscription("NOTHING").recv, args=[0.01], daemon=True).start()


def dies_waiting() -> None:
    """A thread waits for ever while the program ends."""
    context = ez.sync.init().__enter__()
    subscriber = context.create_subscription("NOTHING")
    waiting = threading.Thread(target=subscriber.recv, daemon=True)
    waiting.start()
    while not subscriber._queue.bell._sleepers:
        time.sleep(0)


def raises() -> None:
    with ez.sync.init() as context:
        context.publisher("T")
        raise SystemExit(3)


def forks() -> None:
    """A forked child can use nothing of its parent's context, and one of its own."""
    with ez.sync.init() as context:
        publisher, subscriber = context.publisher("T"), context.subscriber("T")
        publisher.publish("before")
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads
        child = os.fork()
        if not child:
            for use in (lambda: publisher.publish(1), subscriber.recv, context.spin_once):
                try:
                    use()
                except RuntimeError as error:
                    say("refused", error)
            with ez.sync.init() as own:
                own.publisher("T").publish("from the child")
            sys.exit(5)
        _, status = os.waitpid(child, 0)
        say("child", os.waitstatus_to_exitcode(status))
        say("got", subscriber.recv(20))
        say("got", subscriber.recv(20))
        publisher.publish("after")
        say("got", subscriber.recv(20))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    globals()[sys.argv[1]]()
