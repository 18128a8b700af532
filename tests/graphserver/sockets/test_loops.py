"""The loop that a server runs on."""

import asyncio
import sys

import pytest
import uvloop

from ezmsg.graphserver.sockets.loops import (
    new_event_loop,  # the function itself: tests of servers may put another one there
)


def made() -> type[asyncio.AbstractEventLoop]:
    loop = new_event_loop()
    loop.close()
    return type(loop)


def test_it_is_uvloops_where_there_is_one() -> None:
    assert made() is uvloop.Loop


def test_it_is_asyncios_where_there_is_none_that_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert issubclass(made(), asyncio.SelectorEventLoop)
