"""The page of metrics over real sockets: what it asks, what it says, and whom bad requests harm (nobody)."""

import asyncio
import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import uvloop
from tests.graphserver.conftest import DEADLINE_S, RawClient
from tests.graphserver.metrics.test_open_metrics import Samples, one_process, parse

from ezmsg.graphserver.embedded import GraphServer
from ezmsg.graphserver.metrics import page as metrics_page
from ezmsg.graphserver.metrics.page import MetricsPage
from ezmsg.graphserver.metrics.scraping import Scraping
from ezmsg.graphserver.sockets.binding import bind
from ezmsg.protocol.addresses import Address
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.requests import HandleRequest, Responded, RouteRequest
from ezmsg.protocol.messages.sessions import Connect
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlResponse,
    ProcessRegistration,
)
from ezmsg.protocol.wire import connection as protocol
from ezmsg.protocol.wire.codec import encode

GET = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"
ANY_PORT = "127.0.0.1:0"


class Process(threading.Thread):
    """A process that is registered and answers with ``payload`` until its connection is closed."""

    def __init__(self, client: RawClient, unit: str, payload: bytes | None) -> None:
        super().__init__()
        self.id, self.payload = uuid4(), payload
        self.client = client
        self.asked: list[HandleRequest] = []
        client.acknowledge = False
        client.ask(RegisterProcess(self.id, ProcessRegistration(17, "lab", [unit])))
        self._take_events = client.connection.events_received
        client.connection.events_received = self._answering  # type: ignore[method-assign]
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            self.client.pump_until(lambda: False)

    def _answering(self) -> list[protocol.Event]:
        events = self._take_events()
        for event in events:
            if isinstance(event, protocol.RequestReceived):
                self.asked.append(event.body)
                request = event.body.request
                if self.payload is not None:
                    response = ProcessControlResponse(request.request_id, True, self.payload)
                    self.client.connection.reply(event.id, Responded(response))
        return events

    def stop(self) -> None:
        self.client.sock.shutdown(socket.SHUT_RDWR)
        self.join(DEADLINE_S)
        self.client.close()


@pytest.fixture
def spawned(spawn: Any, announced: Any, raw: Any) -> Iterator[Any]:
    """A server as a user starts it, the address of its page, and a function that makes processes."""
    server = spawn("--address", ANY_PORT, "--metrics", ANY_PORT)
    address = server.wait_ready()
    (said,) = [line for line in server.lines if "/metrics" in line]
    page = Address.from_string(said.rsplit("http://", 1)[1].split("/")[0])
    made: list[Any] = []

    def make(unit: str, payload: bytes | None) -> Process:
        made.append(Process(raw(address, announced(address.port).token).open(), unit, payload))
        return made[-1]

    def friend() -> RawClient:
        return raw(address, announced(address.port).token).open()

    yield page, make, friend
    for process in made:
        process.stop()


def fetch(page: Address, request: bytes = GET) -> tuple[int, dict[str, str], str]:
    with socket.create_connection(page, timeout=DEADLINE_S) as sock:
        sock.sendall(request)
        return read(sock)


def read(sock: socket.socket) -> tuple[int, dict[str, str], str]:
    data = b""
    while more := sock.recv(1 << 16):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert int(headers["Content-Length"]) == len(body)
    return int(status.split()[1]), headers, body.decode()


def up(samples: Samples) -> dict[str, float]:
    told = {labels: value for (name, labels), value in samples.items() if name == "ezmsg_process_up"}
    return {dict(labels)["process"]: value for labels, value in told.items()}


def test_processes_are_asked_when_somebody_reads(spawned: Any) -> None:
    page, make, friend = spawned
    one, two = make("A", encode(one_process())), make("B", encode(one_process()))
    client = friend()
    client.ask(Connect("A", "B"))
    assert one.asked == two.asked == [], "somebody was asked though nobody read"
    status, headers, text = fetch(page)
    client.close()
    assert (status, headers["Content-Type"]) == (
        200,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    )
    samples = parse(text)
    assert up(samples) == {str(one.id): 1, str(two.id): 1}
    assert samples["ezmsg_server_edges", ()] == 1
    assert samples["ezmsg_server_clients", ()] == 3
    for process in (one, two):
        labels = {"process": str(process.id), "topic": "A/OUT", "endpoint": "A/OUT:1"}
        assert samples["ezmsg_published_messages_total", tuple(sorted(labels.items()))] == 10
        (asked,) = process.asked
        assert asked.request.operation is ProcessControlOperation.GET_PROFILING_SNAPSHOT
        assert (asked.process_id, asked.request.unit_address) == (process.id, "A" if process is one else "B")


def test_who_does_not_answer_is_named(spawned: Any) -> None:
    page, make, _ = spawned
    good, silent, mad = make("A", encode(one_process())), make("B", None), make("C", b"nonsense")
    status, _, text = fetch(page)
    assert status == 200
    assert up(parse(text)) == {str(good.id): 1, str(silent.id): 0, str(mad.id): 0}


def test_answers_that_come_too_late_are_counted(spawned: Any) -> None:
    page, _, friend = spawned
    process, caller = friend(), friend()
    process.acknowledge = False
    process.ask(RegisterProcess(uuid4(), ProcessRegistration(17, "lab", ["U"])))
    assert caller.ask(RouteRequest("U", "ANY", 0.05)).response.error_code is ProcessControlErrorCode.TIMEOUT
    process.pump_until(lambda: process.calls)
    late = ProcessControlResponse(process.calls[0].request.request_id, True)
    process.connection.reply(1, Responded(late))
    process.flush()
    process.close()  # what it said until then counts
    caller.close()
    end = time.monotonic() + DEADLINE_S
    while parse(fetch(page)[2])["ezmsg_server_late_replies_total", ()] != 1:
        assert time.monotonic() < end


def test_without_processes_there_is_a_page(spawned: Any) -> None:
    page, *_ = spawned
    status, _, text = fetch(page, b"GET /metrics?name[]=x HTTP/1.0\r\n\r\n")
    assert status == 200
    assert parse(text)["ezmsg_server_processes", ()] == 0


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 404, "nothing here but /metrics"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405, "can be read with GET"),
        (b"DELETE /metrics HTTP/1.1\r\n\r\n", 405, "can be read with GET"),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400, "no HTTP request"),
        (b"GET /metrics\r\n\r\n", 400, "no HTTP request"),
        (b"GET /metrics SPDY/3\r\n\r\n", 400, "HTTP/1.1 only"),
        (b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 10_000 + b"\r\n", 400, "8192 bytes"),
        (b"G" * 20_000, 400, "8192 bytes"),
    ],
)
def test_a_request_for_something_else_is_told_so(spawned: Any, request_: bytes, status: int, said: str) -> None:
    page, *_ = spawned
    got, headers, text = fetch(page, request_)
    assert got == status
    assert said in text
    assert headers.get("Allow") == ("GET" if status == 405 else None)


def test_half_a_request_is_told_so(spawned: Any) -> None:
    page, *_ = spawned
    with socket.create_connection(page, timeout=DEADLINE_S) as sock:
        sock.sendall(b"GET /metr")
        sock.shutdown(socket.SHUT_WR)
        status, _, text = read(sock)
    assert (status, text) == (400, "The request ended before its empty line.\n")


def test_slow_and_silent_clients_harm_nobody(spawned: Any) -> None:
    page, _, friend = spawned
    slow = [socket.create_connection(page, timeout=DEADLINE_S) for _ in range(metrics_page.READERS_LIMIT)]
    try:
        for sock in slow:
            sock.sendall(b"GET /met")
        assert fetch(page)[0] == 200  # in the place of the one that has been silent for longest
        assert slow[0].recv(1) == b""
        client = friend()
        client.ask(Connect("A", "B"))  # the graph goes on
        client.close()
        for sock in slow[1:]:
            assert read(sock)[0] == 400
    finally:
        for sock in slow:
            sock.close()
    end = time.monotonic() + DEADLINE_S
    while fetch(page)[0] != 200:  # until the server has seen that they are gone
        assert time.monotonic() < end


def test_a_reader_who_goes_away_takes_the_page_from_nobody(spawned: Any) -> None:
    page, make, _ = spawned
    make("A", None)
    with socket.create_connection(page, timeout=DEADLINE_S) as staying:
        with socket.create_connection(page, timeout=DEADLINE_S) as leaving:
            leaving.sendall(GET)
            staying.sendall(GET)
        assert read(staying)[0] == 200


class Waiting(Scraping):
    """Has its page when it is told to."""

    def __init__(self) -> None:
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def page(self) -> str:
        self.asked.set()
        await self.go_on.wait()
        return "# EOF\n"

    async def close(self) -> None: ...


class Watched(MetricsPage):
    """Keeps what its last reader has sent."""

    sent: asyncio.StreamReader

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.sent = reader
        super()._connected(reader, writer)

    async def wait_gone(self) -> None:
        """Wait until the loop has seen that the reader went, in one way or the other."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.sent.at_eof() and self.sent.exception() is None:  # noqa: ASYNC110  no event says so
                await asyncio.sleep(0)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("cut_off", [False, True])
def test_a_reader_who_goes_away_before_the_page_is_made_is_no_fault_of_ours(
    loop: Any, cut_off: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        scraping = Waiting()
        page = Watched(bind(Address("127.0.0.1", 0)), scraping, lambda _: None)
        page.start()
        with socket.create_connection(page.address) as client:
            client.sendall(GET)
            async with asyncio.timeout(DEADLINE_S):
                await scraping.asked.wait()
            if cut_off:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        (reader,) = page._readers
        await page.wait_gone()
        scraping.go_on.set()
        async with asyncio.timeout(DEADLINE_S):
            await asyncio.wait([reader])
        await page.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_it_ends_while_somebody_reads(spawn: Any, announced: Any, raw: Any) -> None:
    server = spawn("--address", ANY_PORT, "--metrics", ANY_PORT)
    server.wait_ready()
    (said,) = [line for line in server.lines if "/metrics" in line]
    page = Address.from_string(said.rsplit("http://", 1)[1].split("/")[0])
    with socket.create_connection(page, timeout=DEADLINE_S) as sock:
        sock.sendall(b"GET")
        server.process.terminate()
        status, log = server.wait()
        assert (status, "Traceback" in log) == (0, False)
        assert select.select([sock], [], [], DEADLINE_S)[0]


def test_a_taken_port_is_a_sentence(spawn: Any, server: GraphServer) -> None:
    status, log = spawn("--address", ANY_PORT, "--metrics", str(server.address)).wait()
    assert (status, "Traceback" in log) == (1, False)
    assert "EZ-3004  Cannot listen on" in log


def test_beyond_loopback_it_must_be_meant(spawn: Any) -> None:
    for environ in ({}, {"EZMSG_TOKEN": "secret"}):
        status, log = spawn("--address", ANY_PORT, "--metrics", "0.0.0.0:0", environ=environ).wait()
        assert (status, "Traceback" in log) == (1, False)
        assert "EZ-3012  Whoever can reach 0.0.0.0:0 from another machine" in log
    server = spawn("--address", ANY_PORT, "--metrics", "0.0.0.0:0", "--insecure")
    server.wait_ready()
    assert any("Everybody who can reach" in line for line in server.lines)
