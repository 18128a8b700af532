"""How an event loop waits awake: while it pays, for a bounded time, and with a rest when it does not."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.errors import InvalidOption
from ezmsg.core.transports import busy_wait
from ezmsg.core.transports.busy_wait import PATIENCE, REST_S, BusyWait, wait_from_environment

WAIT_S = 200e-6
STEP_S = 10e-6


class World:
    """A loop whose turns take ``STEP_S``, and the clock that they move."""

    def __init__(self, patch: pytest.MonkeyPatch, wait_s: float = WAIT_S) -> None:
        self.now_s = 1000.0
        self.callbacks: list[Callable[[], None]] = []
        self.gave_way = 0
        patch.setattr(busy_wait, "monotonic", lambda: self.now_s)
        patch.setattr(busy_wait, "give_way", self._give_way)
        self.wait = BusyWait(self, wait_s)  # type: ignore[arg-type]

    def call_soon(self, callback: Callable[[], None], *_: Any) -> None:
        self.callbacks.append(callback)

    def _give_way(self) -> None:
        self.gave_way += 1

    def ask(self, answer_after_s: float) -> int:
        """Send, and hear after a time; return how many turns the loop made awake until it slept or heard."""
        self.wait.sent(self.now_s)
        due_s, turns = self.now_s + answer_after_s, 0
        while self.callbacks and self.now_s < due_s:
            self.callbacks.pop()()
            turns += 1
            self.now_s += STEP_S
        self.now_s = max(self.now_s, due_s)
        self.wait.heard()
        while self.callbacks:
            self.callbacks.pop()()
        return turns


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_the_loop_turns_until_an_answer_comes(world: World) -> None:
    turns = world.ask(100e-6)
    assert 9 <= turns <= 11
    assert world.gave_way >= turns - 1


def test_it_waits_no_longer_than_it_was_told(world: World) -> None:
    assert WAIT_S / STEP_S <= world.ask(1.0) <= WAIT_S / STEP_S + 2


def test_waits_in_vain_end_in_a_rest(world: World) -> None:
    for _ in range(PATIENCE):
        assert world.ask(1e-3) > 0
    assert world.ask(100e-6) == 0


def test_after_a_rest_one_wait_in_vain_is_enough_for_the_next(world: World) -> None:
    for _ in range(PATIENCE):
        world.ask(1e-3)
    for _ in range(10):
        world.now_s += REST_S
        assert world.ask(1e-3) > 0
        assert world.ask(100e-6) == 0


def test_a_rest_ends_for_good_when_answers_are_quick_again(world: World) -> None:
    for _ in range(PATIENCE):
        world.ask(1e-3)
    world.now_s += REST_S
    assert all(world.ask(100e-6) > 0 for _ in range(100))


def test_a_wait_in_vain_now_and_then_changes_nothing(world: World) -> None:
    for _ in range(50):
        for _ in range(20):
            world.ask(50e-6)
        assert world.ask(1e-3) > 0


def test_nothing_waits_when_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, wait_s=0.0)
    assert sum(world.ask(20e-6) for _ in range(100)) == 0


@given(st.lists(st.floats(0, 2e-3), max_size=200))
def test_never_awake_longer_than_the_wait_for_each_thing_sent(answers_after_s: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        world = World(patch)
        for answer_after_s in answers_after_s:
            assert world.ask(answer_after_s) <= WAIT_S / STEP_S + 2


@pytest.mark.parametrize(("text", "wait_s"), [("", 200e-6), ("0", 0.0), (" 50 ", 50e-6)])
def test_the_environment_says_how_long(text: str, wait_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_BUSY_WAIT_US", text)
    assert wait_from_environment() == pytest.approx(wait_s)


@pytest.mark.parametrize("text", ["-1", "nan", "long", "1e9"])
def test_an_impossible_wait_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_BUSY_WAIT_US", text)
    with pytest.raises(InvalidOption, match="EZMSG_BUSY_WAIT_US"):
        wait_from_environment()
