"""One process of one measurement of the package under test, ours or the public one.

`measure.py` starts the roles: `server` holds the graph server, nothing else; `lead` takes the time and prints the
result; the others are those of `streams.py` and `control_plane.py`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import control_plane
import streams
from role import (
    Address,
    identity,
    on_end_of_input,
    parse,
    report,
    until_end_of_input,
    wait_for_end_of_input,
)

import ezmsg.core as ez


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name == "asyncio":
        return asyncio.new_event_loop
    import uvloop

    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def serve() -> None:
    server = ez.GraphServer()
    server.start(("127.0.0.1", free_port()))
    host, port = server.address
    report("ready", address=f"{host}:{port}")
    wait_for_end_of_input()
    on_end_of_input(lambda: None)  # the end has come: only the hard exit is left of it
    server.stop()


async def act(options: Any, address: Address) -> None:
    parameters, seconds = options.parameters, options.seconds
    if options.role not in ("lead", "follow"):
        await control_plane.follow(options.role, parameters, seconds, options.number, address)
        return
    async with ez.GraphContext(address) as context:
        if options.role == "follow":
            await streams.follow(context, parameters, seconds, options.number)
            return
        measured = control_plane.MEASURES.get(parameters["measure"], streams.lead)
        result = await measured(context, parameters, seconds)
        report("result", **identity(options.loop, "ezmsg-core", "ezmsg"), **result)


def main() -> None:
    options = parse(__doc__)
    if options.role == "server":
        serve()
        return
    host, _, port = options.address.rpartition(":")
    address = (host, int(port))
    if options.role == "host":
        control_plane.host(options.parameters, address)
        return
    with asyncio.Runner(loop_factory=loop_factory(options.loop)) as runner:
        runner.run(until_end_of_input(act(options, address), options.deadline))


if __name__ == "__main__":
    main()
