"""What a process answers to routed requests: the built-in operations itself, all others through the user's handler.

Every request ends in exactly one response; what goes wrong is one too, with its code. No connection here.
"""

import asyncio
import contextlib
import inspect
import os
import socket
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from uuid import UUID

from ezmsg.control.process.in_thread import in_thread, started_in_thread
from ezmsg.control.process.payloads import encode_payload
from ezmsg.control.process.progress import TellProgress
from ezmsg.control.process.vitals import (
    LatenessProbe,
    cpu_s,
    descriptor_limit,
    descriptors,
    memory_bytes,
    uptime_s,
)
from ezmsg.protocol.errors import EzmsgError
from ezmsg.protocol.model.process_control import (
    ProcessControlErrorCode,
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessControlResponse,
    ProcessPing,
    ProcessStats,
)
from ezmsg.protocol.wire.plain import safe_repr

RequestHandler = Callable[[ProcessControlRequest], ProcessControlResponse | Awaitable[ProcessControlResponse]]
"""Answers a request; a coroutine function on the event loop of the connection, any other in a thread."""

Operation = Callable[[ProcessControlRequest, UUID | None], Awaitable[bytes]]
"""Answers a built-in operation, of the session or client with this id, with the payload of the response."""

HANDLER_LIMIT = 64
"""How many requests the user's handler works on at a time; the others wait for their turn, or their deadline."""

PROFILING_OPERATIONS = frozenset(
    {
        ProcessControlOperation.GET_PROFILING_SNAPSHOT,
        ProcessControlOperation.SET_PROFILING_TRACE,
        ProcessControlOperation.GET_PROFILING_TRACE_BATCH,
    }
)
_Code = ProcessControlErrorCode


class ProcessAnswers:
    """The operations of one process, and its user's handler.

    :param owned_units: returns the units that the process owns.
    :param units_loop: the event loop whose lateness and tasks are told, on which the units run.
    :param progress: tells how far the process is, if somebody knows it.
    """

    def __init__(
        self,
        process_id: UUID,
        owned_units: Callable[[], list[str]],
        units_loop: asyncio.AbstractEventLoop,
        limit: int = HANDLER_LIMIT,
        progress: TellProgress | None = None,
    ) -> None:
        self.handler: RequestHandler | None = None
        self.operations: dict[ProcessControlOperation | str, Operation] = {
            ProcessControlOperation.GET_PROCESS_STATS: self._stats,
            ProcessControlOperation.GET_PROCESS_STACKS: self._stacks,
        }
        self._process_id = process_id
        self._owned_units = owned_units
        self._units_loop = units_loop
        self._progress = progress
        self._probe = LatenessProbe(units_loop)
        if units_loop is not asyncio.get_running_loop():
            self._probe.watch()
        self.blocked_s = self._probe.blocked_s
        self._look: asyncio.Future[Callable[[], bytes]] | None = None
        self._look_wanted_by: set[asyncio.Task[Any]] = set()
        self._slots = asyncio.Semaphore(limit)
        self._late_replies = 0

    def respond_at_once(self, request: ProcessControlRequest) -> ProcessControlResponse | None:
        """Answer a request that takes no time, so that it waits for nothing; ``None`` for all others."""
        if request.operation is not ProcessControlOperation.PING:
            return None
        ping = ProcessPing(self._process_id, os.getpid(), socket.gethostname(), time.time())
        return ProcessControlResponse(request.request_id, True, encode_payload(ping), process_id=self._process_id)

    def close(self) -> None:
        """Look at the units' event loop no more."""
        self._probe.unwatch()

    async def respond(
        self, request: ProcessControlRequest, timeout_s: float | None, origin: UUID | None = None
    ) -> ProcessControlResponse:
        """Answer any other request; after ``timeout_s`` seconds, with a failure."""
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                response = await self._respond(request, origin)
        except TimeoutError as error:
            if not deadline.expired():
                return self._failed(request, _Code.HANDLER_ERROR, _handler_failed(error))
            return self._failed(request, _Code.TIMEOUT, f"the process did not answer within {timeout_s:g} s")
        except EzmsgError as error:
            return self._failed(request, _Code.HANDLER_ERROR, error.sentence())
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return self._failed(request, _Code.HANDLER_ERROR, _handler_failed(error))
        except (Exception, SystemExit) as error:  # noqa: BLE001  protects the connection from a user's handler
            return self._failed(request, _Code.HANDLER_ERROR, _handler_failed(error))
        return response

    async def _respond(self, request: ProcessControlRequest, origin: UUID | None) -> ProcessControlResponse:
        operation = self.operations.get(request.operation)
        if operation is not None:
            payload = await operation(request, origin)
            return ProcessControlResponse(request.request_id, True, payload, process_id=self._process_id)
        if self.handler is not None:
            return self._checked(request, await self._call(self.handler, request))
        if request.operation in PROFILING_OPERATIONS:
            reason = f"this process does not offer {_name(request)}"
            return self._failed(request, _Code.UNSUPPORTED_OPERATION, reason)
        reason = f"Unsupported process control operation: {_name(request)}; the process has no request handler"
        return self._failed(request, _Code.HANDLER_NOT_CONFIGURED, reason)

    # --- the user's handler -------------------------------------------------------------------------------

    async def _call(self, handler: RequestHandler, request: ProcessControlRequest) -> object:
        if _is_coroutine_function(handler):
            async with self._slots:
                return await _awaited(handler(request))
        await self._slots.acquire()
        loop = asyncio.get_running_loop()
        result = await in_thread(
            partial(self._in_slot, loop, handler, request),
            not_started=self._slots.release,
            too_late=self._count_late,
        )
        if not inspect.isawaitable(result):
            return result
        async with self._slots:
            return await _awaited(result)

    def _count_late(self) -> None:
        self._late_replies += 1

    def _in_slot(
        self, loop: asyncio.AbstractEventLoop, handler: RequestHandler, request: ProcessControlRequest
    ) -> object:
        """Call the handler, in a thread; its slot is taken until it ends, even if nobody waits for it any more."""
        try:
            return handler(request)
        finally:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(self._slots.release)

    def _checked(self, request: ProcessControlRequest, response: object) -> ProcessControlResponse:
        """Return a handler's response, or a failure in its place if it is none that could travel."""
        wrong = _fault(request, response)
        if wrong is not None:
            return self._failed(request, _Code.INVALID_RESPONSE, f"process request handler returned {wrong}")
        assert isinstance(response, ProcessControlResponse)
        response.process_id = self._process_id
        return response

    def _failed(
        self, request: ProcessControlRequest, code: ProcessControlErrorCode, reason: str
    ) -> ProcessControlResponse:
        return ProcessControlResponse(
            request.request_id, False, error=reason, error_code=code, process_id=self._process_id
        )

    # --- built in -----------------------------------------------------------------------------------------

    async def _stats(self, _: ProcessControlRequest, __: UUID | None) -> bytes:
        lateness_s = await self._probe.lateness_s()
        progress = None if self._progress is None else self._progress()
        return encode_payload(
            ProcessStats(
                process_id=self._process_id,
                pid=os.getpid(),
                host=socket.gethostname(),
                owned_units=self._owned_units(),
                timestamp=time.time(),
                cpu_s=cpu_s(),
                memory_bytes=memory_bytes(),
                loop_lateness_s=lateness_s,
                uptime_s=uptime_s(),
                late_replies=self._late_replies,
                phase=None if progress is None else progress.phase,
                waits_for=None if progress is None else progress.waits_for,
                when_dead=None if progress is None else progress.when_dead,
                restarts=None if progress is None else progress.restarts,
                descriptors=descriptors(),
                descriptor_limit=descriptor_limit(),
            )
        )

    async def _stacks(self, _: ProcessControlRequest, __: UUID | None) -> bytes:
        asking = asyncio.current_task()
        assert asking is not None
        self._look_wanted_by.add(asking)
        try:
            if self._look is None:
                self._look = started_in_thread(partial(self._stacks_now, self._owned_units()))
                self._look.add_done_callback(self._end_look)
            # One at a time is enough for all who may ask; it goes on when the deadline of who asked first has come.
            return (await asyncio.shield(self._look))()
        finally:
            self._look_wanted_by.discard(asking)

    def _stacks_now(self, units: list[str]) -> bytes:
        from ezmsg.control.process.stacks import look_at_stacks  # for who looks, which is hardly ever

        return encode_payload(look_at_stacks(self._process_id, units, self._units_loop, self._look_wanted_by))

    def _end_look(self, _: object) -> None:
        self._look = None


async def _awaited(result: Any) -> object:
    return await result


def _is_coroutine_function(handler: object) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004  it is looked at, not asked whether it is there


def _fault(request: ProcessControlRequest, response: object) -> str | None:
    """Say what is wrong with a handler's response, ``None`` if nothing is."""
    if not isinstance(response, ProcessControlResponse):
        return f"a {type(response).__name__} and no ProcessControlResponse"
    if response.request_id != request.request_id:
        return f"the response to another request, {safe_repr(response.request_id)[:80]}"
    if not isinstance(response.payload, bytes | None):
        return f"a payload that is no bytes but a {type(response.payload).__name__}"
    if not (isinstance(response.ok, bool) and isinstance(response.error, str | None)):
        return "a response whose ok is no bool, or whose error is no text"
    if not isinstance(response.error_code, ProcessControlErrorCode | None):
        return f"an error_code that is a {type(response.error_code).__name__}"
    return None


def _handler_failed(error: BaseException) -> str:
    try:
        return f"process request handler failed: {type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001  protects the answer from a user's __str__
        return f"process request handler failed: {type(error).__name__}"


def _name(request: ProcessControlRequest) -> str:
    operation = request.operation
    return operation.value if isinstance(operation, ProcessControlOperation) else operation[:80]
