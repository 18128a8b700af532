"""A verb that is interrupted at any moment ends without a word."""

import asyncio
import gc
import signal

import pytest

from ezmsg.control.cli.asking import ask
from ezmsg.protocol.addresses import Address


def test_an_interrupt_while_the_event_loop_is_made_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = asyncio.new_event_loop, []

    def interrupted() -> asyncio.AbstractEventLoop:
        signal.raise_signal(signal.SIGINT)
        made.append(make())
        return made[-1]

    async def never(*_: object) -> None:
        raise AssertionError("nothing is asked any more")

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ask(never, Address("127.0.0.1", 1), 1.0)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    gc.collect()  # what was never awaited, or closed, would say so now
    assert len(made) == 1
    assert made[0].is_closed()
