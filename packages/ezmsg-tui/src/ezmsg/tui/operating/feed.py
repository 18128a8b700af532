"""The feed: connects, follows events, asks for statistics at a period, comes back; all of it told as facts.

It subscribes to no topic and traces nothing. Every question has a deadline, and a server that is gone ends them
all: then another is looked for, as one that starts anew may listen elsewhere.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any
from uuid import UUID

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.connection.discovery import find_address
from ezmsg.control.errors import ProcessRequestFailed, SeveralServers, UnexpectedPayload
from ezmsg.control.graph.operations import take_snapshot
from ezmsg.control.graph.settings import take_settings
from ezmsg.control.graph.watching import follow_settings, follow_topology
from ezmsg.control.process.requests import ping, process_stats
from ezmsg.control.profiling.snapshots import profiling_snapshot, units_of_processes
from ezmsg.protocol.errors import (
    AuthenticationFailed,
    CertificateRefused,
    ConnectionLost,
    EzmsgError,
    ServerUnreachable,
    TlsNotSpoken,
    TlsRequired,
    TlsUnusable,
    UnreadableToken,
    VersionMismatch,
)
from ezmsg.protocol.messages.events import Gap, Reset
from ezmsg.protocol.model.profiling import ProcessProfilingSnapshot
from ezmsg.protocol.model.settings import SettingsChangedEvent
from ezmsg.protocol.model.topology import TopologyChangedEvent
from ezmsg.tui.model import facts
from ezmsg.tui.model.facts import Fact

CLIENT_NAME = "tui"

PERIOD_S = 1.0
"""How often processes are asked what they count and how they fare."""

DEADLINE_S = 2.0
"""How long the server, or a process, has for an answer."""

RETRY_S = 1.0
RETRY_REFUSED_S = 5.0
"""Seconds between two tries to reach a server; to reach one that does not let us in, which is no use soon."""

SETTLE_S = 0.1
"""How long changes of the graph are gathered before it is looked at again."""

HISTORY = 500
"""How many events of the time before are read, of each kind."""

Tell = Callable[[Fact], None]

_REFUSALS = (
    AuthenticationFailed,
    CertificateRefused,
    SeveralServers,
    TlsNotSpoken,
    TlsRequired,
    TlsUnusable,
    UnreadableToken,
    VersionMismatch,
)


class Feed:
    """Tells facts until it is cancelled; ``connection`` is there while the server is.

    :param address: where the server is; ``None`` looks for it, each time anew.
    """

    def __init__(self, tell: Tell, address: str | None = None, *, period_s: float = PERIOD_S) -> None:
        self.connection: ControlConnection | None = None
        self._tell = tell
        self._address = address
        self._period_s = period_s
        self._epoch: UUID | None = None
        self._topology_seq = 0
        self._settings_seq = 0
        self._dirty = asyncio.Event()
        self._units: dict[UUID, str] = {}

    async def run(self) -> None:
        """Tell what there is to tell, for as long as it is let."""
        while True:
            self._tick()
            try:
                connection = await self._open()
            except EzmsgError as error:
                await self._wait_for_server(error)
                continue
            try:
                await self._follow(connection)
            finally:
                self.connection = None
                await connection.close()

    # --- the server -----------------------------------------------------------------------------------------

    async def _open(self) -> ControlConnection:
        server = await asyncio.to_thread(find_address, self._address)
        return await ControlConnection.open(server, timeout=DEADLINE_S, name=CLIENT_NAME)

    async def _wait_for_server(self, error: EzmsgError) -> None:
        refused = isinstance(error, _REFUSALS)
        pause_s = RETRY_REFUSED_S if refused else RETRY_S
        reason = error.reason if isinstance(error, ServerUnreachable) else error.sentence()
        self._tell(facts.Absent(self._server(error), reason, time.monotonic() + pause_s, refused))
        until_s = time.monotonic() + pause_s
        while (left_s := until_s - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, 0.5))
            self._tick()

    def _server(self, error: EzmsgError) -> str:
        address = getattr(error, "address", None)
        return str(address or self._address or "this machine")

    async def _follow(self, connection: ControlConnection) -> None:
        """Tell everything of one server until it is gone."""
        gone: asyncio.Future[EzmsgError] = asyncio.get_running_loop().create_future()
        connection.on_lost(lambda error: None if gone.done() else gone.set_result(error))
        self.connection = connection
        self._tell(facts.Connected(str(connection.address), connection.epoch))
        if connection.epoch != self._epoch:
            self._epoch, self._topology_seq, self._settings_seq = connection.epoch, 0, 0
        tasks = [
            asyncio.create_task(work(connection))
            for work in (self._read_along, self._look_again, self._ask_now_and_then, self._keep_time)
        ]
        try:
            waited: list[asyncio.Future[Any]] = [gone, *tasks]
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        self.connection = None
        self._tell(facts.Lost(_reason(gone, results)))
        for result in results:
            if isinstance(result, BaseException) and _is_failure(result) and not _is_expected(result):
                raise result

    # --- what is told --------------------------------------------------------------------------------------

    async def _read_along(self, connection: ControlConnection) -> None:
        """Take both snapshots, then read all events from some time before them on."""
        snapshot = await take_snapshot(connection, DEADLINE_S)
        self._seen(snapshot)
        taken = await take_settings(connection, DEADLINE_S)
        self._tell(facts.SettingsSeen(taken))
        if not self._topology_seq:
            self._topology_seq = max(0, (snapshot.topology_seq or 0) - HISTORY)
        if not self._settings_seq:
            self._settings_seq = max(0, taken.seq - HISTORY)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_topology(connection))
            group.create_task(self._read_settings(connection))

    async def _read_topology(self, connection: ControlConnection) -> None:
        async with aclosing(follow_topology(connection, self._topology_seq, self._epoch)) as items:
            async for item in items:
                match item:
                    case TopologyChangedEvent():
                        self._topology_seq = item.seq
                        self._tell(facts.TopologyChanged(item))
                    case Gap(first, last):
                        self._topology_seq = last
                        self._tell(facts.Missed("topology", first, last))
                    case Reset(_, after_seq):
                        self._topology_seq = after_seq
                self._dirty.set()

    async def _read_settings(self, connection: ControlConnection) -> None:
        async with aclosing(follow_settings(connection, self._settings_seq, self._epoch)) as items:
            async for item in items:
                match item:
                    case SettingsChangedEvent():
                        self._settings_seq = item.seq
                        self._tell(facts.SettingsChanged(item))
                        continue
                    case Gap(first, last):
                        self._settings_seq = last
                        self._tell(facts.Missed("settings", first, last))
                    case Reset(_, after_seq):
                        self._settings_seq = after_seq
                self._tell(facts.SettingsSeen(await take_settings(connection, DEADLINE_S)))

    async def _look_again(self, connection: ControlConnection) -> None:
        """Look at the graph after it has changed; what changes meanwhile is seen with it."""
        while True:
            await self._dirty.wait()
            await asyncio.sleep(SETTLE_S)
            self._dirty.clear()
            self._seen(await take_snapshot(connection, DEADLINE_S))

    def _seen(self, snapshot: Any) -> None:
        self._units = units_of_processes(snapshot)
        self._tell(facts.GraphSeen(snapshot))

    async def _ask_now_and_then(self, connection: ControlConnection) -> None:
        """Ask all processes at once, none more often than the period says, however long one takes."""
        loop = asyncio.get_running_loop()
        asking: dict[UUID, asyncio.Task[tuple[facts.Answer, ProcessProfilingSnapshot | str]]] = {}
        rounds = 0
        try:
            while True:
                if not self._units:
                    await asyncio.sleep(SETTLE_S)
                    continue
                # The first two come soon, as a rate takes two counts.
                rounds += 1
                until = loop.time() + (self._period_s if rounds > 2 else self._period_s / 2)
                for process_id, unit in self._units.items():
                    if process_id not in asking:
                        asking[process_id] = loop.create_task(_ask(connection, process_id, unit))
                if asking:
                    await asyncio.wait(asking.values(), timeout=self._period_s / 2)
                done = {key: asking.pop(key).result() for key in [key for key in asking if asking[key].done()]}
                if done:
                    self._tell_answers(done)
                await asyncio.sleep(max(0.0, until - loop.time()))
        finally:
            for task in asking.values():
                task.cancel()
            await asyncio.gather(*asking.values(), return_exceptions=True)

    def _tell_answers(self, done: dict[UUID, tuple[facts.Answer, ProcessProfilingSnapshot | str]]) -> None:
        counted = tuple(each for _, each in done.values() if isinstance(each, ProcessProfilingSnapshot))
        missing = {process_id: each for process_id, (_, each) in done.items() if isinstance(each, str)}
        self._tell(facts.Fared(tuple(answer for answer, _ in done.values())))
        self._tell(facts.Counted(counted, missing))

    async def _keep_time(self, _: ControlConnection) -> None:
        while True:
            self._tick()
            await asyncio.sleep(min(1.0, self._period_s))

    def _tick(self) -> None:
        self._tell(facts.Ticked(time.monotonic(), time.time()))


async def _ask(
    connection: ControlConnection, process_id: UUID, unit: str
) -> tuple[facts.Answer, ProcessProfilingSnapshot | str]:
    """Ask one process how it fares and what it has counted; what goes wrong is a part of the answer."""
    began_s = time.perf_counter()
    try:
        await ping(connection, unit, DEADLINE_S)
        ping_s = time.perf_counter() - began_s
        stats = await process_stats(connection, unit, DEADLINE_S)
    except (ProcessRequestFailed, UnexpectedPayload) as error:
        return facts.Answer(process_id, failure=error.reason), error.reason
    answer = facts.Answer(process_id, stats, ping_s)
    try:
        return answer, await profiling_snapshot(connection, unit, DEADLINE_S)
    except (ProcessRequestFailed, UnexpectedPayload) as error:
        return answer, error.reason


def _reason(gone: "asyncio.Future[EzmsgError]", results: list[Any]) -> str:
    """Return why a server is taken for gone: what the connection said, else what one of the tasks met."""
    if gone.done():
        error: BaseException = gone.result()
    else:
        gone.cancel()
        error = next(filter(_is_failure, results), ConnectionLost(address="?", reason="it ended"))
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, str) else str(error)


def _is_expected(error: BaseException) -> bool:
    """Whether the server, or the line to it, is to blame, and not a mistake of ours."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_is_expected, error.exceptions))
    return isinstance(error, EzmsgError)


def _is_failure(result: object) -> bool:
    return isinstance(result, BaseException) and not isinstance(result, asyncio.CancelledError)
