"""What is most likely a mistake is said, once and in its place; what is not, is not."""

import logging
import re
from collections.abc import Iterable
from typing import Any

import pytest

from ezmsg.core.graph.collection import Collection
from ezmsg.core.graph.crawl import resolve_graph
from ezmsg.core.graph.decorators import publisher, subscriber
from ezmsg.core.graph.relays import InputRelay
from ezmsg.core.graph.streams import InputStream, InputTopic, OutputStream, OutputTopic
from ezmsg.core.graph.unit import Unit


class Source(Unit):
    OUTPUT = OutputStream(int)

    @publisher(OUTPUT)
    async def run(self) -> Any:
        yield self.OUTPUT, 1


class Through(Unit):
    INPUT = InputStream(int)
    INPUT_SETTINGS = InputStream(int)
    UNUSED = InputStream(int)
    OUTPUT = OutputStream(int)
    NEVER = OutputStream(int)

    @subscriber(INPUT)
    @publisher(OUTPUT)
    async def take(self, message: int) -> Any:
        yield self.OUTPUT, message

    @subscriber(INPUT_SETTINGS)
    async def on_settings(self, settings: int) -> None: ...


class Box(Collection):
    ENTRY = InputTopic(int)
    RELAY = InputRelay(int)
    EXIT = OutputTopic(int)
    INNER = Through()

    def network(self) -> Iterable[Any]:
        return (self.ENTRY, self.RELAY), (self.RELAY, self.INNER.INPUT), (self.INNER.OUTPUT, self.EXIT)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO, logger="ezmsg")

    def resolve(edges: Iterable[tuple[str, str]], **components: Any) -> list[tuple[str, str]]:
        caplog.clear()
        resolve_graph(components, connections=list(edges))
        return [(record.levelname, record.getMessage()) for record in caplog.records]

    return resolve


JOINED = [("A/OUTPUT", "B/INPUT"), ("B/OUTPUT", "C/INPUT"), ("C/OUTPUT", "OF ANOTHER PROGRAM")]


def graph() -> dict[str, Unit]:
    return {"A": Source(), "B": Through(), "C": Through()}


def test_nothing_is_said_of_a_graph_that_is_joined(said: Any) -> None:
    assert said(JOINED, **graph()) == []
    over = [("A/OUTPUT", "BOX/ENTRY"), ("BOX/EXIT", "C/INPUT"), ("C/OUTPUT", "X")]
    assert said(over, A=Source(), BOX=Box(), C=Through()) == []
    assert said([("A/OUTPUT", "MIDDLE"), ("MIDDLE", "B/INPUT"), ("B/OUTPUT", "X")], A=Source(), B=Through()) == []


@pytest.mark.parametrize(
    ("edge", "words"),
    [
        (("A/OUTPUT", "B/INPT"), "A/OUTPUT -> B/INPT carries nothing by itself: B/INPT is no .*Is B/INPUT meant"),
        (("A/OUT", "B/INPUT"), "A/OUT is no stream of this program. Is A/OUTPUT meant"),
        (("A/OUTPUT", "B/XYZ"), "B/XYZ is no stream of this program. Its streams are: INPUT, INPUT_S"),
        (("A", "B/INPUT"), "A is a component, and messages pass between its streams. Its streams are: OUTPUT"),
        (("a/OUTPUT", "B/INPUT"), "Is A/OUTPUT meant"),
        (("B/INPUT", "C/INPUT"), "leads out of an inlet: what comes to B/INPUT goes to C/INPUT as well"),
        (("A/OUTPUT", "C/OUTPUT"), "leads into an outlet: whoever hears C/OUTPUT hears A/OUTPUT as well"),
    ],
)
def test_an_edge_that_is_likely_a_mistake(said: Any, edge: tuple[str, str], words: str) -> None:
    told = said([*JOINED, edge, edge], **graph())
    assert [level for level, _ in told] == ["WARNING"], told
    assert re.search(words, told[0][1])


def test_settings_may_be_passed_on(said: Any) -> None:
    assert said([*JOINED, ("B/INPUT_SETTINGS", "C/INPUT_SETTINGS")], **graph()) == []


def test_what_is_connected_to_nothing(said: Any) -> None:
    assert said(JOINED[:1], **graph()) == [
        ("WARNING", "Connected to nothing in this program: C. Name it in connections or in network()."),
        ("INFO", "Nobody in this program hears B/OUTPUT."),
    ]
    assert said(JOINED[1:], **graph()) == [
        ("WARNING", "Connected to nothing in this program: A. Name it in connections or in network()."),
        ("INFO", "Nothing in this program leads to B/INPUT, so that nothing comes there."),
    ]
    inside = said([("BOX/EXIT", "C/INPUT"), ("C/OUTPUT", "X")], BOX=Box(), C=Through())
    assert inside == [("INFO", "Nothing in this program leads to BOX/INNER/INPUT, so that nothing comes there.")]


def test_a_program_of_one_unit_is_for_others(said: Any) -> None:
    assert said((), A=Source()) == [("INFO", "Nobody in this program hears A/OUTPUT.")]
