"""The part that cannot be copied is found and named."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest

from ezmsg.core.support.copying import copied, uncopyable_part


@dataclass
class Message:
    items: Any = field(default_factory=list)


class Refuses:
    def __deepcopy__(self, memo: object) -> object:
        raise ZeroDivisionError


LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "path", "part"),
    [
        (LOCK, "", LOCK),
        (Message([1, {"a": (2, LOCK)}]), ".items[1]['a'][1]", LOCK),
        (Message(fine := Refuses()), ".items", fine),
    ],
)
def test_the_smallest_part_is_named(value: Any, path: str, part: Any) -> None:
    found = uncopyable_part(value)
    assert found[0] == path
    assert found[1] is part
    with pytest.raises((TypeError, ZeroDivisionError)) as caught:
        copied(value)
    assert caught.value.__notes__ == [
        f"{type(value).__qualname__}{path} cannot be copied, which is a {type(part).__qualname__}"
    ]


def test_what_can_be_copied_is() -> None:
    message = Message([1])
    again = copied(message)
    assert again == message
    assert again.items is not message.items
