"""What the log of a server says of strangers: ten lines a minute of each address, and how many were left out."""

import signal
import socket
from typing import Any

import pytest

from ezmsg.graphserver.sockets.log_limiter import LINES_A_MINUTE
from ezmsg.protocol.wire import frames

KINDS = [
    frames.frame(b"no msgpack at all"),
    b"\xff" * 100,
    frames.frame(b"\x81\xa4type\xa1x"),
    frames.frame(b"\xc0"),
]
STRANGERS = 100


def knock(address: Any, host: str, data: bytes) -> None:
    with socket.create_connection(address, timeout=30, source_address=(host, 0)) as sock:
        sock.sendall(data)
        while sock.recv(1 << 16):
            pass


@pytest.mark.parametrize("hosts", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]], ids=["one address", "two addresses"])
def test_strangers_fill_no_log(spawn: Any, hosts: list[str]) -> None:
    server = spawn("--address", "127.0.0.1:0")
    address = server.wait_ready()
    for number in range(STRANGERS):
        for host in hosts:
            knock(address, host, KINDS[number % len(KINDS)])
    server.signal(signal.SIGTERM)
    status, log = server.wait()
    assert status == 0
    for host in hosts:
        lines = [
            line
            for line in log.splitlines()
            if f" {host}" in line and "ready at" not in line and "ended" not in line
        ]
        assert 1 < len(lines) <= LINES_A_MINUTE, log
        (left_out,) = [line for line in lines if "were left out" in line]
        assert f"{STRANGERS - (LINES_A_MINUTE - 1)} more lines on strangers at {host}" in left_out
