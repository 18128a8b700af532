"""Performs what a screen wants done, through the feed's connection; what came of it is an outcome, not an error."""

import asyncio
import time
from pathlib import Path
from typing import Any

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.errors import SettingsCoercionError
from ezmsg.control.graph.edges import change_edge, connect_request, disconnect_request
from ezmsg.control.graph.operations import drop_session
from ezmsg.control.graph.settings import update_fields
from ezmsg.control.process.requests import ping, process_stacks
from ezmsg.control.profiling.blame import measure_blame
from ezmsg.control.profiling.trace_recording import record_traces
from ezmsg.control.rendering.quantities import counted
from ezmsg.control.rendering.settings import differences
from ezmsg.control.rendering.topics import unknown
from ezmsg.protocol.errors import EzmsgError
from ezmsg.tui.model import facts
from ezmsg.tui.model.intents import (
    ChangeSettings,
    Connect,
    Disconnect,
    DropSession,
    Intent,
    MeasureBlame,
    Outcome,
    Ping,
    StopTrace,
    TakeStacks,
    Trace,
    Write,
)
from ezmsg.tui.model.view import View
from ezmsg.tui.operating.feed import Feed, Tell

DEADLINE_S = 5.0
CHANGE_LIMIT_S = 15.0
"""How long a change of settings may take: a unit that is too slow takes it when it has a moment."""

TRACE_LIMIT_S = 30.0
"""No trace of this application lasts longer."""


class Operator:
    """Has intents done, side by side."""

    def __init__(self, feed: Feed, tell: Tell) -> None:
        self._feed = feed
        self._tell = tell
        self._stop_trace: asyncio.Event | None = None

    async def perform(self, intent: Intent, view: View) -> Outcome:
        """Do it, and tell everybody that something was done, or refused."""
        try:
            outcome = await self._perform(intent, view)
        except SettingsCoercionError as error:
            outcome = Outcome(False, error.sentence(), path=getattr(error, "path", None))
        except EzmsgError as error:
            outcome = Outcome(False, error.sentence())
        except OSError as error:
            outcome = Outcome(False, f"It could not be done: {error.strerror or error}.")
        if not isinstance(intent, Ping | TakeStacks | StopTrace) or not outcome.ok:
            self._tell(facts.Done(outcome.text, outcome.ok))
        return outcome

    async def _perform(self, intent: Intent, view: View) -> Outcome:
        if isinstance(intent, Write):
            path = await asyncio.to_thread(_write, intent)
            return Outcome(True, f"{path} is written", path)
        if isinstance(intent, StopTrace):
            if self._stop_trace is not None:
                self._stop_trace.set()
            return Outcome(True, "the trace ends")
        connection = self._feed.connection
        if connection is None:
            return Outcome(False, "Nothing can be done while the graph server is gone. It is looked for.")
        match intent:
            case Connect(start, end):
                new = await change_edge(connection, connect_request(start, end))
                doubts = [unknown(topic, view.picture.topics) for topic in (start, end)]
                what = f"connected {start} -> {end}{'' if new else ', which was there already'}"
                return Outcome(True, ". ".join([what, *filter(None, doubts)]))
            case Disconnect(start, end):
                gone = await change_edge(connection, disconnect_request(start, end))
                kept = "" if gone else ", which stays as long as a session owns it"
                return Outcome(True, f"disconnected {start} -> {end}{kept}")
            case ChangeSettings():
                return await _change(connection, intent, view)
            case DropSession(session_id):
                await drop_session(connection, session_id, DEADLINE_S)
                return Outcome(True, f"session {str(session_id)[:8]} is dropped")
            case Ping(unit):
                begin_s = time.perf_counter()
                answer = await ping(connection, unit)
                took_ms = 1000 * (time.perf_counter() - begin_s)
                return Outcome(True, f"process {answer.pid} on {answer.host} answered in {took_ms:.1f} ms", answer)
            case TakeStacks(unit):
                stacks = await process_stacks(connection, unit)
                return Outcome(True, f"process {stacks.pid} on {stacks.host}", stacks)
            case MeasureBlame(topic, seconds):
                found = await measure_blame(connection, topic, window_s=seconds)
                return Outcome(True, f"watched {topic} for {seconds:g} s", found)
            case Trace(seconds):
                return await self._trace(connection, min(seconds, TRACE_LIMIT_S))
        raise AssertionError(f"nobody knows how to do {intent}")

    async def _trace(self, connection: ControlConnection, seconds: float) -> Outcome:
        if self._stop_trace is not None:
            return Outcome(False, "A trace is on already; it ends by itself, or with T.")
        self._stop_trace = stop = asyncio.Event()
        forget = connection.on_lost(lambda _: stop.set())
        self._tell(facts.TraceBegun(time.monotonic() + seconds))
        batches: tuple[Any, ...] = ()
        failures: dict[Any, str] = {}
        try:
            recording = await record_traces(connection, seconds, until=stop)
            batches, failures = tuple(recording.batches), dict(recording.failures)
        finally:
            self._stop_trace = None
            forget()
            self._tell(facts.TraceEnded(batches, failures))
        samples = sum(len(batch.samples) for batch in batches)
        if not samples:
            return Outcome(False, f"Nothing was traced: {'; '.join(failures.values()) or 'no message came'}.")
        processes = counted(len({batch.process_id for batch in batches}), "process")
        return Outcome(True, f"traced {counted(samples, 'sample')} of {processes}", batches)


def _write(intent: Write) -> Path:
    path = Path(intent.path).expanduser()
    path.write_bytes(intent.data)
    return path


async def _change(connection: ControlConnection, intent: ChangeSettings, view: View) -> Outcome:
    before = view.settings.get(intent.address)
    timeout = CHANGE_LIMIT_S
    after = await update_fields(connection, intent.address, intent.values, expect=intent.expect, timeout=timeout)
    said = "" if before is None else "   ".join(differences(before, after))
    return Outcome(True, f"{intent.address} is at revision {after.revision}   {said}".rstrip(), after)
