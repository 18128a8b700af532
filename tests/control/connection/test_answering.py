"""Answers to what the server asks: at once where that is possible, and each exactly once."""

import asyncio
import gc
import logging
import warnings
from typing import Any

import pytest

from ezmsg.control.connection.answering import Answers
from ezmsg.protocol.errors import UnknownMessage, UnknownSession
from ezmsg.protocol.messages.endpoints import PausePublishing
from ezmsg.protocol.messages.sessions import Done

ASKED = PausePublishing()
HANG = 30.0


class Asker:
    """Keeps what is answered."""

    def __init__(self) -> None:
        self.replies: list[tuple[int, object]] = []
        self.failures: list[tuple[int, BaseException]] = []

    def reply(self, request_id: int, body: object) -> None:
        self.replies.append((request_id, body))

    def fail(self, request_id: int, error: BaseException) -> None:
        self.failures.append((request_id, error))


@pytest.fixture
def asker() -> Asker:
    return Asker()


async def test_what_takes_no_time_is_answered_before_anything_else_runs(asker: Asker) -> None:
    answers = Answers()
    answers.register(PausePublishing, lambda _: None)
    answers.start(asker, 1, ASKED)
    answers.register(PausePublishing, lambda _: Done())
    answers.start(asker, 2, ASKED)
    assert asker.replies == [(1, Done()), (2, Done())]


async def test_what_waits_is_answered_later(asker: Asker) -> None:
    answers, go_on = Answers(), asyncio.Event()

    async def wait(_: Any) -> None:
        await go_on.wait()

    answers.register(PausePublishing, wait)
    answers.start(asker, 1, ASKED)
    await asyncio.sleep(0)
    assert asker.replies == []
    go_on.set()
    while not asker.replies:  # noqa: ASYNC110  a turn of the loop or two
        await asyncio.sleep(0)
    assert asker.replies == [(1, Done())]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("error", [UnknownSession(session="7"), ValueError("a fault")])
async def test_what_a_handler_raises_is_told(
    asker: Asker, waits: bool, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def at_once(_: Any) -> None:
        raise error

    async def later(_: Any) -> None:
        raise error

    answers = Answers()
    answers.register(PausePublishing, later if waits else at_once)
    with caplog.at_level(logging.ERROR):
        answers.start(asker, 1, ASKED)
        while not asker.failures:  # noqa: ASYNC110  a turn of the loop or two
            await asyncio.sleep(0)
    assert asker.failures == [(1, error)]
    assert asker.replies == []
    assert bool(caplog.records) == isinstance(error, ValueError), "only a fault of ours goes to the log"


async def test_what_nobody_answers_is_told(asker: Asker) -> None:
    Answers().start(asker, 1, ASKED)
    ((request_id, error),) = asker.failures
    assert request_id == 1
    assert isinstance(error, UnknownMessage)


async def test_what_is_given_up_before_it_began_leaves_nothing_behind(asker: Asker) -> None:
    """A request and its cancellation may come in one piece; so may a request and the end of the connection."""

    async def never(_: Any) -> None:
        await asyncio.get_running_loop().create_future()

    answers = Answers()
    answers.register(PausePublishing, never, abandonable=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answers.start(asker, 1, ASKED)
        answers.abandon(asker, 1)
        async with asyncio.timeout(HANG):
            while answers._tasks:  # noqa: ASYNC110  a turn of the loop or two
                await asyncio.sleep(0)
        answers.start(asker, 2, ASKED)
        await answers.close()
        gc.collect()
    assert (asker.replies, asker.failures) == ([], [])
