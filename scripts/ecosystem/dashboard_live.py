"""The dashboard on a live graph: its routes answer with real data, a filter is tuned, and events come.

Over HTTP and WebSocket, as the page in a browser asks. The last line is JSON.
"""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import websockets
from ezmsg.dashboard.server import start_dashboard_server
from ezmsg.sigproc.butterworthfilter import ButterworthFilter, ButterworthFilterSettings

import ezmsg.core as ez
from ezmsg.util.messages.axisarray import AxisArray

RATE_HZ, BLOCK, WAIT_S = 1000.0, 20, 30.0
ROOT, FILTER, SOURCE = "LAB", "LAB/FILTER", "LAB/SOURCE"


class Source(ez.Unit):
    """Sends two channels of a sine at the pace of a real device."""

    OUTPUT = ez.OutputStream(AxisArray)

    @ez.publisher(OUTPUT)
    async def play(self) -> AsyncIterator[tuple[Any, AxisArray]]:
        number = 0
        while True:
            seconds = (number * BLOCK + np.arange(BLOCK)) / RATE_HZ
            data = np.stack([np.sin(2 * np.pi * 10 * seconds), np.cos(2 * np.pi * 10 * seconds)], 1)
            axes = {"time": AxisArray.TimeAxis(fs=RATE_HZ, offset=float(seconds[0]))}
            yield self.OUTPUT, AxisArray(data.astype(np.float32), ["time", "ch"], axes, key="lab")
            number += 1
            await asyncio.sleep(BLOCK / RATE_HZ)


class Meter(ez.Unit):
    """Takes what comes."""

    INPUT = ez.InputStream(AxisArray)

    @ez.subscriber(INPUT)
    async def take(self, message: AxisArray) -> None:
        assert message.data.shape == (BLOCK, 2)


def free_port() -> int:
    """Return a port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def ask(port: int) -> dict[str, Any]:
    """Ask everything that the page does, and return what came."""
    found: dict[str, Any] = {}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S) as client:
        found["health"] = (await client.get("/api/health")).json().get("status")
        found["page"] = "<html" in (await client.get("/")).text.lower()
        snapshot = (await client.get("/api/snapshot")).json()
        text = json.dumps(snapshot)
        assert FILTER in text, text[:500]
        assert SOURCE in text, text[:500]
        settings = (await client.get("/api/settings")).json()
        assert FILTER in json.dumps(settings)
        found["bytes_of_snapshot"] = len(text)
        changed = await client.post(f"/api/settings/{FILTER}/field", json={"field_path": "cutoff", "value": 20.0})
        assert changed.status_code == 200, changed.text
        after = (await client.get("/api/settings")).text
        found["cutoff_is_changed"] = "20.0" in after
        wrong = await client.post(f"/api/settings/{FILTER}/field", json={"field_path": "no_such", "value": 1})
        found["refused_with"] = wrong.status_code
    found["events"] = await first_event(port)
    return found


async def first_event(port: int) -> str:
    """Return the kind of the first thing that the page is told."""
    async with asyncio.timeout(WAIT_S), websockets.connect(f"ws://127.0.0.1:{port}/ws/events") as line:
        return str(json.loads(await line.recv())["kind"])


def main() -> None:
    """Run a graph in two processes, and the dashboard beside it."""
    server = ez.GraphServer()
    server.start(("127.0.0.1", free_port()))
    source, meter = Source(), Meter()
    filtered = ButterworthFilter(ButterworthFilterSettings(order=4, coef_type="sos", axis="time", cutoff=40.0))
    runner = ez.GraphRunner(
        SOURCE=source,
        FILTER=filtered,
        METER=meter,
        root_name=ROOT,
        connections=((source.OUTPUT, filtered.INPUT_SIGNAL), (filtered.OUTPUT_SIGNAL, meter.INPUT)),
        process_components=(source,),
        graph_address=server.address,
    )
    runner.start()
    port = free_port()
    page = start_dashboard_server(graph_address=server.address, host="127.0.0.1", port=port, log_level="warning")
    began_s = time.monotonic()
    try:
        found = asyncio.run(ask(port))
    finally:
        page.stop()
        runner.stop()
        server.stop()
    print(json.dumps({**found, "seconds": round(time.monotonic() - began_s, 1)}), flush=True)


if __name__ == "__main__":
    main()
