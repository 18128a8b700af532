"""Large messages that are pickled: what is copied, and how often; and whose the memory is that they arrive in."""

import pickle
from typing import Any

import numpy as np
import pytest

from ezmsg.core.channels.whole import WholeLease
from ezmsg.core.messages import pickles
from ezmsg.core.messages.codec import Codec
from ezmsg.core.messages.payload import BuffersPayload
from ezmsg.core.transports.tcp import WHOLE_BYTES, TcpChannel, kept

CODEC = Codec()
LARGE = 3 * WHOLE_BYTES


def whole(value: object) -> bytes:
    payload = CODEC.encode(value)
    memory = bytearray(payload.size)
    payload.write(memoryview(memory), 0)
    return bytes(memory)


def test_bytes_are_not_copied_when_they_are_pickled() -> None:
    data = bytes(LARGE)
    parts, buffers = pickles.dumps({"a": 1, "data": data})
    assert any(part is data for part in parts)
    assert not buffers
    assert pickle.loads(b"".join(parts)) == {"a": 1, "data": data}


@pytest.mark.parametrize(
    "value",
    [
        ("x", bytes(LARGE), "y", b"z" * 70_000),
        ("x", bytearray(LARGE), "y"),
        {"text": "a" * LARGE, "more": "ä" * LARGE},
        ["x", np.arange(LARGE // 8), np.ones(3, np.uint8), bytes(LARGE), np.ones(5)],
        list(range(400_000)),
        bytes(LARGE),
    ],
    ids=["bytes", "bytearray", "texts", "arrays", "numbers", "bytes alone"],
)
def test_parts_are_what_lies_in_a_slot(value: object) -> None:
    payload = CODEC.encode(value)
    assert b"".join(kept(payload)) == whole(value)
    assert isinstance(payload, BuffersPayload)
    assert len(b"".join(payload.pieces())) == payload.size


def test_what_may_change_is_copied_and_what_cannot_is_not() -> None:
    data, changing, array = bytes(LARGE), bytearray(LARGE), np.zeros(LARGE, np.uint8)
    body = kept(CODEC.encode([data, changing, array]))
    before = b"".join(body)
    assert any(part is data for part in body)
    changing[:] = b"1" * LARGE
    array[:] = 1
    assert b"".join(body) == before


def test_a_small_message_is_one_part() -> None:
    assert len(kept(CODEC.encode({"a": 1}))) == 1
    assert len(kept(CODEC.encode(np.zeros(LARGE, np.uint8)))) == 1


# --- whose the memory is ---


def lease(value: object, holders: int = 1) -> tuple[WholeLease, memoryview]:
    memory = memoryview(bytearray(whole(value)))
    channel: Any = object.__new__(TcpChannel)
    channel.codec, channel.forms = CODEC, {}
    made = WholeLease(0, 0, memory, channel)
    made.holders = holders
    return made, memory


def lies_in(array: np.ndarray[Any, Any], memory: memoryview) -> bool:
    return np.shares_memory(array, np.frombuffer(memory, np.uint8))


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_one_subscriber_gets_the_memory_itself(alone: bool, read_only: bool) -> None:
    array = np.arange(1000.0)
    array.flags.writeable = not read_only
    made, memory = lease(array if alone else {"a": array})
    got = made.private()
    found = got if alone else got["a"]
    assert lies_in(found, memory) == (alone or not read_only)
    found[0] = 7.0
    assert found[1] == 1.0


@pytest.mark.parametrize(
    "look", [lambda made: made.view(), lambda made: made.guarded(), lambda made: made.detached()]
)
def test_memory_that_somebody_has_seen_is_nobodys_own(look: Any) -> None:
    made, memory = lease({"a": np.arange(1000.0)})
    look(made)
    got = made.private()["a"]
    assert not lies_in(got, memory)
    got[0] = 7.0


def test_memory_that_several_hear_is_nobodys_own() -> None:
    made, memory = lease({"a": np.arange(1000.0)}, holders=2)
    first = made.private()["a"]
    made.holders = 1
    second = made.private()["a"]
    assert not lies_in(first, memory)
    assert not lies_in(second, memory)
    first[0] = second[1] = 7.0
    assert (first[1], second[0]) == (1.0, 0.0)
