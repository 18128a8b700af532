"""Calls from thread to thread: in order, none lost, and a loop that is closed says so."""

import asyncio
import threading

import pytest

from ezmsg.core.channels.backpressure import Window
from ezmsg.core.transports.in_process import LocalChannel, LocalSender
from ezmsg.core.transports.mailbox import Mailbox


async def test_calls_of_many_threads_all_run_in_order() -> None:
    mailbox = Mailbox(asyncio.get_running_loop())
    seen: dict[int, list[int]] = {name: [] for name in range(4)}
    done = asyncio.Event()

    def run(call: tuple[int, int]) -> None:
        seen[call[0]].append(call[1])
        if all(len(calls) == 5000 for calls in seen.values()):
            done.set()

    def post(name: int) -> None:
        for number in range(5000):
            mailbox.post(run, (name, number))

    threads = [threading.Thread(target=post, args=[name]) for name in seen]
    for thread in threads:
        thread.start()
    async with asyncio.timeout(30):
        await done.wait()
    for thread in threads:
        await asyncio.to_thread(thread.join, 30)
    assert all(calls == list(range(5000)) for calls in seen.values())


@pytest.mark.parametrize("posted_before", [0, 1, 5])
def test_a_loop_that_is_closed_takes_nothing(posted_before: int) -> None:
    loop = asyncio.new_event_loop()
    mailbox = Mailbox(loop)
    for _ in range(posted_before):
        mailbox.post(print, "never run")
    loop.close()
    for _ in range(3):
        with pytest.raises(RuntimeError):
            mailbox.post(print, "never run")


@pytest.mark.parametrize("sent_before", [0, 1, 3])
async def test_a_thread_that_died_holds_nobody_up(sent_before: int) -> None:
    """Its event loop was closed without a word, while messages for it were under way."""
    dead = asyncio.new_event_loop()
    window = Window(4)
    channel = LocalChannel.__new__(LocalChannel)
    sender = LocalSender(window, channel, Mailbox(asyncio.get_running_loop()), Mailbox(dead))
    channel.deliver = lambda lease: None  # type: ignore[method-assign]
    for number in range(sent_before):
        token = window.try_take()
        assert token is not None
        window.hold(token, 1)
        sender.send(number, token, "message", 0)
    dead.close()
    for number in range(20):
        async with asyncio.timeout(30):
            token = await window.take()
        window.hold(token, 1)
        sender.send(number, token, "message", 0)
    assert window.busy == 0
