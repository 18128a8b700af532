"""Floods of exceptions: the first is told whole, the others are counted, and none is lost from the count."""

import asyncio
import logging
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezmsg.core.support import folding
from ezmsg.core.support.folding import Folding

TEXT = "Exception in Task: %s"


def one(kind: int) -> BaseException:
    try:
        if kind:
            raise ValueError("of one line")
        raise ValueError("of another line")
    except ValueError as error:
        return error


def counted(records: list[logging.LogRecord]) -> int:
    """Return how many exceptions the log speaks of."""
    whole = sum(record.exc_info is not None for record in records)
    more = (re.search(r"and (\d+) more", record.getMessage()) for record in records)
    return whole + sum(int(found[1]) for found in more if found)


@given(st.lists(st.tuples(st.sampled_from(["A:f", "A:g"]), st.integers(0, 1)), max_size=40))
def test_every_exception_is_in_the_count(errors: list[tuple[str, int]]) -> None:
    async def tell_all() -> list[logging.LogRecord]:
        records: list[logging.LogRecord] = []
        handler = logging.Handler()
        handler.emit = records.append  # type: ignore[method-assign]
        logging.getLogger("ezmsg").addHandler(handler)
        try:
            folded = Folding()
            for name, kind in errors:
                folded.tell(TEXT, name, one(kind))
            folded.finish()
        finally:
            logging.getLogger("ezmsg").removeHandler(handler)
        return records

    records = asyncio.run(tell_all())
    assert counted(records) == len(errors)
    assert len([record for record in records if record.exc_info]) == len(set(errors))


async def test_what_follows_is_told_after_the_interval_and_a_quiet_one_ends_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folding, "INTERVAL_S", 0.01)
    folded = Folding()
    for _ in range(538):
        folded.tell(TEXT, "A:f", one(0))
    async with asyncio.timeout(30):
        while "A:f: and 537 more like it" not in caplog.text:  # noqa: ASYNC110  a timer of the loop says it
            await asyncio.sleep(0.001)
        while folded._floods:  # noqa: ASYNC110  likewise
            await asyncio.sleep(0.001)
    folded.tell(TEXT, "A:f", one(0))
    assert len([record for record in caplog.records if record.exc_info]) == 2
    folded.finish()


async def test_the_number_of_kinds_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folding, "KINDS", 3)
    folded = Folding()
    for name in "ABCDA":
        folded.tell(TEXT, name, one(0))
        folded.tell(TEXT, name, one(0))
    assert len(folded._floods) == 3
    folded.finish()
    assert counted(caplog.records) == 10
