"""Rings: what goes in comes out, in whatever order two sides' steps and their effects on memory fall."""

import random
from collections.abc import Callable
from threading import Semaphore, Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezmsg.core.transports.rings.ring import (
    ASLEEP,
    FULL,
    HALF_BYTES,
    READ,
    RING_BYTES,
    WRITTEN,
    Half,
    Ring,
    RingError,
)

PIECES = st.binary(min_size=1, max_size=RING_BYTES + 100)
WORDS = st.sampled_from([WRITTEN, READ, ASLEEP, FULL])
SEEDS = st.integers(0, 2**32)
NUMBERS = st.integers(0, 2**64 - 1) | st.integers(0, 2 * RING_BYTES)


def two_sides() -> tuple[Ring, Ring, Half, Half]:
    halves = [Half(memoryview(bytearray(HALF_BYTES))) for _ in range(2)]
    return Ring(halves[0], halves[1]), Ring(halves[1], halves[0]), *halves


def read_all(ring: Ring, size: int = RING_BYTES) -> bytes:
    memory = memoryview(bytearray(size))
    return bytes(memory[: ring.read_into(memory)])


# --- one step after the other -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(PIECES, st.integers(1, 2 * RING_BYTES)), max_size=20))
def test_what_goes_in_comes_out(steps: list[tuple[bytes, int]]) -> None:
    one, other, _, _ = two_sides()
    sent, heard = bytearray(), bytearray()
    for piece, limit in steps:
        sent += piece[: one.write(piece)]
        heard += read_all(other, limit)
    while came := read_all(other):
        heard += came
    assert heard == sent


def test_a_full_ring_takes_what_there_is_room_for() -> None:
    one, other, _, _ = two_sides()
    assert one.write(bytes(RING_BYTES - 1)) == RING_BYTES - 1
    assert one.write(b"ab") == 1
    assert one.write(b"b") == 0
    assert one.await_room()
    assert not other.sleep()
    assert len(read_all(other, 10)) == 10
    assert other.must_tell_room()
    assert not other.must_tell_room()  # it was told
    assert not one.await_room()
    assert one.write(bytes(20)) == 10


def test_who_sleeps_is_rung_for_once_and_again_when_it_sleeps_again() -> None:
    one, other, _, _ = two_sides()
    one.write(b"nobody looks so far, nor sleeps")
    assert not one.must_wake()
    assert not other.sleep()
    read_all(other)
    for _ in range(3):  # a bell that found nothing arms the next
        assert other.sleep()
        one.write(b"one")
        assert one.must_wake()
        one.write(b"two")
        assert not one.must_wake()
        read_all(other)
    other.wake()
    one.write(b"three")
    assert not one.must_wake()


# --- the other side says anything -------------------------------------------------------------------------------


@given(st.lists(st.tuples(WORDS, NUMBERS, st.integers(1, RING_BYTES)), max_size=20))
def test_whatever_the_other_side_says_is_an_error_or_bytes(said: list[tuple[int, int, int]]) -> None:
    one, _, _, theirs = two_sides()
    for place, value, size in said:
        theirs.words[place] = value
        try:
            written = one.write(bytes(size))
            assert 0 <= written <= RING_BYTES
            assert len(read_all(one)) <= RING_BYTES
            for ask in (one.must_wake, one.must_tell_room, one.await_room, one.sleep):
                assert ask() in (True, False)
        except RingError:
            pass


# --- two sides at once, on a memory that keeps stores back ------------------------------------------------------


class Memory:
    """Shared memory as two processors see it: each one's stores wait in a buffer, and take effect in any order.

    Only stores to the same place keep theirs, and a fence lets all of them take effect. That is weaker than x86 is.
    """

    def __init__(self) -> None:
        self.cells: dict[Any, int] = {}
        self.stored: tuple[list[tuple[Any, int]], list[tuple[Any, int]]] = ([], [])

    def load(self, side: int, place: Any) -> int:
        for stored, value in reversed(self.stored[side]):
            if stored == place:
                return value
        return self.cells.get(place, 0)

    def store(self, side: int, place: Any, value: int) -> None:
        self.stored[side].append((place, value))

    def take_effect(self, side: int, which: int) -> None:
        waiting = self.stored[side]
        if waiting:
            place = waiting[which % len(waiting)][0]
            first = next(index for index, (other, _) in enumerate(waiting) if other == place)
            _, self.cells[place] = waiting.pop(first)

    def fence(self, side: int) -> None:
        while self.stored[side]:
            self.take_effect(side, 0)


class Access:
    """One side's words or bytes of a half; each access is a step of its own."""

    def __init__(self, side: "Side", half: str, size: int = 0) -> None:
        self._side, self._half, self._size = side, half, size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, place: Any) -> Any:
        self._side.step()
        memory, number = self._side.memory, self._side.number
        if isinstance(place, slice):
            return bytes(memory.load(number, (self._half, each)) for each in range(*place.indices(self._size)))
        return memory.load(number, (self._half, place))

    def __setitem__(self, place: Any, value: Any) -> None:
        self._side.step()
        memory, number = self._side.memory, self._side.number
        if isinstance(place, slice):
            for each, byte in zip(range(*place.indices(self._size)), bytes(value), strict=True):
                memory.store(number, (self._half, each), byte)
        else:
            memory.store(number, (self._half, place), value)


class Side(Thread):
    """A side of a ring, whose steps are made when it is told to, one at a time."""

    def __init__(self, number: int, memory: Memory, work: Callable[["Side"], None], size: int) -> None:
        super().__init__(daemon=True)
        self.number, self.memory, self.bells = number, memory, 0
        self.other: Side
        self.waits_for_bell = self.over = False
        self.error: Exception | None = None
        self._go, self._gone = Semaphore(0), Semaphore(0)
        self._work = work
        names = ("ab", "ba")[number]
        halves = []
        for name in names:
            half = Half.__new__(Half)
            half.words, half.data = Access(self, f"{name} words"), Access(self, name, size)  # type: ignore[assignment]
            halves.append(half)
        self.ring = Ring(halves[0], halves[1], self._fence)

    def run(self) -> None:
        self._go.acquire()
        try:
            self._work(self)
        except Exception as error:  # noqa: BLE001  whoever plays looks at it
            self.error = error
        self.over = True
        self._gone.release()

    def step(self) -> None:
        """Be told to go on."""
        self._gone.release()
        self._go.acquire()

    def go_on(self) -> None:
        """Let it make a step, and wait until that is made."""
        if not self.over and not (self.waits_for_bell and not self.bells):
            self._go.release()
            assert self._gone.acquire(timeout=30)

    def _fence(self) -> None:
        self.step()
        self.memory.fence(self.number)

    def ring_bell(self) -> None:
        self.other.bells += 1

    def await_bell(self) -> None:
        self.waits_for_bell = True
        self.step()
        self.waits_for_bell = False
        self.bells -= 1


def writing(pieces: list[bytes]) -> Callable[[Side], None]:
    def work(side: Side) -> None:
        for piece in pieces:
            rest = piece
            while rest:
                taken = side.ring.write(rest)
                rest = rest[taken:]
                full = bool(rest) and side.ring.await_room()
                if taken and side.ring.must_wake():
                    side.ring_bell()
                if full:
                    side.await_bell()

    return work


def reading(heard: bytearray, size: int, chance: random.Random) -> Callable[[Side], None]:
    def work(side: Side) -> None:
        memory = memoryview(bytearray(8))
        while len(heard) < size:
            count = side.ring.read_into(memory[: chance.randint(1, 8)])
            heard.extend(memory[:count])
            if count and side.ring.must_tell_room():
                side.ring_bell()
            if not count and side.ring.sleep():
                side.await_bell()

    return work


def play(pieces: list[bytes], size: int, chance: random.Random) -> bytes:
    """Let two sides write and read, in an order that chance decides; return what was heard."""
    heard = bytearray()
    total = sum(map(len, pieces))
    memory = Memory()
    writer = Side(0, memory, writing(pieces), size)
    reader = Side(1, memory, reading(heard, total, chance), size)
    writer.other, reader.other = reader, writer
    sides = (writer, reader)
    for side in sides:
        side.start()
    for _ in range(500 * (total + 2)):
        if all(side.over for side in sides):
            break
        side = chance.choice(sides)
        if chance.random() < 0.3:
            memory.take_effect(side.number, chance.randrange(8))
        else:
            side.go_on()
        if all(each.over or (each.waits_for_bell and not each.bells) for each in sides) and not reader.over:
            raise AssertionError(f"both wait for a bell, after {bytes(heard)!r}")
    for side in sides:
        assert side.error is None, side.error
    return bytes(heard)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=6), st.integers(2, 8), SEEDS)
def test_every_order_of_steps_brings_all_of_it(pieces: list[bytes], size: int, seed: int) -> None:
    assert play(pieces, size, random.Random(seed)) == b"".join(pieces)


def play_many(seeds: int) -> None:
    for seed in range(seeds):
        play([b"abc", b"d", b"efgh", b"i"], 3, random.Random(seed))


@pytest.mark.parametrize("left_out", ["the fence of who writes", "the fence of who sleeps", "a new number"])
def test_the_model_notices_what_is_left_out(left_out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would say nothing."""
    if left_out == "a new number":
        monkeypatch.setattr("ezmsg.core.transports.rings.ring._next_odd", lambda number: number | 1)
    else:
        name = "must_wake" if left_out == "the fence of who writes" else "sleep"
        whole = getattr(Ring, name)

        def without_fence(ring: Any) -> bool:
            fence, ring._fence = ring._fence, lambda: None
            try:
                return bool(whole(ring))
            finally:
                ring._fence = fence

        monkeypatch.setattr(Ring, name, without_fence)
    with pytest.raises(AssertionError, match="both wait for a bell"):
        play_many(3000)
