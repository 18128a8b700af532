"""Makes the corpus: golden vectors, what clients say in a simulation, and a few messages of the data plane.

Run ``python -m tests.fuzz.recording`` when a message is new; a file's name says where it comes from.
"""

import struct
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from tests.fuzz.targets import decisions, handshake
from tests.simulation.plan import draw
from tests.simulation.world import run

from ezmsg.core.messages.codec import Codec
from ezmsg.core.transports import records
from ezmsg.graphserver.deciding.graph import Graph
from ezmsg.protocol.wire.auth import NONCE_SIZE
from ezmsg.protocol.wire.codec import encode
from ezmsg.protocol.wire.connection import Connection
from ezmsg.protocol.wire.frames import frame
from ezmsg.protocol.wire.handshake import ClientHandshake, ServerHandshake

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = Path(__file__).parents[1] / "protocol" / "golden"
SESSIONS = 6
RECORDED_LIMIT = 4000
OTHER_TOKEN = b"not the token of the target"


def main() -> None:
    """Write every file."""
    vectors = {path.stem: bytes.fromhex(path.read_text("ascii")) for path in sorted(GOLDEN.glob("*.hex"))}
    chosen = dict(list(vectors.items())[::4])
    _write("control_codec", chosen)
    _write(
        "frames", {"three": b"".join(map(frame, list(vectors.values())[:3])), "http": b"HTTP/1.1 400 Bad Request"}
    )
    _write("handshake", _handshakes())
    _write("decisions", {f"seed-{seed}": _session(seed) for seed in range(SESSIONS)})
    _write("data_records", _records(chosen))
    _write("data_codec", _payloads())
    _write("slots", {"real": struct.pack("<IQ", 4, 4096) + struct.pack("<IIQ", 1, 8, 1), "huge": b"\xff" * 28})
    steps = [(0, 100), (1, 18), (2, 1), (0, 32 * 1024), (3, 1), (0, 2**40), (1, 2**63)]
    _write("rings", {"grows": b"".join(struct.pack("<BQ", *step) for step in steps)})
    _write("profiling_ring", {"small": bytes([3, 9, 4, 21, 6, 8]), "large": bytes(range(200))})
    announced = b'{"address": "127.0.0.1:25978", "token": "t", "pid": 1, "start_time": 2.5, "units": ["A/B"]}'
    _write("plain_texts", {"page": b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "announcement": announced})


def _write(target: str, inputs: dict[str, bytes]) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in inputs.items():
        (folder / name).write_bytes(data)


def _handshakes() -> dict[str, bytes]:
    """Return what each side says when a connection opens by another token."""
    client = Connection(ClientHandshake(lambda: OTHER_TOKEN, handshake.THEIRS, handshake.EPOCH))
    server = Connection(ServerHandshake(OTHER_TOKEN, handshake.OURS, handshake.EPOCH))
    said: dict[str, bytes] = {"client": b"", "server": b""}
    for _ in range(3):
        ours = client.data_to_send()
        server.receive_data(ours)
        theirs = server.data_to_send()
        client.receive_data(theirs)
        said = {"client": said["client"] + ours, "server": said["server"] + theirs}
    return {**said, "noise": bytes(NONCE_SIZE)}


def _session(seed: int) -> bytes:
    """Return what clients ask and answer under one seed of the simulation."""
    recorded: list[bytes] = []
    asked, answered, left = Graph.request_received, Graph.reply_received, Graph.peer_left

    def ask(graph: Graph, peer: Any, request_id: int, body: Any, now: Any) -> Any:
        recorded.append(decisions.pack(peer, decisions.REQUEST, encode(body)))
        return asked(graph, peer, request_id, body, now)

    def answer(graph: Graph, peer: Any, call_id: int, body: Any, now: Any) -> Any:
        recorded.append(decisions.pack(peer, decisions.ANSWER, encode(body)))
        return answered(graph, peer, call_id, body, now)

    def leave(graph: Graph, peer: Any, now: Any, *, lost: bool = False) -> Any:
        recorded.append(decisions.pack(peer, decisions.LEAVE))
        return left(graph, peer, now, lost=lost)

    with (
        patch.object(Graph, "request_received", ask),
        patch.object(Graph, "reply_received", answer),
        patch.object(Graph, "peer_left", leave),
    ):
        run(seed, draw(seed, 8))
    taken = b""
    for record in recorded:
        if len(taken) + len(record) <= RECORDED_LIMIT:
            taken += record
    return taken


def _records(vectors: dict[str, bytes]) -> dict[str, bytes]:
    control = next(body for name, body in vectors.items() if name.startswith("channel."))
    slots = records.pack_slots([1, 2, 3])
    return {
        "control": records.pack(records.CONTROL, 1, size=len(control)) + control,
        "notice": records.pack(records.NOTICE, 1, 2, 3, 4, 5),
        "notices": records.pack(records.NOTICES, 1, 2, 3, 8, len(slots)) + slots,
        "data": records.pack(records.DATA, 1, 2, 0, 1, 5000) + bytes(5000),
        "releases": records.pack(records.RELEASES, 1, size=len(slots)) + slots,
    }


def _payloads() -> dict[str, bytes]:
    codec = Codec()
    values = {
        "array": np.arange(6, dtype=np.float32).reshape(2, 3),
        "columns": np.asfortranarray(np.ones((2, 2))),
        "empty": np.zeros((0, 3)),
        "bytes": b"some bytes",
        "pickled": {"a": 1},
    }
    payloads = {}
    for name, value in values.items():
        payload = codec.encode(value)
        memory = bytearray(payload.size)
        payload.write(memoryview(memory), 0)
        payloads[name] = bytes(memory)
    return payloads


if __name__ == "__main__":
    main()
