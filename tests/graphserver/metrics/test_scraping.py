"""A scrape: the graph goes on while the page is made, and who reads all the time asks nobody all the time."""

import asyncio
import threading
from typing import Any
from uuid import UUID

import pytest

from ezmsg.graphserver.deciding.effects import Surveyed
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.graphserver.metrics import scraping
from ezmsg.graphserver.metrics.scraping import Scraping

HANG = 30.0


class Asked:
    """Surveys, and how many there were."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, timeout_s: float) -> Surveyed:
        self.count += 1
        return Surveyed(self.count, {}, {})


def scraping_of(asked: Asked) -> Scraping:
    return Scraping(Graph(UUID(int=9)).state, asked, lambda: 0)


async def test_the_loop_turns_while_the_page_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    turned = threading.Event()
    make = scraping.metrics_text

    def make_once_it_has_turned(*arguments: Any) -> str:
        assert turned.wait(HANG), "the page was made on the loop, which stood still"
        return make(*arguments)

    monkeypatch.setattr(scraping, "metrics_text", make_once_it_has_turned)
    page = asyncio.create_task(scraping_of(Asked()).page())
    asyncio.get_running_loop().call_later(0.01, turned.set)
    assert "# EOF" in await page


async def test_a_page_is_told_again_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked()
    pages = scraping_of(asked)
    monkeypatch.setattr(scraping, "KEPT_S", HANG)
    assert await pages.page() == await pages.page()
    assert asked.count == 1
    pages = scraping_of(asked)
    monkeypatch.setattr(scraping, "KEPT_S", 0.0)
    await pages.page()
    await pages.page()
    assert asked.count == 3
