"""The dashboard on a live graph: its routes answer with real data, a filter is tuned, events and messages come.

Over HTTP and WebSocket, as the page in a browser asks; and with ``--browser`` in headless Chromium, where that is.
The last line is JSON.
"""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any

import httpx
import websockets
from ezmsg.dashboard.server import start_dashboard_server
from laboratory import BLOCK, FILTER, FILTERED, SOURCE, free_port, laboratory

WAIT_S = 60.0
EVENTS = "/ws/events"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


async def ask(port: int) -> dict[str, Any]:
    """Ask everything that the page does, and return what came."""
    found: dict[str, Any] = {}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client:
        found["health"] = (await client.get("/api/health")).json().get("status")
        found["page"] = "<html" in (await client.get("/")).text.lower()
        snapshot = (await client.get("/api/snapshot")).text
        settings = (await client.get("/api/settings")).text
        assert FILTER in snapshot, snapshot[:500]
        assert SOURCE in snapshot, snapshot[:500]
        assert FILTER in settings, settings[:500]
        changed = await client.post(f"/api/settings/{FILTER}/field", json={"field_path": "cutoff", "value": 20.0})
        assert changed.status_code == 200, changed.text
        wrong = await client.post(f"/api/settings/{FILTER}/field", json={"field_path": "no_such", "value": 1})
        found["refused_with"] = wrong.status_code
    found["events"] = await until(port, EVENTS, "settings.changed", cutoff_is(20))
    stream = f"/ws/stream?topic={FILTERED}&window=2"
    await until(port, stream, "stream.inspect", lambda event: event["data"]["shape"] == [BLOCK, 2])
    await until(port, stream, "stream.status", lambda event: event["data"]["message_count"] > 10)
    return found


async def until(port: int, path: str, kind: str, wanted: Callable[[Any], bool]) -> list[str]:
    """Return the kinds of what the page is told, up to one that is as ``wanted``."""
    kinds = set()
    async with asyncio.timeout(WAIT_S), websockets.connect(f"ws://127.0.0.1:{port}{path}") as line:
        while True:
            event = json.loads(await line.recv())
            kinds.add(event["kind"])
            if event["kind"] == kind and wanted(event):
                return sorted(kinds - {"profiling.trace", "system.heartbeat"})


def cutoff_is(value: int) -> Callable[[Any], bool]:
    """Return whether an event speaks of settings with this cutoff."""
    return lambda event: f'"cutoff": {value}' in json.dumps(event)


def look(port: int) -> dict[str, Any]:
    """Open the page in Chromium, find the graph and change a setting there."""
    if CHROMIUM is None:
        return {"browser": "left out: there is no Chromium here"}
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.set_default_timeout(1000 * WAIT_S)
            page.goto(f"http://127.0.0.1:{port}/")
            for unit in FILTER, SOURCE:
                page.wait_for_selector(f"[data-id='unit:{unit}']")
            page.wait_for_selector(f"[data-id='edge:{FILTERED}->LAB/METER/INPUT']", state="attached")
            field = page.locator("input[aria-label='cutoff']")
            if not field.count():
                page.get_by_text("FILTER", exact=True).first.click()
            field.fill("15")
            field.locator("xpath=..").get_by_role("button", name="Apply").click()
            page.get_by_text("Applied cutoff").wait_for()
            return {"browser": f"{page.locator('[data-id^=unit]').count()} units", "applied": True}
        finally:
            browser.close()


def main() -> None:
    """Run a graph in two processes, and the dashboard beside it."""
    began_s = time.monotonic()
    with laboratory() as server:
        port = free_port()
        site = start_dashboard_server(
            graph_address=server.address, host="127.0.0.1", port=port, log_level="warning"
        )
        try:
            found = asyncio.run(ask(port))
            if "--browser" in sys.argv:
                found |= look(port)
                if "applied" in found:
                    asyncio.run(until(port, EVENTS, "settings.changed", cutoff_is(15)))
        finally:
            site.stop()
    print(json.dumps({**found, "seconds": round(time.monotonic() - began_s, 1)}), flush=True)


if __name__ == "__main__":
    main()
