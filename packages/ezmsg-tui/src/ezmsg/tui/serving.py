"""The application in a browser: textual-serve behind a gate. Needs the extra ``[web]``.

textual-serve starts a process of the application for everybody who connects, and asks nobody who they are. So it
listens on this machine's loopback only, and in front of it stands a gate: who opens the address with the token in
it gets a cookie; who has neither, or comes from another page or under another name of this machine, gets nothing.
"""

import asyncio
import secrets
import shlex
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus

from aiohttp import web
from textual_serve.server import Server

HOST = "127.0.0.1"
VISITORS_LIMIT = 8
"""So many may look at once, as each has a process of the application."""

_COOKIE = "ezmsg-top"
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Also keeps the page from asking another machine for a font.
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' data: ws:; frame-ancestors 'none'",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """Lets in who has the token, and nobody else.

    :param port: the port under which the page is known; requests under another name are refused, so that no page
        of the internet reaches it by giving its own name this machine's address.
    """

    def __init__(self, port: int, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(24)
        self._names = {f"{HOST}:{port}", f"localhost:{port}"}
        self._visitors = 0
        self.address = f"http://{HOST}:{port}/?token={self.token}"

    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, or refuse it. An aiohttp middleware."""
        if request.host not in self._names:
            return _refused("This page is known under 127.0.0.1 only.")
        if not self._is_from_here(request):
            return _refused("Another page may not ask this one.")
        offered = request.query.get("token")
        if offered is not None and request.path == "/":
            if not self._fits(offered):
                return _refused("The token in the address is not that of this run. Copy the address anew.")
            return self._welcome()
        if not self._fits(request.cookies.get(_COOKIE, "")):
            return _refused("Open the address that `ezmsg top --web` has printed, with its token.")
        if request.path == "/ws":
            return await self._visit(request, handler)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
        return response

    def _fits(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self.token.encode())

    def _is_from_here(self, request: web.Request) -> bool:
        """Whether it is not another page that has a browser ask: browsers say which page it was."""
        origin = request.headers.get("Origin")
        if origin is None:
            # Browsers say where a WebSocket is opened from; who does not say it is none, and needs a cookie.
            return request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin") or request.path == "/"
        return origin in {f"http://{name}" for name in self._names}

    def _welcome(self) -> web.Response:
        """Give the cookie, and take the token out of the address that the browser shows and remembers."""
        response = web.Response(status=HTTPStatus.SEE_OTHER, headers={"Location": self.address.partition("?")[0]})
        response.set_cookie(_COOKIE, self.token, httponly=True, samesite="Strict", path="/")
        response.headers.update(_HEADERS)
        return response

    async def _visit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._visitors >= VISITORS_LIMIT:
            return _refused(f"{VISITORS_LIMIT} look already. Close one of their pages.", 503)
        self._visitors += 1
        try:
            return await handler(request)
        finally:
            self._visitors -= 1


def _refused(text: str, status: int = 403) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=_HEADERS)


class _Quiet(Server):
    """Serves as textual-serve does, and leaves what is printed to us."""

    async def on_startup(self, app: web.Application) -> None:
        """Say nothing."""


def command_line(address: str | None) -> str:
    """Return what textual-serve has a shell run for each visitor."""
    words = [sys.executable, "-m", "ezmsg.tui", *(("--address", address) if address else ())]
    return shlex.join(words)


async def make_site(gate: Gate, port: int, address: str | None) -> web.Application:
    """Return the application that answers requests, behind the gate."""
    server = _Quiet(command_line(address), host=HOST, port=port, title="ezmsg top")
    site = await server._make_app()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.guard(request, handler)

    site.middlewares.append(guard)
    return site


def serve(port: int, address: str | None, say: Callable[[str], None], note: Callable[[str], None]) -> int:
    """Serve until Ctrl-C, and return an exit code; with port 0, on any free one.

    :param say: is given the address, :param note: what else there is to say.
    """
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        note(f"ezmsg: {HOST}:{port} cannot be listened at: {error.strerror}. Name another: ezmsg top --web 8123")
        return 1
    with listening:
        asyncio.run(_serve(listening, address, say, note))
    return 0


async def _serve(
    listening: socket.socket, address: str | None, say: Callable[[str], None], note: Callable[[str], None]
) -> None:
    port = listening.getsockname()[1]
    gate = Gate(port)
    runner = web.AppRunner(await make_site(gate, port, address), access_log=None, shutdown_timeout=3.0)
    await runner.setup()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows: Ctrl-C ends it there as it ends anything
            loop.add_signal_handler(number, stopped.set)
    try:
        await web.SockSite(runner, listening).start()
        say(gate.address)
        note("Open this address in a browser; whoever has it can change the graph. Ctrl-C ends it.")
        note(f"From another machine: ssh -L {port}:{HOST}:{port} {socket.gethostname()}")
        await stopped.wait()
    finally:
        await runner.cleanup()
