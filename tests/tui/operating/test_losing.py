"""What the application does without a server: none there, a wrong token, one that goes and comes back, a jump."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.tui.conftest import screen_text, until

from ezmsg.control import ControlConnection, Session
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.addresses import Address
from ezmsg.tui.app import TopApp
from ezmsg.tui.model.intents import Connect, DropSession, Ping
from ezmsg.tui.model.view import Link
from ezmsg.tui.operating import feed

HANG = 30.0


def free_address() -> Address:
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    address = Address(*server.address)
    server.stop()
    return address


async def test_without_a_server_it_waits_says_how_to_start_one_and_finds_it() -> None:
    address = free_address()
    app = TopApp(str(address))
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: bool(app.shown.contact.reason), "none is there")
        assert app.shown.contact.link is Link.WAITING
        await until(pilot, lambda: "ezmsg demo" in screen_text(app), "it is said how to start one")
        outcome = await app.perform(Connect("A", "B"))
        assert not outcome.ok
        server = GraphServer()
        server.start(address)
        try:
            await until(pilot, lambda: app.shown.is_live, "it is found")
            await until(pilot, lambda: "has no units yet" in screen_text(app), "it is said that it is empty")
        finally:
            await asyncio.to_thread(server.stop)


async def test_a_wrong_token_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    monkeypatch.setenv("EZMSG_TOKEN", "guessed")
    app = TopApp(str(Address(*server.address)))
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: app.shown.contact.link is Link.REFUSED, "it is not let in")
            await until(pilot, lambda: "another token" in screen_text(app), "it is said why")
            assert "EZMSG_TOKEN_FILE" in screen_text(app)
    finally:
        await asyncio.to_thread(server.stop)


async def test_a_server_that_goes_leaves_its_picture_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "RETRY_S", 0.3)
    server = GraphServer()
    server.start(("127.0.0.1", 0))
    address = Address(*server.address)
    app = TopApp(str(address))
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        connection = await ControlConnection.open(address)
        try:
            session = Session(connection)
            await session.open()
            await session.connect("A", "B")
            await until(pilot, lambda: ("A", "B") in app.shown.picture.edges, "its edge is seen")
            await asyncio.to_thread(server.stop)
            await until(pilot, lambda: app.shown.contact.link is Link.LOST, "it is missed")
            await until(pilot, lambda: "is the last that was seen" in screen_text(app), "it is said")
            assert ("A", "B") in app.shown.picture.edges
            assert app.screen.has_class("-stale")
            for intent in (Connect("C", "D"), DropSession(session.id), Ping("A")):
                outcome = await app.perform(intent)
                assert "while the graph server is gone" in outcome.text
            await until(pilot, lambda: app.shown.contact.attempts > 1, "it is tried again")
            server = GraphServer()
            server.start(address)
            await until(pilot, lambda: app.shown.is_live, "it is back")
            await until(pilot, lambda: ("A", "B") in app.shown.picture.edges, "its edge is said again")
            assert app.shown.restarts == 1
            assert not app.screen.has_class("-stale")
            assert any("began anew" in each.text for each in app.shown.journal)
        finally:
            await connection.close()
            await asyncio.to_thread(server.stop)


async def test_a_graph_that_begins_anew_elsewhere_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `ez.run()` takes another port each time."""
    monkeypatch.setattr(feed, "RETRY_S", 0.3)
    first = GraphServer()
    first.start(("127.0.0.1", 0))
    app = TopApp(None)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(pilot, lambda: app.shown.is_live, "the first is found")
        await asyncio.to_thread(first.stop)
        second = GraphServer()
        second.start(("127.0.0.1", 0))
        try:
            await until(
                pilot,
                lambda: app.shown.is_live and app.shown.contact.server == str(Address(*second.address)),
                "the second is found",
            )
        finally:
            await asyncio.to_thread(second.stop)


async def test_of_several_graphs_it_is_asked_which_is_meant() -> None:
    servers = [GraphServer(), GraphServer()]
    for server in servers:
        server.start(("127.0.0.1", 0))
    app = TopApp(None)
    try:
        async with app.run_test(size=(100, 30)) as pilot:
            await until(pilot, lambda: "nobody said which one is meant" in screen_text(app), "it is asked")
            assert "--address" in screen_text(app)
    finally:
        for server in servers:
            await asyncio.to_thread(server.stop)


async def test_a_mistake_of_ours_is_a_sentence_and_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    app = TopApp(str(free_address()))

    def fail(*_: Any) -> None:
        raise KeyError("a mistake")

    async def meet_it() -> None:
        async with app.run_test() as pilot:
            app.call_later(fail)
            await pilot.pause(0.2)

    with pytest.raises(KeyError):
        await meet_it()
    told = " ".join(capsys.readouterr().err.split())
    assert "top ends, because it met a mistake of its own: KeyError: 'a mistake'" in told
    (report,) = list(tmp_path.glob("ezmsg-top-*.txt"))  # noqa: ASYNC240  the application has ended
    assert "Traceback" in report.read_text(encoding="utf-8")
