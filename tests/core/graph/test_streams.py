"""Declarations of streams, topics and relays: their defaults, their checks, their copies."""

from typing import Any

import pytest

from ezmsg.core.errors import InvalidOption
from ezmsg.core.graph.relays import InputRelay, OutputRelay, Relay
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic, Stream, Topic

QUEUE = {"leaky": False, "max_queue": None}
SENDING = {"host": None, "port": None, "num_buffers": 32, "buf_size": 65536}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Stream, {}),
        (InputStream, QUEUE),
        (
            OutputStream,
            SENDING
            | {"force_tcp": None, "allow_local": None, "strict_views": None, "max_block": 5.0, "transport": None},
        ),
        (Topic, {}),
        (InputTopic, {}),
        (OutputTopic, {}),
        (Relay, QUEUE | SENDING | {"force_tcp": False, "copy_on_forward": True}),
        (InputRelay, QUEUE | SENDING | {"force_tcp": False, "copy_on_forward": True}),
        (OutputRelay, QUEUE | SENDING | {"force_tcp": False, "copy_on_forward": True}),
    ],
)
def test_defaults_are_those_of_the_public_package(kind: type[Stream], options: dict[str, Any]) -> None:
    assert vars(kind(int)) == {"_name": None, "_location": None, "msg_type": int} | options


@pytest.mark.parametrize("kind", [InputStream, Relay, InputRelay])
@pytest.mark.parametrize("max_queue", [0, -1, 1.5, "many"])
def test_a_queue_that_holds_nothing_is_refused(kind: Any, max_queue: Any) -> None:
    with pytest.raises(InvalidOption, match=r"max_queue=.*whole number of at least 1") as caught:
        kind(int, leaky=True, max_queue=max_queue)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("kind", [OutputStream, Relay, OutputRelay])
@pytest.mark.parametrize("options", [{"num_buffers": 0}, {"buf_size": -1}, {"port": 65536}, {"port": "http"}])
def test_an_impossible_publisher_is_refused(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidOption, match=next(iter(options))):
        kind(int, **options)


def test_relays_are_topics_but_neither_inlets_nor_outlets() -> None:
    assert isinstance(InputRelay(int), Relay)
    assert isinstance(OutputRelay(int), Topic)
    assert not isinstance(InputRelay(int), InputTopic)


def test_a_declaration_takes_the_name_of_its_first_attribute() -> None:
    class Holder:
        FIRST = InputStream(int)
        SECOND = FIRST

    assert Holder.FIRST.name == Holder.SECOND.name == "FIRST"


def test_a_copy_has_its_own_name_and_no_place_yet() -> None:
    declaration = OutputStream(int, num_buffers=3)
    copy = declaration._bound("OUT")
    copy._set_location(["UNIT"])
    assert (copy.address, copy.num_buffers) == ("UNIT/OUT", 3)
    assert declaration._name is None
    assert copy._bound("OTHER")._location is None


def test_the_repr_tells_kind_place_and_type() -> None:
    assert repr(InputStream(Any)) == "<InputStream without a name of Any>"
    stream = InputStream(list[int])._bound("IN")
    assert repr(stream) == "<InputStream IN of list>"
    stream._set_location(["UNIT"])
    assert repr(stream) == "<InputStream UNIT/IN of list>"
