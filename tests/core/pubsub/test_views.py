"""What a subscriber may do with what it gets: copies are its own, views are read-only, kept views harm nobody."""

import asyncio
import gc
import logging
import subprocess
import sys
import threading
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ezmsg.core as ez
from ezmsg.core.channels import watched_loans
from ezmsg.core.channels.loans import Loan
from ezmsg.core.messages.active import CODEC
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.memory import memory_used, spans_of

HANG = 30.0
INSIDE = ["local", "threads"]
ACROSS = ["shm", "tcp"]


@dataclass
class Sheet:
    """A message as users write them."""

    data: Any
    attrs: dict[str, Any] = field(default_factory=dict)


class Reading:
    """Sent in an encoding that the application registered."""

    def __init__(self, values: np.ndarray[Any, Any]) -> None:
        self.values = values


CODEC.register("test_views.Reading", Reading, lambda r: [r.values.data], lambda b: Reading(np.frombuffer(b[0])))


def fixed(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    array.flags.writeable = False
    return array


MESSAGES: dict[str, Any] = {
    "array": lambda: np.arange(6.0),
    "read-only": lambda: fixed(np.arange(6.0)),
    "strided": lambda: np.arange(12.0).reshape(3, 4)[:, ::2],
    "broadcast": lambda: np.broadcast_to(np.arange(3.0), (2, 3)),
    "times": lambda: np.arange(4).astype("M8[s]"),
    "records": lambda: np.ones(3, [("a", "f8"), ("b", "i4")]),
    "objects": lambda: np.array([np.arange(3.0), "x"], object),
    "dataclass": lambda: Sheet(np.arange(6.0), {"gain": fixed(np.ones(2)), "columns": np.ones((2, 3), order="F")}),
    "nested": lambda: {"a": [np.arange(3), (np.zeros((2, 2)).T, "x")], "names": ["a"]},
    "registered": lambda: Reading(np.arange(5.0)),
}


def arrays_in(value: Any) -> list[np.ndarray[Any, Any]]:
    """Return all arrays of a message."""
    match value:
        case np.ndarray():
            return [value, *(arrays_in(value.tolist()) if value.dtype.hasobject else [])]
        case dict():
            return [array for part in value.values() for array in arrays_in(part)]
        case list() | tuple():
            return [array for part in value for array in arrays_in(part)]
        case Sheet() | Reading():
            return arrays_in(vars(value))
    return []


def assert_same(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    found, expected = arrays_in(one), arrays_in(other)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        # NumPy's own pickle turns some arrays into the machine's byte order.
        assert ours.dtype.newbyteorder("=") == theirs.dtype.newbyteorder("=")
        assert ours.shape == theirs.shape
        if not ours.dtype.hasobject:
            np.testing.assert_array_equal(ours, theirs)


def scribble(value: Any) -> None:
    """Change everything in a message."""
    for array in arrays_in(value):
        array[...] = np.zeros((), array.dtype)
    if isinstance(value, Sheet):
        value.attrs.clear()
    elif isinstance(value, dict):
        value["names"].append("b")
        value.clear()


# --- copies -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MESSAGES)
@pytest.mark.parametrize("options", [{}, {"leaky": True}], ids=["recv", "leaky"])
async def test_recv_gives_what_can_be_written(world: Any, kind: str, options: dict[str, Any]) -> None:
    publisher = await world.publisher()
    ears = [await world.subscriber(**options) for _ in range(2)]
    message = MESSAGES[kind]()
    await publisher.broadcast(message)
    copies = [await ear.recv() for ear in ears]
    for each in copies:
        assert_same(each, MESSAGES[kind]())
        scribble(each)
        assert_same(message, MESSAGES[kind]())


NESTED = st.recursive(
    hnp.arrays(
        st.one_of(hnp.integer_dtypes(), hnp.floating_dtypes(), hnp.datetime64_dtypes()),
        hnp.array_shapes(min_side=0),
    ),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts, max_size=3),
    max_leaves=6,
)


@st.composite
def messages(draw: st.DrawFn) -> Any:
    """Arrays in lists and dicts, in different memory orders, some of them read-only."""
    value = draw(NESTED)

    def changed(part: Any) -> Any:
        match part:
            case dict():
                return {key: changed(each) for key, each in part.items()}
            case list():
                return [changed(each) for each in part]
        match draw(st.sampled_from(["as it is", "transposed", "strided", "read-only"])):
            case "transposed":
                return part.T
            case "strided":
                return part[..., ::2]
            case "read-only":
                return fixed(part)
        return part

    return changed(value)


@given(messages())
def test_a_copy_can_be_written_whatever_it_holds(message: Any) -> None:
    codec = Codec()
    payload = codec.encode(message)
    memory = np.zeros(payload.size, np.uint8)
    payload.write(memory.data, 0)
    fixed(memory)
    copy = codec.decode(memory.data, copy=True)
    assert_same(copy, message)
    for array in arrays_in(copy):
        assert array.flags.writeable
        assert not np.shares_memory(array, memory)


# --- views ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ACROSS, indirect=True)
@pytest.mark.parametrize("kind", ["array", "strided", "times", "records", "dataclass", "registered"])
async def test_views_from_elsewhere_are_read_only(world: Any, kind: str) -> None:
    publisher, ear = await world.publisher(), await world.subscriber()
    await publisher.broadcast(MESSAGES[kind]())
    held = await ear.hold()
    assert_same(held.message, MESSAGES[kind]())
    for array in arrays_in(held.message):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = array
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
    await held.release()


@pytest.mark.parametrize("transport", INSIDE, indirect=True)
@pytest.mark.parametrize("kind", MESSAGES)
async def test_inside_a_process_it_is_the_very_object(world: Any, kind: str) -> None:
    publisher = await world.publisher()
    ears = [await world.subscriber() for _ in range(2)]
    message = MESSAGES[kind]()
    await publisher.broadcast(message)
    for ear in ears:
        held = await ear.hold()
        assert held.message is message
        await held.release()


# --- strict views -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", INSIDE, indirect=True)
@pytest.mark.parametrize("kind", MESSAGES)
async def test_strict_views_protect_everybody_from_each_other(world: Any, kind: str) -> None:
    publisher = await world.publisher(strict_views=True)
    ears = [await world.subscriber() for _ in range(2)]
    message = MESSAGES[kind]()
    writable = [array.flags.writeable for array in arrays_in(message)]
    await publisher.broadcast(message)
    first, second = [await ear.hold() for ear in ears]
    for view in first.message, second.message:
        assert_same(view, message)
        assert view is not message
    for array in arrays_in(first.message):
        if array.flags.writeable:  # it was copied, because its memory could not be shared
            array[...] = np.zeros((), array.dtype)
    if isinstance(first.message, Sheet):
        first.message.attrs.clear()
    assert_same(message, MESSAGES[kind]())
    assert_same(second.message, MESSAGES[kind]())
    assert [array.flags.writeable for array in arrays_in(message)] == writable
    await first.release()
    await second.release()
    await asyncio.wait_for(publisher.sync(), HANG)


@pytest.mark.parametrize("transport", INSIDE, indirect=True)
async def test_strict_views_copy_no_array(world: Any) -> None:
    publisher, ear = await world.publisher(strict_views=True), await world.subscriber()
    message = Sheet(np.arange(6.0))
    for sent in message, message.data:
        await publisher.broadcast(sent)
        held = await ear.hold()
        (array,) = arrays_in(held.message)
        assert np.shares_memory(array, message.data)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        await held.release()
        await publisher.broadcast(sent)
        for copy in arrays_in(await ear.recv()):
            copy[...] = -1
    np.testing.assert_array_equal(message.data, np.arange(6.0))


@pytest.mark.parametrize("transport", ["local"], indirect=True)
async def test_the_environment_makes_views_strict(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_STRICT_VIEWS", "1")
    strict, lax = await world.publisher("A"), await world.publisher("B", strict_views=False)
    for topic, publisher, is_strict in ("A", strict, True), ("B", lax, False):
        ear = await world.subscriber(topic)
        message = np.arange(3)
        await publisher.broadcast(message)
        held = await ear.hold()
        assert (held.message is message) is not is_strict
        assert held.message.flags.writeable is not is_strict
        await held.release()


class Locked:
    """Has no business in another process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


@pytest.mark.parametrize("transport", ["local"], indirect=True)
async def test_what_cannot_be_protected_is_handed_on_with_a_word(
    world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    publisher, ear = await world.publisher(strict_views=True), await world.subscriber()
    for _ in range(3):
        message = Locked()
        await publisher.broadcast(message)
        held = await ear.hold()
        assert held.message is message
        await held.release()
    (record,) = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "type Locked on OUT" in record.getMessage()


@given(messages())
def test_a_read_only_counterpart_has_no_way_back(message: Any) -> None:
    originals = arrays_in(message)
    counterpart = Codec().read_only(message)
    assert_same(counterpart, message)
    for array in arrays_in(counterpart):
        if array.flags.writeable:
            assert not any(np.shares_memory(array, original) for original in originals)


def test_an_option_of_an_outlet_is_passed_on() -> None:
    assert ez.OutputStream(int).strict_views is None
    assert ez.OutputStream(int, strict_views=True).strict_views is True


# --- views that are handed on -----------------------------------------------------------------------------------

PARTS: dict[str, Any] = {
    "whole": lambda array: array,
    "part": lambda array: array[:2],
    "in a dict": lambda array: {"data": array[::-1], "more": [1, "x", None]},
    "in a dataclass": lambda array: Sheet(array.reshape(-1, 1)),
}


@pytest.mark.parametrize("transport", ACROSS, indirect=True)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("hops", [1, 2])
async def test_a_view_that_is_handed_on_stays_what_it_was(world: Any, part: str, hops: int) -> None:
    source = await world.publisher("T0", num_buffers=2)
    ears = [await world.subscriber(f"T{hop}") for hop in range(hops + 1)]
    relays = [await world.context.publisher(f"T{hop}") for hop in range(1, hops + 1)]

    async def forward(ear: Any, relay: ez.Publisher, change: Any) -> None:
        for _ in range(20):
            async with ear.subscriber.recv_zero_copy() as message:
                await relay.broadcast(change(message))

    changes = [PARTS[part], *(lambda message: message,) * (hops - 1)]
    tasks = [
        asyncio.create_task(forward(ear, relay, change))
        for ear, relay, change in zip(ears, relays, changes, strict=False)
    ]

    async def publish() -> None:
        for number in range(20):
            await source.broadcast(np.full(4, number))

    tasks.append(asyncio.create_task(publish()))
    async with asyncio.timeout(HANG):
        for number in range(20):
            held = await ears[-1].hold()
            await world.turns()  # whatever could overwrite it has had its chance
            (array,) = arrays_in(held.message)
            assert (array == number).all()
            await held.release()
        await asyncio.gather(*tasks)
        await source.sync()


@pytest.mark.parametrize("transport", ["shm"], indirect=True)
@pytest.mark.parametrize("part", PARTS)
async def test_of_several_that_are_lent_only_the_one_is_held_that_was_handed_on(world: Any, part: str) -> None:
    source, relay = await world.publisher("A", num_buffers=8), await world.context.publisher("B")
    ear, last = await world.subscriber("A"), await world.subscriber("B")
    for number in range(6):
        await source.broadcast(np.full(4, number))
    async with AsyncExitStack() as lent:
        for number in range(6):
            message = await lent.enter_async_context(ear.subscriber.recv_zero_copy())
            if number in (3, 4):
                await relay.broadcast(PARTS[part](message))
    await world.until(lambda: source.window.busy == 2)
    for number in (3, 4):
        held = await last.hold()
        (array,) = arrays_in(held.message)
        assert (array == number).all()
        await held.release()
    await asyncio.wait_for(source.sync(), HANG)


@pytest.mark.parametrize("transport", ACROSS, indirect=True)
async def test_what_lies_elsewhere_holds_nothing(world: Any) -> None:
    source, relay = await world.publisher("A", num_buffers=1), await world.context.publisher("B")
    ear, last = await world.subscriber("A"), await world.subscriber("B")
    for number in range(5):
        await asyncio.wait_for(source.broadcast(np.full(4, number)), HANG)  # would wait for ever if one were held
        async with ear.subscriber.recv_zero_copy() as message:
            await relay.broadcast({"sum": message.sum(), "copy": message.copy()})
    assert [(await last.recv())["sum"] for _ in range(5)] == [0, 4, 8, 12, 16]


@pytest.mark.parametrize("transport", ACROSS, indirect=True)
@pytest.mark.parametrize("how", ["leaky", "closed"])
async def test_what_is_dropped_is_given_back(world: Any, how: str) -> None:
    source, relay = await world.publisher("A", num_buffers=2), await world.context.publisher("B")
    ear, last = await world.subscriber("A"), await world.subscriber("B", leaky=how == "leaky")
    for number in range(5 if how == "leaky" else 2):
        await asyncio.wait_for(source.broadcast(np.full(4, number)), HANG)
        async with ear.subscriber.recv_zero_copy() as message:
            await relay.broadcast(message)
    if how == "leaky":
        assert (await last.recv() == 4).all()
    else:
        await last.close()
    await asyncio.wait_for(source.sync(), HANG)


@pytest.mark.parametrize("transport", ACROSS, indirect=True)
@pytest.mark.parametrize("num_buffers", [1, 2, 4])
async def test_what_is_handed_on_to_a_leaky_subscriber_holds_up_nobody(world: Any, num_buffers: int) -> None:
    source = await world.publisher("A", num_buffers=num_buffers)
    relay = await world.context.publisher("B")
    ear, last = await world.subscriber("A"), await world.subscriber("B", leaky=True, max_queue=3)
    for number in range(10):
        await asyncio.wait_for(source.broadcast(np.full(4, number)), HANG)  # would wait for ever if all were held
        async with ear.subscriber.recv_zero_copy() as message:
            await relay.broadcast(message)
    assert [int((await last.recv())[0]) for _ in range(3)] == [7, 8, 9]
    await asyncio.wait_for(source.sync(), HANG)


class Uncopyable:
    def __deepcopy__(self, memo: object) -> Any:
        raise TypeError("it cannot be copied")


@pytest.mark.parametrize("transport", INSIDE, indirect=True)
async def test_what_cannot_be_copied_is_its_receivers_trouble(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber(leaky=True, max_queue=2)
    for message in (Uncopyable(), "copied"):
        await asyncio.wait_for(publisher.broadcast(message), HANG)
    with pytest.raises(TypeError, match="cannot be copied"):
        await ear.recv()
    assert await ear.recv() == "copied"


@pytest.mark.parametrize("transport", ["shm"], indirect=True)
async def test_a_task_that_outlives_a_loan_lends_nothing(world: Any) -> None:
    source, relay = await world.publisher("A", num_buffers=1), await world.context.publisher("B")
    ear, last = await world.subscriber("A"), await world.subscriber("B")
    over = asyncio.Event()

    async def later(message: Any) -> None:
        await over.wait()
        await relay.broadcast(message)

    await source.broadcast(np.arange(3))
    async with ear.subscriber.recv_zero_copy() as message:
        task = asyncio.create_task(later(message))
    over.set()
    await task
    await asyncio.wait_for(source.broadcast(np.arange(3)), HANG)
    assert (await last.recv() == np.arange(3)).all()


@given(messages(), st.booleans())
def test_what_lies_in_memory_is_found(message: Any, inside: bool) -> None:
    memory = np.arange(1000.0)
    found = {"message": message, "more": [1, "x", (memory[10:20][::2] if inside else memory[10:20].copy(), None)]}
    assert memory_used(found, [memory, object()]) == ({id(memory)} if inside else set())


SLICES = st.slices(6).filter(lambda each: each.step != 0)


@given(SLICES, SLICES, st.booleans())
def test_where_an_array_lies_is_where_its_elements_lie(rows: slice, columns: slice, turned: bool) -> None:
    memory = np.arange(36, dtype=np.int32).reshape(6, 6)
    part = memory[rows, columns].T if turned else memory[rows, columns]
    start = memory.ctypes.data
    (span,) = spans_of({"a": [part, 1]}, ()) or [(0, 0)]
    if part.size:
        assert span == (start + 4 * int(part.min()), start + 4 * int(part.max()) + 4)
    else:
        assert span[0] == span[1]
    assert spans_of([memory.data, part], {id(memory)}) is None  # somebody else than an array uses it
    assert spans_of([object()], ()) is None


def test_an_element_of_a_structured_array_lies_in_it() -> None:
    memory = MESSAGES["records"]()
    assert memory_used((memory[1],), [memory]) == {id(memory)}
    assert memory_used((memory["a"][1], np.str_("x"), np.bool_(True)), [memory]) == set()


def test_what_cannot_be_looked_into_may_lie_anywhere() -> None:
    owners = [object(), object()]
    assert memory_used([iter(b"")], owners) == set()
    assert memory_used([object()], owners) == {id(owner) for owner in owners}
    assert memory_used([[number] for number in range(5000)], owners) == {id(owner) for owner in owners}


# --- views that are kept ----------------------------------------------------------------------------------------

KEEPER = """
import asyncio, gc, sys
import numpy as np
import ezmsg.core as ez

kept = []

async def main():
    server = ez.GraphServer()
    server.start(("127.0.0.1", 0))
    async with ez.GraphContext(server.address) as context:
        publisher = await context.publisher("A", num_buffers=1, **OPTIONS)
        subscriber = await context.subscriber("A")
        for number in range(3):
            await publisher.broadcast({"data": np.full(100, number)} if number == 1 else np.full(9000, number))
            async with subscriber.recv_zero_copy() as message:
                kept.append(message["data"] if number == 1 else message[1:])
                kept.append(memoryview(kept[-1]))
    gc.collect()
    print([int(array[0]) >= 0 for array in kept])
    server.stop()

asyncio.run(main())
gc.collect()
print([int(array[0]) >= 0 for array in kept])
"""


@pytest.mark.parametrize("portable", ["0", "1"])
@pytest.mark.parametrize("options", [{"allow_local": False}, {"force_tcp": True}], ids=ACROSS)
@pytest.mark.parametrize("debug", ["0", "1"])
def test_a_view_kept_to_the_end_raises_nothing(
    portable_environment: dict[str, str], portable: str, options: dict[str, Any], debug: str
) -> None:
    environment = portable_environment | {
        "EZMSG_PORTABLE": portable,
        "EZMSG_DEBUG_VIEWS": debug,
        "EZMSG_DISABLE_BACKPRESSURE_WARNING": "1",
        "EZMSG_LOGLEVEL": "WARNING",
    }
    command = [sys.executable, "-W", "error", "-c", f"OPTIONS = {options!r}\n{KEEPER}"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANG, check=False)
    lines = [line for line in run.stderr.splitlines() if "was kept after its lease ended" not in line]
    assert (run.returncode, lines) == (0, [])
    assert run.stdout.splitlines() == [str([True] * 6)] * 2
    assert ("was kept" in run.stderr) is (debug == "1")


@pytest.mark.parametrize("transport", ["shm"], indirect=True)
async def test_a_kept_view_shows_what_comes_later(world: Any) -> None:
    publisher, ear = await world.publisher(num_buffers=1), await world.subscriber()
    await publisher.broadcast(np.full(3, 1))
    held = await ear.hold()
    await held.release()
    await publisher.broadcast(np.full(3, 2))
    assert (held.message == 2).all()
    await ear.recv()


# --- who keeps views --------------------------------------------------------------------------------------------


class Unit:
    last: Any = None


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EZMSG_DEBUG_VIEWS", "1")
    monkeypatch.setattr(watched_loans, "_told", set())


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "was kept" in record.getMessage()]


def main_part(message: Any) -> Any:
    return message if isinstance(message, np.ndarray) else arrays_in(message)[0]


WATCHED = ["array", "read-only", "records", "dataclass", "nested", "registered"]


@pytest.mark.parametrize("transport", [*ACROSS, "local"], indirect=True)
@pytest.mark.parametrize("kind", WATCHED)
async def test_names_and_copies_keep_nothing(
    world: Any, kind: str, watching: None, caplog: pytest.LogCaptureFixture
) -> None:
    strict = {"strict_views": True} if world.transport == "local" else {}
    publisher, ear = await world.publisher(**strict), await world.subscriber()
    kept = []
    for _ in range(3):
        await publisher.broadcast(MESSAGES[kind]())
        async with ear.subscriber.recv_zero_copy() as message:
            again = message
            part = main_part(message)
            piece = part[1:]
            kept.append(piece.copy())
        assert (again is message, len(piece)) == (True, len(part) - 1)  # names that are still there
    circle: list[Any] = []
    await publisher.broadcast(MESSAGES[kind]())
    async with ear.subscriber.recv_zero_copy() as message:
        circle += [circle, message]
        del circle, message
    del again, part, piece
    assert told(caplog) == []
    await asyncio.wait_for(publisher.sync(), HANG)


KEEP: dict[str, tuple[Any, str]] = {
    "attribute": (lambda unit, message: setattr(unit, "last", message), "attribute 'last' of Unit"),
    "part": (lambda unit, message: setattr(unit, "last", main_part(message)[1:]), "attribute 'last' of Unit"),
    "list": (lambda unit, message: setattr(unit, "last", [main_part(message)]), "type list"),
    "tuple": (lambda unit, message: setattr(unit, "last", (message, 1)), ""),
    "dict": (lambda unit, message: setattr(unit, "last", {"x": [message]}), "list"),
}


KINDS = ["array", "dataclass", "registered"]
SQUARE = [
    (transport, KINDS[(column + row) % len(KINDS)], how)
    for column, how in enumerate(KEEP)
    for row, transport in enumerate([*ACROSS, "local"])
]
"""Each way to keep a view with each transport, each kind with both, not all with all: all objects are looked at."""


@pytest.mark.parametrize(("transport", "kind", "how"), SQUARE, indirect=["transport"])
async def test_who_keeps_a_view_is_named_once(
    world: Any, kind: str, how: str, watching: None, caplog: pytest.LogCaptureFixture
) -> None:
    strict = {"strict_views": True} if world.transport == "local" else {}
    publisher, ear = await world.publisher(**strict), await world.subscriber()
    unit = Unit()
    keep, name = KEEP[how]
    for _ in range(3):
        await publisher.broadcast(MESSAGES[kind]())
        async with ear.subscriber.recv_zero_copy() as message:
            keep(unit, message)
    (sentence,) = told(caplog)
    assert "message of OUT" in sentence
    assert f"test_who_keeps_a_view_is_named_once ({__file__}:" in sentence
    assert name in sentence


@pytest.mark.parametrize("transport", ["shm"], indirect=True)
async def test_what_is_handed_on_or_fails_is_no_kept_view(
    world: Any, watching: None, caplog: pytest.LogCaptureFixture
) -> None:
    source, relay = await world.publisher("A"), await world.context.publisher("B")
    ear, last = await world.subscriber("A"), await world.subscriber("B")
    await source.broadcast(np.arange(3))
    async with ear.subscriber.recv_zero_copy() as message:
        await relay.broadcast(message[1:])
    await source.broadcast(np.arange(3))
    failure = None
    try:
        async with ear.subscriber.recv_zero_copy() as message:
            raise LookupError(message)
    except LookupError as error:
        failure = error
    assert failure is not None
    assert (await last.recv() == [1, 2]).all()
    gc.collect()
    assert told(caplog) == []


RUN = """
from pathlib import Path
import numpy as np
import ezmsg.core as ez

class Source(ez.Unit):
    OUTPUT = ez.OutputStream(np.ndarray, num_buffers=2)

    @ez.publisher(OUTPUT)
    async def publish(self):
        for number in range(50):
            yield self.OUTPUT, np.full(100, number)

class Relay(ez.Unit):
    INPUT = ez.InputStream(np.ndarray)
    OUTPUT = ez.OutputStream(np.ndarray)

    @ez.subscriber(INPUT)
    @ez.publisher(OUTPUT)
    async def relay(self, message):
        yield self.OUTPUT, message

class Sink(ez.Unit):
    INPUT = ez.InputStream(np.ndarray)
    RAW = ez.InputStream(np.ndarray)
    seen, kept = (), 0

    @ez.subscriber(INPUT)
    async def sink(self, message):
        self.seen = (*self.seen, int(message.min()), int(message.max()))
        if len(self.seen) == 100:
            print([number for number in self.seen[::2]] == [number for number in self.seen[1::2]] == [*range(50)])
            self.end_if_done()

    @ez.subscriber(RAW)
    async def keep(self, message):
        self.last, self.kept = message, self.kept + 1
        self.end_if_done()

    def end_if_done(self):
        if len(self.seen) == 100 and self.kept == 50:
            raise ez.NormalTermination

if __name__ == "__main__":
    # Two sources: what one unit hands on, the others that share its message are not asked whether they keep it.
    source, other, relay, sink = Source(), Source(), Relay(), Sink()
    ez.run(
        components={"SOURCE": source, "OTHER": other, "RELAY": relay, "SINK": sink},
        connections=[(source.OUTPUT, relay.INPUT), (relay.OUTPUT, sink.INPUT), (other.OUTPUT, sink.RAW)],
        process_components=(APART),
    )
"""


@pytest.mark.parametrize("apart", ["source, other", "relay, sink"])
def test_units_are_named_and_may_hand_on_what_they_get(
    portable_environment: dict[str, str], tmp_path: Path, apart: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(RUN.replace("APART", apart), encoding="utf-8")
    environment = portable_environment | {"EZMSG_PORTABLE": "0", "EZMSG_DEBUG_VIEWS": "1"}
    run = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=HANG, check=False
    )
    assert (run.returncode, run.stdout.strip()) == (0, "True"), run.stderr
    (sentence,) = [line for line in run.stderr.splitlines() if "was kept" in line]
    assert "message of SINK/RAW, received by a function of its unit" in sentence
    assert "attribute 'last' of Sink" in sentence


async def test_without_the_variable_nothing_is_watched(world: Any) -> None:
    assert type((await world.subscriber()).subscriber.recv_zero_copy()) is Loan
