"""The window, beside a plain model: no token is lost, none is out twice, and who waited longest is served first."""

import asyncio
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ezmsg.core.channels.backpressure import Window


class Refusal(Exception):
    pass


class WindowMachine(RuleBasedStateMachine):
    """Takers that wait and give up, holders that let go, and an end at which everyone is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.freed: list[int] = []
        self.held: dict[int, int] = {}
        self.waiting: list[asyncio.Task[int]] = []
        self.syncing: list[tuple[set[int], asyncio.Task[None]]] = []

    @initialize(size=st.integers(1, 4))
    def begin(self, size: int) -> None:
        self.window = Window(size, on_free=self.freed.append)

    def teardown(self) -> None:
        for task in [*self.waiting, *(task for _, task in self.syncing)]:
            task.cancel()
        self.turn()
        self.loop.close()

    def turn(self) -> None:
        async def nothing() -> None:
            for _ in range(5):
                await asyncio.sleep(0)

        self.loop.run_until_complete(nothing())

    def got(self, token: int, holders: int = 1) -> None:
        assert token not in self.held, "the same token twice"
        self.held[token] = holders
        self.window.hold(token, holders)

    def settle(self) -> None:
        """Let everybody go on, and note who got what."""
        self.turn()
        for task in [task for task in self.waiting if task.done()]:
            self.waiting.remove(task)
            if not task.cancelled() and task.exception() is None:
                self.got(task.result())
        returned = set(self.freed)
        for pending, _ in self.syncing:
            pending -= returned
        self.freed.clear()
        for pending, task in list(self.syncing):
            assert task.done() == (not pending)
            if task.done():
                self.syncing.remove((pending, task))

    @rule(holders=st.integers(1, 3))
    def take_at_once(self, holders: int) -> None:
        token = self.window.try_take()
        if token is None:
            assert len(self.held) == self.window.size or self.waiting
        else:
            assert not self.waiting
            self.got(token, holders)

    @rule()
    def take_in_line(self) -> None:
        self.waiting.append(self.loop.create_task(self.window.take()))
        self.settle()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def let_go(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.held)))
        self._let_go(token)
        self.settle()

    def _let_go(self, token: int) -> None:
        self.held[token] -= 1
        if not self.held[token]:
            del self.held[token]
        self.window.release(token)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def give_back_unsent(self, data: st.DataObject) -> None:
        """A message that could not be encoded."""
        token = data.draw(st.sampled_from(sorted(token for token, holders in self.held.items())))
        del self.held[token]
        self.window.hold(token, 0)
        self.window.give_back(token)
        self.settle()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from(self.waiting)).cancel()
        self.settle()

    @precondition(lambda self: self.waiting and self.held)
    @rule(data=st.data())
    def give_up_in_the_moment_of_being_served(self, data: st.DataObject) -> None:
        token = data.draw(st.sampled_from(sorted(self.held)))
        while token in self.held:
            self._let_go(token)
        self.waiting[0].cancel()
        if data.draw(st.booleans()):
            self.waiting[-1].cancel()
        self.settle()

    @rule()
    def sync(self) -> None:
        task = self.loop.create_task(self.window.wait_returned())
        self.syncing.append((set(self.held), task))
        self.settle()

    @precondition(lambda self: self.syncing)
    @rule(data=st.data())
    def give_up_sync(self, data: st.DataObject) -> None:
        pending, task = data.draw(st.sampled_from(self.syncing))
        task.cancel()
        self.turn()
        assert task.cancelled()
        self.syncing.remove((pending, task))

    @precondition(lambda self: self.waiting)
    @rule()
    def refuse(self) -> None:
        waiting, self.waiting = self.waiting, []
        self.window.refuse(Refusal())
        self.turn()
        assert all(isinstance(task.exception(), Refusal) for task in waiting)

    @invariant()
    def every_token_is_somewhere(self) -> None:
        if hasattr(self, "window"):
            assert self.window.busy == len(self.held)
            assert not self.waiting or self.window.busy == self.window.size
            free = self.window._free
            assert sorted([*free, *self.held]) == list(range(self.window.size))


TestWindow = WindowMachine.TestCase


async def test_the_token_freed_last_is_taken_next() -> None:
    window = Window(3)
    tokens = [window.try_take() for _ in range(3)]
    assert sorted(token for token in tokens if token is not None) == [0, 1, 2]
    for token in (1, 0, 2):
        window.hold(token, 1)
        window.release(token)
    assert window.try_take() == 2
    assert window.try_take() == 0


async def test_who_waited_longest_is_served_first() -> None:
    window = Window(1)
    token = await window.take()
    served: list[int] = []

    async def take(name: int) -> None:
        got = await window.take()
        served.append(name)
        window.give_back(got)

    tasks = [asyncio.create_task(take(name)) for name in range(5)]
    await asyncio.sleep(0)
    assert window.try_take() is None
    window.give_back(token)
    assert window.try_take() is None  # nobody pushes in
    async with asyncio.timeout(30):
        await asyncio.gather(*tasks)
    assert served == list(range(5))
    assert window.busy == 0


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
async def test_a_message_waits_for_the_last_of_its_holders(order: list[int]) -> None:
    freed: list[int] = []
    window = Window(2, on_free=freed.append)
    tokens: list[Any] = [window.try_take(), window.try_take()]
    for token in tokens:
        window.hold(token, 2)
    for position in order:
        window.release(tokens[position])
    assert freed == []
    for position in order:
        window.release(tokens[position])
    assert freed == [tokens[position] for position in order]
