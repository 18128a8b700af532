"""``ezmsg top --web``: who gets in and who does not; and a person at a browser changes a setting."""

import asyncio
import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.tui.conftest import RunningLab

from ezmsg.control import ControlConnection, take_settings

EZMSG = str(Path(sys.executable).parent / "ezmsg")
HANG = 60.0
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = pytest.mark.timeout(180)


class Site:
    """The site of one run, and its address with the token."""

    def __init__(self, lab: RunningLab) -> None:
        self.process = subprocess.Popen(
            [EZMSG, "top", "--web", "0", "--address", str(lab.address)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ},
            start_new_session=True,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        parts = urlsplit(self.address)
        self.port = parts.port or 0
        self.token = parts.query.removeprefix("token=")

    def ask(self, path: str, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=HANG)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=named)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=HANG)
        assert "Traceback" not in said, said
        return self.process.returncode


@pytest.fixture
def site(lab: RunningLab) -> Iterator[Site]:
    made = Site(lab)
    yield made
    if made.process.poll() is None:
        made.end()


def test_who_has_the_token_gets_in_and_nobody_else(site: Site) -> None:
    cookie = f"ezmsg-top={site.token}"
    upgrade = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Version": "13",
        "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert site.ask("/").status == 403
    assert site.ask("/?token=guessed").status == 403
    assert site.ask("/static/js/textual.js").status == 403
    assert site.ask("/ws", **upgrade).status == 403
    assert site.ask("/", Cookie="ezmsg-top=guessed").status == 403

    welcome = site.ask(f"/?token={site.token}")
    assert (welcome.status, welcome.getheader("Location")) == (303, f"http://127.0.0.1:{site.port}/")
    given = welcome.getheader("Set-Cookie") or ""
    assert "HttpOnly" in given
    assert "SameSite=Strict" in given
    page = site.ask("/", Cookie=cookie)
    assert page.status == 200
    assert page.getheader("Referrer-Policy") == "no-referrer"
    assert page.getheader("Cache-Control") == "no-store"

    # With the cookie, but under another name, or from another page, as a browser would say it.
    assert site.ask("/", Cookie=cookie, Host="evil.example").status == 403
    assert site.ask("/", Cookie=cookie, Origin="http://evil.example").status == 403
    assert site.ask("/ws", Cookie=cookie, Origin="http://evil.example", **upgrade).status == 403
    assert site.ask("/ws", Cookie=cookie, Sec_Fetch_Site="cross-site", **upgrade).status == 403
    assert site.ask("/ws", Cookie=cookie, Origin=f"http://127.0.0.1:{site.port}", **upgrade).status == 101
    assert site.end() == 0


def test_it_listens_on_this_machine_only(site: Site) -> None:
    tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    listening = [row[1] for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == site.port]
    assert listening == [f"0100007F:{site.port:04X}"]


def test_a_port_that_is_taken_is_said(site: Site) -> None:
    done = subprocess.run(
        [EZMSG, "top", "--web", str(site.port)], capture_output=True, text=True, timeout=HANG, check=False
    )
    assert done.returncode == 1
    assert f"127.0.0.1:{site.port} cannot be listened at" in done.stderr
    assert done.stdout == ""


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_a_setting_is_changed_in_a_browser(lab: RunningLab, site: Site) -> None:
    from playwright.sync_api import sync_playwright

    async def look() -> int:
        connection = await ControlConnection.open(lab.address)
        try:
            return (await take_settings(connection)).values["LAB/SLOW"].revision
        finally:
            await connection.close()

    def revision() -> int:
        """In a thread of its own, as the browser's driver has an event loop in this one."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(look())).result(HANG)

    before = revision()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            page = browser.new_page(viewport={"width": 1100, "height": 640})
            page.goto(site.address, timeout=1000 * HANG)
            assert "token" not in page.url
            page.wait_for_selector("body.-first-byte", timeout=1000 * HANG)
            shown = "() => document.querySelector('.xterm-rows, .xterm-screen') !== null"
            page.wait_for_function(shown, timeout=1000 * HANG)
            page.mouse.click(500, 400)
            changed = before
            for _ in range(20):  # a browser does not tell when a key has been drawn
                for key in ("3", "/", *"slow", "Enter", "Enter", "ArrowRight", "Control+s", "y"):
                    page.keyboard.press(key)
                    page.wait_for_timeout(250)
                changed = revision()
                if changed > before:
                    break
                page.keyboard.press("Escape")
                page.wait_for_timeout(700)
                page.keyboard.press("Escape")
                page.wait_for_timeout(700)
            assert changed > before
        finally:
            browser.close()
    assert site.end() == 0
