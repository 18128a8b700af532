"""The synchronous API inside one process, against a real server, on both event loops."""

import asyncio
import contextlib
import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from tests.loops import factories

import ezmsg.core as ez
from ezmsg.control.connection import sharing
from ezmsg.control.graph import service
from ezmsg.core import sync
from ezmsg.core.blocking import loop_thread
from ezmsg.core.blocking import publisher as publishers
from ezmsg.core.blocking.calls import Call, Calls
from ezmsg.core.blocking.waiting import Deadline, Doorbell, Sleeper
from ezmsg.core.channels import watched_loans
from ezmsg.core.errors import ContextNotOpen, EndpointClosed, NothingReceived, NotSent, UnencodableMessage
from ezmsg.core.pubsub import exchange as exchanges
from ezmsg.core.runtime.loops import new_event_loop
from ezmsg.protocol.errors import DeadlineExceeded, ServerUnreachable

HANG = 30.0
"""Seconds; only there to end a test that would hang."""

MOMENT = 0.02
"""Seconds to wait for what does not come."""


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Iterator[None]:
    """See no server of the developer's machine, and leave neither threads nor exchanges behind."""
    for name in [name for name in os.environ if name.startswith("EZMSG_")]:
        monkeypatch.delenv(name)
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("EZMSG_RUNTIME_DIR", str(folder))
    yield
    gc.collect()
    assert [thread.name for thread in threading.enumerate() if isinstance(thread, loop_thread.LoopThread)] == []
    assert not exchanges._exchanges
    assert not sharing._all


@pytest.fixture(params=factories(), autouse=True)
def _loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_thread, "new_event_loop", factories()[request.param])


@pytest.fixture
def server() -> Iterator[ez.GraphServer]:
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    yield server
    server.stop()


@pytest.fixture
def context(server: ez.GraphServer) -> Iterator[sync.SyncContext]:
    with sync.init(server.address) as context:
        yield context


@pytest.fixture
def aside() -> Iterator[Callable[..., Any]]:
    """Call something in another thread; its result is waited for, but not for ever."""
    with ThreadPoolExecutor() as threads:
        yield threads.submit


def wait_until_someone_waits(bell: Doorbell, count: int = 1) -> None:
    deadline = Deadline(HANG)
    while len(bell._sleepers) < count:
        assert deadline.left_s(), "nobody waits"
        os.sched_yield()


@contextlib.contextmanager
def interrupted(when: Callable[[], object]) -> Iterator[None]:
    """Send this process a SIGINT as soon as ``when()`` is true, and expect it inside."""

    def interrupt() -> None:
        deadline = Deadline(HANG)
        while not when() and deadline.left_s():
            os.sched_yield()
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        thread.join(HANG)


# --- messages --------------------------------------------------------------------------------------------------


def test_what_is_published_is_received_as_a_private_copy(context: sync.SyncContext) -> None:
    publisher, subscriber = context.create_publisher("T"), context.create_subscription("T")
    sent = np.arange(3)
    publisher.publish(sent)
    publisher.broadcast([sent])
    got = subscriber.recv(HANG)
    assert got is not sent
    assert got.flags.writeable
    np.testing.assert_array_equal(got, sent)
    assert subscriber.recv(HANG)[0] is not sent


@pytest.mark.parametrize("options", [{}, {"allow_local": False}, {"force_tcp": True}], ids=["local", "shm", "tcp"])
def test_a_loan_is_not_copied_and_ends(context: sync.SyncContext, options: dict[str, Any]) -> None:
    publisher = context.publisher("T", num_buffers=1, **options)
    subscriber = context.subscriber("T")
    sent = np.arange(1000)
    publisher.publish(sent, HANG)
    with subscriber.recv_zero_copy(HANG) as message:
        np.testing.assert_array_equal(message, sent)
        assert (message is sent) == (not options)
        with pytest.raises(NotSent, match=r"all 1 of its buffers are still held"):
            publisher.publish(1, MOMENT)
    publisher.publish(2, HANG)
    assert subscriber.recv(HANG) == 2


def test_a_loan_that_is_left_by_an_exception_ends_too(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T", num_buffers=1), context.subscriber("T")
    publisher.publish(1)
    with pytest.raises(OSError, match="no"), subscriber.recv_zero_copy(HANG):
        raise OSError("no")
    publisher.publish(2, HANG)
    publisher.close()
    publisher.wait_closed(HANG)
    assert subscriber.recv(HANG) == 2


def test_what_was_lent_and_is_published_again_stays_lent(context: sync.SyncContext) -> None:
    source = context.publisher("A", num_buffers=1, allow_local=False)
    middle = context.subscriber("A")
    again, end = context.publisher("B"), context.subscriber("B")
    source.publish(np.full(1000, 1))
    with middle.recv_zero_copy(HANG) as message:
        again.publish(message)
    with pytest.raises(NotSent):  # its one buffer still holds what is on its way to the end
        source.publish(np.full(1000, 2), MOMENT)
    assert (end.recv(HANG) == 1).all()
    source.publish(np.full(1000, 3), HANG)


def test_what_another_loop_lent_is_published_as_a_copy(server: ez.GraphServer) -> None:
    with sync.init(server.address) as context, sync.init(server.address) as other:
        publisher = context.publisher("T", num_buffers=1, allow_local=False)
        subscriber = context.subscriber("T")
        out, got = other.publisher("U"), other.subscriber("U")
        publisher.publish(np.zeros(1000), HANG)
        with subscriber.recv_zero_copy(HANG) as lent:
            out.publish(lent, HANG)
        publisher.publish(np.ones(1000), HANG)  # into the same slot
        with got.recv_zero_copy(HANG) as passed_on:
            assert not passed_on.any()


def test_a_recv_that_timed_out_loses_no_message(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T"), context.subscriber("T")
    for number in range(20):
        with pytest.raises(NothingReceived, match=r"EZ-5101  No message came on T within 0\.001 s") as caught:
            subscriber.recv(0.001)
        assert isinstance(caught.value, TimeoutError)
        with pytest.raises(TimeoutError), subscriber.recv_zero_copy(0):
            pytest.fail("it lends nothing")
        publisher.publish(number)
        assert subscriber.recv(HANG) == number


def test_a_publish_that_timed_out_sends_nothing_and_costs_no_buffer(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T", num_buffers=2), context.subscriber("T")
    publisher.publish(0)
    publisher.publish(1)
    for _ in range(5):
        with pytest.raises(TimeoutError):
            publisher.publish("never", 0.001)
    assert [subscriber.recv(HANG), subscriber.recv(HANG)] == [0, 1]
    publisher.publish(2, HANG)
    publisher.publish(3, HANG)
    assert [subscriber.recv(HANG), subscriber.recv(HANG)] == [2, 3]


def test_without_time_it_is_a_try_that_succeeds_while_a_buffer_is_free(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T", num_buffers=2), context.subscriber("T")
    for number in range(200):  # now and then the publisher lets others go first
        publisher.publish(number, 0)
        assert subscriber.recv(HANG) == number
        publisher.sync(HANG)
        publisher.resume()


def test_a_message_that_takes_long_to_encode_may_still_be_sent(
    context: sync.SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ezmsg.core.blocking.calls.CANCEL_LIMIT_S", 0.001)
    publisher, subscriber = context.publisher("T", allow_local=False), context.subscriber("T")
    monkeypatch.setattr(Slow, "may_end", threading.Event())
    with pytest.raises(NotSent, match="may still be sent") as late:
        publisher.publish(Slow(), 0.001)
    assert late.value.may_follow
    Slow.may_end.set()
    assert subscriber.recv(HANG) == "slow"


class Slow:
    """Takes until it is told that it may end to become bytes."""

    may_end = threading.Event()

    def __reduce__(self) -> Any:
        assert self.may_end.wait(HANG)
        return str, ("slow",)


def test_back_pressure_holds_a_publishing_thread(context: sync.SyncContext, aside: Callable[..., Any]) -> None:
    publisher, subscriber = context.publisher("T", num_buffers=3), context.subscriber("T")
    sent: list[int] = []

    def publish() -> None:
        for number in range(200):
            publisher.publish(number, HANG)
            sent.append(number)

    done = aside(publish)
    for number in range(200):
        assert subscriber.recv(HANG) == number
        assert len(sent) <= number + 1 + 3
    done.result(HANG)


def test_a_leaky_subscriber_keeps_the_newest(context: sync.SyncContext) -> None:
    publisher = context.publisher("T", num_buffers=4)
    subscriber = context.subscriber("T", leaky=True, max_queue=2)
    for number in range(50):
        publisher.publish(number, HANG)
    assert [subscriber.recv(HANG), subscriber.recv(HANG)] == [48, 49]
    assert subscriber.dropped == 48
    with pytest.raises(NothingReceived):
        subscriber.recv(0)


@pytest.mark.parametrize("num_buffers", [1, 2])
def test_nobody_waits_for_a_leaky_subscriber(context: sync.SyncContext, num_buffers: int) -> None:
    publisher = context.publisher("T", num_buffers=num_buffers)
    subscriber = context.subscriber("T", leaky=True, max_queue=2)
    publisher.publish(np.zeros(3), HANG)
    with subscriber.recv_zero_copy(HANG) as held:
        for number in range(10):
            publisher.publish(np.full(3, number), HANG)
        assert (held == 0).all()
        held[:] = -1  # it is the receiver's own
    assert [int(subscriber.recv(HANG)[0]) for _ in range(2)] == [8, 9]


@pytest.mark.parametrize("num_buffers", [1, 2])
@pytest.mark.parametrize("zero_copy", [False, True])
def test_nobody_waits_for_the_callback_of_a_leaky_subscriber(
    context: sync.SyncContext, zero_copy: bool, num_buffers: int
) -> None:
    publisher = context.publisher("T", num_buffers=num_buffers)
    got: list[int] = []

    def handle(message: Any) -> None:
        for number in range(5):
            publisher.publish(number, HANG)
        got.append(message)

    context.create_subscription("T", callback=handle, zero_copy=zero_copy, leaky=True)
    publisher.publish(-1, HANG)
    assert context.spin_once(HANG)
    assert context.spin_once(HANG)
    assert got == [-1, 4]


def test_many_threads_share_the_ends(context: sync.SyncContext, aside: Callable[..., Any]) -> None:
    publisher, subscriber = context.publisher("T", num_buffers=4), context.subscriber("T")

    def publish(first: int) -> None:
        for number in range(first, first + 100):
            publisher.publish(number, HANG)

    def receive() -> list[int]:
        got: list[int] = []
        while (message := subscriber.recv(HANG)) is not None:
            got.append(message)
        return got

    receivers = [aside(receive) for _ in range(3)]
    for publishing in [aside(publish, first) for first in (0, 100, 200)]:
        publishing.result(HANG)
    for _ in receivers:
        publisher.publish(None, HANG)
    assert sorted(number for receiver in receivers for number in receiver.result(HANG)) == list(range(300))
    assert subscriber._subscriber.messages_received == 303


def test_what_cannot_be_encoded_is_the_publishers_error(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T", allow_local=False), context.subscriber("T")
    with pytest.raises(UnencodableMessage):
        publisher.publish(lambda: None)
    publisher.publish(1)
    assert subscriber.recv(HANG) == 1


# --- the rest of the graph ---------------------------------------------------------------------------------------


def test_topics_are_connected_and_disconnected(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("A"), context.subscriber("B")
    context.connect("A", "B", HANG)
    with pytest.raises(ez.CyclicException):
        context.connect("B", "A", timeout=HANG)
    publisher.publish(1)
    assert subscriber.recv(HANG) == 1
    context.disconnect("A", "B", HANG)
    publisher.publish(2)
    with pytest.raises(NothingReceived):
        subscriber.recv(MOMENT)


def test_everybody_is_paused_and_goes_on(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T"), context.subscriber("T")
    context.pause(HANG)
    with pytest.raises(NotSent, match="the publisher is paused"):
        publisher.publish(1, MOMENT)
    context.resume(HANG)
    publisher.pause()
    with pytest.raises(NotSent, match="the publisher is paused"):
        publisher.publish(2, MOMENT)
    publisher.resume()
    publisher.publish(3, HANG)
    assert subscriber.recv(HANG) == 3


def test_sync_waits_for_what_is_held(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T"), context.subscriber("T")
    publisher.publish(1)
    with subscriber.recv_zero_copy(HANG):
        for wait in (context.sync, publisher.sync):
            with pytest.raises(DeadlineExceeded, match="sync"):
                wait(MOMENT)
    context.sync(HANG)
    publisher.sync(HANG)


def test_endpoints_are_closed_one_by_one(context: sync.SyncContext, aside: Callable[..., Any]) -> None:
    publisher, subscriber = context.publisher("T"), context.subscriber("T")
    waiting = aside(subscriber.recv)
    wait_until_someone_waits(subscriber._queue.bell)
    subscriber.close()
    publisher.close()
    with pytest.raises(EndpointClosed, match="The subscriber of T is closed"):
        waiting.result(HANG)
    subscriber.wait_closed(HANG)
    publisher.wait_closed(HANG)
    assert subscriber.closed
    with pytest.raises(EndpointClosed, match="The publisher of T is closed"):
        publisher.publish(1)
    with pytest.raises(EndpointClosed), subscriber.recv_zero_copy(HANG):
        pytest.fail("it lends nothing")


def test_public_constructors_wrap_what_lives_on_another_loop(server: ez.GraphServer) -> None:
    loop = new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        graph = ez.GraphContext(server.address)

        async def make() -> tuple[ez.Publisher, ez.Subscriber]:
            made = await graph.publisher("T"), await graph.subscriber("T", leaky=True)
            await made[0].broadcast(0)
            return made

        pub, sub = asyncio.run_coroutine_threadsafe(make(), loop).result(HANG)
        publisher, subscriber = sync.SyncPublisher(pub, loop), sync.SyncSubscriber(sub, loop)
        assert (publisher.topic, publisher.id, subscriber.id) == ("T", pub.id, sub.id)
        assert subscriber.recv(HANG) == 0
        publisher.publish(1)
        assert subscriber.recv(HANG) == 1

        async def misuse() -> None:
            publisher.publish(1)

        with pytest.raises(ContextNotOpen, match="nobody could answer"):
            asyncio.run_coroutine_threadsafe(misuse(), loop).result(HANG)
        asyncio.run_coroutine_threadsafe(graph.revert(), loop).result(HANG)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG)
        loop.close()
    with pytest.raises(ContextNotOpen, match="event loop that is closed"):
        publisher.publish(1)


async def test_it_works_inside_a_running_loop(server: ez.GraphServer) -> None:
    with sync.init(server.address) as context:
        publisher, subscriber = context.publisher("T"), context.subscriber("T")
        publisher.publish(1, HANG)
        assert subscriber.recv(HANG) == 1


# --- callbacks ---------------------------------------------------------------------------------------------------


def test_callbacks_run_in_the_thread_that_spins(context: sync.SyncContext) -> None:
    publisher = context.publisher("T", num_buffers=2)
    sent = np.arange(3)
    got: list[Any] = []
    context.create_subscription("T", lambda message: got.append((threading.current_thread(), message)))
    context.create_subscription("T", lambda message: got.append(message is sent), zero_copy=True)
    assert not context.spin_once()
    assert not context.spin_once(MOMENT)
    publisher.publish(sent)
    assert context.spin_once(HANG)
    (thread, message), is_sent = got
    assert thread is threading.current_thread()
    assert message is not sent
    assert is_sent
    assert not sync.spin_once(context)


def test_each_subscription_gets_its_turn(context: sync.SyncContext) -> None:
    got: list[str] = []
    publishers = [context.publisher(topic) for topic in "ABC"]
    for topic in "ABC":
        context.create_subscription(topic, lambda number, topic=topic: got.append(f"{topic}{number}"))
    for publisher in publishers:
        for number in range(3):
            publisher.publish(number)
    for turn in range(1, 4):
        assert context.spin_once()
        assert len(got) == 3 * turn
    assert got == ["A0", "B0", "C0", "A1", "B1", "C1", "A2", "B2", "C2"]


def test_a_callback_that_fails_is_logged_and_releases(
    context: sync.SyncContext, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = context.publisher("TOPIC", num_buffers=1)

    def fail(message: int) -> None:
        raise ValueError(f"bad {message}")

    context.create_subscription("TOPIC", fail)
    context.create_subscription("TOPIC", fail, zero_copy=True)
    for number in range(3):
        publisher.publish(number, HANG)
        assert context.spin_once(HANG)
    failures = [record for record in caplog.records if record.exc_info]
    assert len(failures) == 6
    assert all("TOPIC" in record.getMessage() for record in failures)


def test_a_message_that_cannot_be_decoded_is_logged_too(
    context: sync.SyncContext, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = context.publisher("T", allow_local=False)
    got: list[Any] = []
    context.create_subscription("T", got.append)
    publisher.publish(Undecodable())
    publisher.publish(1)
    assert context.spin_once(HANG)
    assert context.spin_once(HANG)
    assert got == [1]
    assert "it cannot be decoded" in caplog.text


class Undecodable:
    def __reduce__(self) -> tuple[Any, ...]:
        return fail_to_decode, ()


def fail_to_decode() -> None:
    raise ValueError("it cannot be decoded")


def test_a_callback_may_call_everything(context: sync.SyncContext) -> None:
    publisher, answers = context.publisher("T"), context.subscriber("ANSWERS")
    answer = context.publisher("ANSWERS")
    got: list[Any] = []

    def on_message(number: int) -> None:
        got.append(number)
        if number == 0:
            context.spin_once(HANG)
        answer.publish(number, HANG)
        got.append(f"done {number}")

    context.create_subscription("T", on_message)
    publisher.publish(0)
    publisher.publish(1)
    assert context.spin_once(HANG)
    assert got == [0, 1, "done 1", "done 0"]
    assert [answers.recv(HANG), answers.recv(HANG)] == [1, 0]


def test_spin_returns_when_another_thread_shuts_down(server: ez.GraphServer, aside: Callable[..., Any]) -> None:
    with sync.init(server.address) as context:
        spinning = [aside(sync.spin, context, HANG) for _ in range(2)]
        waiting = aside(context.spin_once, None)
        wait_until_someone_waits(context._subscriptions.bell, 3)
        context.shutdown()
        assert [thread.result(HANG) for thread in spinning] == [None, None]
        assert waiting.result(HANG) is False


def test_a_callback_may_shut_down(server: ez.GraphServer, caplog: pytest.LogCaptureFixture) -> None:
    with sync.init(server.address) as context:
        publisher = context.publisher("T")
        got: list[Any] = []

        def stop(message: int) -> None:
            context.shutdown()
            got.append(message)

        context.create_subscription("T", stop, zero_copy=True)
        context.create_subscription("T", stop)
        publisher.publish(1)
        publisher.publish(2)
        context.spin()
        assert got == [1]
        with pytest.raises(ContextNotOpen, match="was shut down"):
            context.spin()
    assert "not delivered" not in caplog.text


def test_a_new_subscription_wakes_who_spins(context: sync.SyncContext, aside: Callable[..., Any]) -> None:
    waiting = aside(context.spin_once, HANG)
    wait_until_someone_waits(context._subscriptions.bell)
    got: list[int] = []
    context.create_subscription("T", got.append)
    context.publisher("T").publish(1)
    assert waiting.result(HANG)
    assert got == [1]


def test_a_closed_subscription_is_forgotten(context: sync.SyncContext) -> None:
    first = context.create_subscription("T", print)
    first.close()
    first.wait_closed(HANG)
    context.create_subscription("T", print)
    assert len(context._subscriptions._all) == 1
    assert not context.spin_once()


# --- Ctrl-C -----------------------------------------------------------------------------------------------------


def test_sync_has_a_deadline_without_being_given_one(
    context: sync.SyncContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, subscriber = context.publisher("T", num_buffers=2), context.subscriber("T")
    publisher.publish(1)
    monkeypatch.setattr(publishers, "DEFAULT_TIMEOUT", 0.05)
    monkeypatch.setattr(service, "DEFAULT_TIMEOUT", 0.05)
    for call in (publisher.sync, context.sync):
        with pytest.raises(DeadlineExceeded, match="sync"):
            call()
    assert subscriber.recv(HANG) == 1
    publisher.sync(HANG)
    context.sync(HANG)
    context.resume(HANG)


def test_sigint_ends_every_wait_and_nothing_is_lost(context: sync.SyncContext) -> None:
    publisher, subscriber = context.publisher("T", num_buffers=1), context.subscriber("T")
    with interrupted(lambda: subscriber._queue.bell._sleepers):
        subscriber.recv()
    with interrupted(lambda: subscriber._queue.bell._sleepers), subscriber.recv_zero_copy():
        pytest.fail("it lends nothing")
    publisher.publish(1)
    with interrupted(lambda: publisher._publisher.window._waiters):
        publisher.publish(2)
    with interrupted(lambda: publisher._publisher.window._awaiting_return):
        publisher.sync()
    publisher.resume()
    with interrupted(lambda: context._subscriptions.bell._sleepers):
        context.spin_once(None)
    assert subscriber.recv(HANG) == 1
    publisher.publish(3, HANG)
    assert subscriber.recv(HANG) == 3


def test_sigint_ends_spin_in_good_order(server: ez.GraphServer) -> None:
    with sync.init(server.address) as context:
        bell = context._subscriptions.bell

        def interrupt() -> None:
            wait_until_someone_waits(bell)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        context.spin()
        thread.join(HANG)
        with pytest.raises(ContextNotOpen, match="was shut down"):
            context.publisher("T")


# --- the life of a context --------------------------------------------------------------------------------------


OPERATIONS: dict[str, Callable[[sync.SyncContext], object]] = {
    "publisher": lambda context: context.publisher("T"),
    "subscriber": lambda context: context.subscriber("T"),
    "create_publisher": lambda context: context.create_publisher("T"),
    "create_subscription": lambda context: context.create_subscription("T", print),
    "connect": lambda context: context.connect("A", "B"),
    "disconnect": lambda context: context.disconnect("A", "B"),
    "sync": lambda context: context.sync(),
    "pause": lambda context: context.pause(),
    "resume": lambda context: context.resume(),
    "spin": lambda context: context.spin(),
    "spin_once": lambda context: context.spin_once(),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_before_and_after_it_is_open_everything_says_so(server: ez.GraphServer, operation: str) -> None:
    context = sync.init(server.address)
    with pytest.raises(ContextNotOpen, match="was not entered") as caught:
        OPERATIONS[operation](context)
    assert isinstance(caught.value, RuntimeError)
    with context:
        pass
    with pytest.raises(ContextNotOpen, match="was shut down"):
        OPERATIONS[operation](context)


def test_endpoints_say_that_their_context_was_shut_down(server: ez.GraphServer) -> None:
    with sync.init(server.address) as context:
        publisher, subscriber = context.publisher("T"), context.subscriber("T")
        publisher.publish(1)
    for use in (
        lambda: publisher.publish(1),
        publisher.sync,
        subscriber.recv,
        subscriber.recv_zero_copy().__enter__,
    ):
        with pytest.raises(ContextNotOpen, match="was shut down"):
            use()
    publisher.close()
    publisher.pause()
    publisher.resume()
    subscriber.close()


def test_it_is_entered_once(server: ez.GraphServer) -> None:
    context = sync.init(server.address)
    with context as entered, context as again:
        assert entered is context
        assert again is context
    with pytest.raises(ContextNotOpen), context:
        pytest.fail("it opens again")
    never = sync.SyncContext(server.address)
    never.shutdown()
    with pytest.raises(ContextNotOpen):
        never.__enter__()


def test_who_waits_at_the_end_is_told(server: ez.GraphServer, aside: Callable[..., Any]) -> None:
    with sync.init(server.address) as context:
        publisher, subscriber = context.publisher("T", num_buffers=1), context.subscriber("T")
        other = context.subscriber("OTHER")
        publisher.publish(1)
        waiting = [aside(publisher.publish, 2), aside(publisher.sync), aside(other.recv)]
        wait_until_someone_waits(other._queue.bell)
        deadline = Deadline(HANG)
        while not (publisher._publisher.window._waiters and publisher._publisher.window._awaiting_return):
            assert deadline.left_s()
            os.sched_yield()
    for thread in waiting:
        with pytest.raises(ContextNotOpen, match="was shut down"):
            thread.result(HANG)
    assert not subscriber.has_message


def test_what_was_published_is_delivered_before_the_end(server: ez.GraphServer, aside: Callable[..., Any]) -> None:
    with sync.init(server.address) as receiving:
        subscriber = receiving.subscriber("T")
        with sync.init(server.address) as sending:
            publisher = sending.publisher("T", allow_local=False)
            for number in range(20):
                publisher.publish(number)
        assert [subscriber.recv(HANG) for _ in range(20)] == list(range(20))


def test_without_a_server_it_does_not_open_and_may_be_tried_again(server: ez.GraphServer) -> None:
    address = server.address
    server.stop()
    context = sync.init(address, auto_start=False)
    for _ in range(2):
        with pytest.raises(ServerUnreachable), context:
            pytest.fail("it opens")
    again = ez.GraphServer()
    again.start(address)
    with context:
        assert context.graph_address == address
    again.stop()


def test_it_starts_a_server_of_its_own(server: ez.GraphServer) -> None:
    address = server.address
    server.stop()
    with sync.init(address, auto_start=True) as context:
        publisher, subscriber = context.publisher("T"), context.subscriber("T")
        publisher.publish(1)
        assert subscriber.recv(HANG) == 1


# --- the parts ---------------------------------------------------------------------------------------------------


def test_a_sleeper_wakes_once_for_many_calls() -> None:
    sleeper = Sleeper()
    assert not sleeper.sleep(Deadline(0))
    sleeper.wake()
    sleeper.wake()
    assert sleeper.sleep(Deadline(None))
    assert not sleeper.sleep(Deadline(-1))


def test_sleep_comes_in_short_pieces_where_a_lock_cannot_be_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ezmsg.core.blocking.waiting.LONGEST_SLEEP_S", 0.001)
    sleeper = Sleeper()
    assert not sleeper.sleep(Deadline(0.005))
    threading.Timer(0.005, sleeper.wake).start()
    assert sleeper.sleep(Deadline(None))


def test_a_call_that_is_done_in_the_very_last_moment_counts() -> None:
    loop = asyncio.new_event_loop()
    calls = Calls(loop)

    async def work() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await loop.create_future()
        return "done"

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        calls.run(lambda: asyncio.sleep(0), "the start of the loop", HANG)
        assert calls.run(work, "work", 0.5) == "done"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(HANG)
        loop.close()


def test_a_call_that_is_cancelled_before_its_first_step_ends_at_once() -> None:
    loop = asyncio.new_event_loop()
    call = Call(lambda: asyncio.sleep(HANG))

    async def start_and_cancel() -> None:
        call.start()
        call.cancel()

    loop.run_until_complete(start_and_cancel())
    loop.run_until_complete(asyncio.sleep(0))
    assert isinstance(call.error, asyncio.CancelledError)
    loop.close()


def test_a_loop_that_is_stuck_does_not_hold_a_call_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ezmsg.core.blocking.calls.CANCEL_LIMIT_S", 0.001)
    loop = asyncio.new_event_loop()  # nobody runs it
    with pytest.raises(DeadlineExceeded, match=r"work did not end within 0\.001 s"):
        Calls(loop).run(lambda: None, "work", 0.001)
    loop.close()


# --- views that are kept ----------------------------------------------------------------------------------------


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_DEBUG_VIEWS", "1")
    monkeypatch.setattr(watched_loans, "_told", set())


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "was kept" in record.getMessage()]


class Keeper:
    last: Any = None


@pytest.mark.usefixtures("watching")
def test_who_keeps_a_view_is_named(context: sync.SyncContext, caplog: pytest.LogCaptureFixture) -> None:
    publisher, subscriber = context.publisher("A", force_tcp=True), context.subscriber("A")
    keeper = Keeper()
    for _ in range(2):
        publisher.publish(np.arange(5))
        with subscriber.recv_zero_copy(HANG) as message:
            copied = message[1:].copy()
    assert told(caplog) == []
    for _ in range(2):
        publisher.publish(np.arange(5))
        with subscriber.recv_zero_copy(HANG) as message:
            keeper.last = message[1:]
    (sentence,) = told(caplog)
    assert "test_who_keeps_a_view_is_named" in sentence
    assert "attribute 'last' of Keeper" in sentence
    assert copied.tolist() == [1, 2, 3, 4]


@pytest.mark.usefixtures("watching")
def test_a_callback_that_keeps_a_view_is_named(context: sync.SyncContext, caplog: pytest.LogCaptureFixture) -> None:
    kept: list[Any] = []
    publisher = context.publisher("A", force_tcp=True)
    context.create_subscription("A", lambda message: None, zero_copy=True)
    publisher.publish(np.arange(5))
    assert context.spin_once(HANG)
    assert told(caplog) == []
    context.create_subscription("A", kept.append, zero_copy=True)
    publisher.publish(np.arange(5))
    while not kept:
        context.spin_once(HANG)
    (sentence,) = told(caplog)
    assert "message of A, received by its callback," in sentence
