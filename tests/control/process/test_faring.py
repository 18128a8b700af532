"""How processes fare: whoever does not answer is said not to, and keeps nobody else's answer back."""

import asyncio
import os
from typing import Any
from uuid import uuid4

from ezmsg.control import ControlConnection, ProcessControlClient, take_snapshot
from ezmsg.control.process.faring import take_fares
from ezmsg.graphserver import GraphServer
from ezmsg.protocol.messages.processes import RegisterProcess
from ezmsg.protocol.messages.requests import HandleRequest
from ezmsg.protocol.model.process_control import ProcessRegistration


async def registered(server: GraphServer, pid: int, units: list[str]) -> ControlConnection:
    """A process that says who it is, and answers nothing."""
    process_id = uuid4()
    connection = await ControlConnection.open(server.address, client_id=process_id)
    await connection.request(RegisterProcess(process_id, ProcessRegistration(pid, "somewhere", units)))
    return connection


async def test_processes_are_asked_beside_each_other(server: GraphServer) -> None:
    asked = asyncio.Event()

    async def never(_: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    silent = await registered(server, 1, ["SILENT"])
    silent.answer(HandleRequest, never)
    others = [await registered(server, 2, ["REFUSES"]), await registered(server, 3, [])]
    process = ProcessControlClient(server.address)
    await process.register(["A", "B"])
    connection = await ControlConnection.open(server.address)

    processes = (await take_snapshot(connection)).processes.values()
    fares = await take_fares(connection, processes, 3.0)
    *three, good = sorted(fares, key=lambda fare: fare.units == ["A", "B"])
    assert asked.is_set()
    assert (good.pid, good.failure) == (os.getpid(), None)
    assert good.cpu is not None
    assert good.cpu >= 0.0
    assert good.memory_bytes
    assert None not in (good.ping_s, good.uptime_s, good.loop_lateness_s)
    assert [fare.pid for fare in three] == [1, 2, 3]
    failures = [str(fare.failure) for fare in three]
    assert "did not answer within 3 s" in failures[0]
    assert "did not answer with a response to this" in failures[1]
    assert failures[2] == "it owns no unit by which it could be asked"
    for each in (silent, *others, connection, process):
        await each.close()
