"""A process that owns units, as the graph server knows it: who it is, what it owns, what it answers.

It has a connection of its own, because at the server a process lasts exactly as long as its connection. When that
comes back, the process says again what it owns, and which settings its units have.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

from ezmsg.control.connection.client import ControlConnection
from ezmsg.control.connection.discovery import find_address
from ezmsg.control.errors import ProcessNotConnected
from ezmsg.control.process.answers import PROFILING_OPERATIONS, ProcessAnswers, RequestHandler
from ezmsg.control.process.owned import Owned
from ezmsg.control.process.payloads import decode_payload, decode_response, encode_payload
from ezmsg.control.process.profiling_answers import Profiling, ProfilingAnswers
from ezmsg.control.process.progress import TellProgress
from ezmsg.protocol.addresses import AddressType
from ezmsg.protocol.declared import changed
from ezmsg.protocol.errors import ConnectionLost, DeadlineExceeded, EzmsgError
from ezmsg.protocol.messages.processes import UpdateOwnership
from ezmsg.protocol.messages.requests import EndTraces, HandleRequest, Responded
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.messages.settings import ApplySetting, ReportSettings, SettingApplied, SettingsRecorded
from ezmsg.protocol.model.process_control import (
    ProcessControlOperation,
    ProcessControlRequest,
    ProcessOwnershipUpdate,
    ProcessSettingsUpdate,
    SettingsFieldUpdateRequest,
)
from ezmsg.protocol.model.settings import SettingsSnapshotValue

logger = logging.getLogger("ezmsg")

SettingsHandler = Callable[[str, str, Any], Awaitable[SettingsSnapshotValue]]
"""Takes a component's address, a field's path and a plain value; validates, applies, returns what there is then."""


class ProcessControlClient:
    """The control plane's end in a process that owns units. Everything runs on the loop that connects it.

    :param graph_address: where the graph server is, else as ``EZMSG_GRAPHSERVER_ADDR`` says.
    :param units_loop: the event loop on which the units run, whose lateness is told; else the one that connects.
    :param progress: tells how far the units are, if somebody knows it.
    """

    def __init__(
        self,
        graph_address: AddressType | None = None,
        *,
        units_loop: asyncio.AbstractEventLoop | None = None,
        progress: TellProgress | None = None,
    ) -> None:
        self._address = graph_address
        self._units_loop = units_loop
        self._progress = progress
        self._process_id = uuid4()
        self._owned = Owned(self._process_id)
        self._connection: ControlConnection | None = None
        self._answers: ProcessAnswers | None = None
        self._handler: RequestHandler | None = None
        self._settings_handler: SettingsHandler | None = None
        self._profiling: Profiling | None = None
        self._connecting = asyncio.Lock()

    @property
    def process_id(self) -> UUID:
        """By which everybody knows this process."""
        return self._process_id

    @property
    def client_id(self) -> UUID:
        """The same as :attr:`process_id`."""
        return self._process_id

    # --- its life -----------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Connect to the graph server; fine to call again.

        :raises EzmsgError: whatever :meth:`ControlConnection.open` raises.
        """
        async with self._connecting:
            if self._connection is not None:
                return
            connection = await ControlConnection.open(find_address(self._address), client_id=self._process_id)
            loop = self._units_loop or asyncio.get_running_loop()
            self._answers = ProcessAnswers(
                self._process_id, lambda: sorted(self._owned.units), loop, progress=self._progress
            )
            self._tell_answers()
            connection.answer(HandleRequest, self._handle, abandonable=True)
            connection.answer(ApplySetting, self._apply)
            connection.declare(self._owned.say_again, self._owned.hear_again)
            connection.answer(EndTraces, self._end_traces)
            connection.on_lost(self._connection_lost)
            self._connection = connection
            connection.beat(self._answers.blocked_s)

    async def close(self) -> None:
        """Leave: the server forgets this process and what it owns. It is fine to call this again."""
        connection, self._connection = self._connection, None
        self._owned.left()
        if self._answers is not None:
            self._answers.close()
        if connection is not None:
            await connection.close()
        if self._profiling is not None:
            self._profiling.end_all()

    # --- what it tells ------------------------------------------------------------------------------------

    async def register(self, units: list[str], *, starting: Sequence[str] = ()) -> None:
        """Own these units; connects if that was not done.

        :param starting: units that are still set up here. The process answers for them; it owns them when
            :meth:`update_ownership` adds them.
        :raises OwnershipCollision: if other processes own any of them; it names all, and nothing is kept.
        """
        await self.connect()
        await self._open("register").request(self._owned.registration(list(units), list(starting)))
        self._owned.registered = True
        self._owned.own(set(units), set(starting))

    async def update_ownership(
        self, added_units: list[str] | None = None, removed_units: list[str] | None = None
    ) -> None:
        """Own further units, and some no more.

        :raises OwnershipCollision: if other processes own any of them; it names all, and nothing is changed.
        :raises ProcessNotConnected: before :meth:`connect` and after :meth:`close`.
        """
        update = ProcessOwnershipUpdate(list(added_units or ()), list(removed_units or ()))
        await self._open("update_ownership").request(UpdateOwnership(self._process_id, update))
        removed = set(update.removed_units)
        self._owned.own((self._owned.units - removed) | set(update.added_units), self._owned.starting - removed)

    async def report_settings_update(
        self, component_address: str, value: SettingsSnapshotValue, timestamp: float | None = None
    ) -> None:
        """Tell which settings a unit has now; return when the server has taken it.

        :param timestamp: when it got them, as wall time in seconds; now, if that is not said.
        :raises GraphError: if this process does not own the component.
        :raises ProcessNotConnected: before :meth:`connect` and after :meth:`close`.
        """
        await self._report(component_address, value, timestamp)

    def set_request_handler(self, handler: RequestHandler | None) -> None:
        """Let ``handler`` answer every operation that is not built in; ``None`` takes it away.

        A coroutine function runs on the loop of this client, any other function in a thread of its own; 64 requests
        at a time. What it raises becomes the failure ``HANDLER_ERROR`` of that request.
        """
        self._handler = handler
        self._tell_answers()

    def set_settings_handler(self, handler: SettingsHandler | None) -> None:
        """Let ``handler`` change settings; without one, such requests go to the request handler."""
        self._settings_handler = handler
        self._tell_answers()

    def set_profiling(self, profiling: Profiling | None) -> None:
        """Answer for the profile of the process with what ``profiling`` knows; without it, such requests fail."""
        self._profiling = profiling
        self._tell_answers()

    # --- what it is asked ---------------------------------------------------------------------------------

    def _handle(self, message: HandleRequest) -> Responded | Awaitable[Responded]:
        assert self._answers is not None
        response = self._answers.respond_at_once(message.request)
        return self._respond(self._answers, message) if response is None else Responded(response)

    async def _respond(self, answers: ProcessAnswers, message: HandleRequest) -> Responded:
        origin = message.session_id or message.client_id
        return Responded(await answers.respond(message.request, message.timeout_s, origin))

    def _end_traces(self, message: EndTraces) -> Done:
        if self._profiling is not None:
            self._profiling.end_trace(message.origin)
        return Done()

    def _connection_lost(self, _: EzmsgError) -> None:
        if self._profiling is not None and (ended := self._profiling.end_all()):
            logger.warning(
                "Nothing is traced any more for %d client(s): without the graph server nobody would tell when they "
                "are gone. They may ask again.",
                ended,
            )

    async def _apply(self, message: ApplySetting) -> SettingApplied:
        connection, address = self._open("_apply"), message.component_address
        line = connection.lines
        value = await self._applied(message)
        if connection.connected and connection.lines != line:
            # Who asked is not reached any more, and on the new line it was said already what was before.
            await self._report(address, value, None)
        else:  # the server records it; if it does not hear it any more, it is told when it is back
            update = ProcessSettingsUpdate(address, value, time.time())
            self._owned.reported(ReportSettings(self._process_id, update, message.revision or 0))
        return SettingApplied(value)

    async def _applied(self, message: ApplySetting) -> SettingsSnapshotValue:
        if self._settings_handler is not None:
            return await self._settings_handler(message.component_address, message.field_path, message.value)
        assert self._answers is not None
        change = SettingsFieldUpdateRequest(message.field_path, message.value)
        operation = ProcessControlOperation.UPDATE_SETTING_FIELD
        request = ProcessControlRequest(uuid4().hex, message.component_address, operation, encode_payload(change))
        response = await self._answers.respond(request, None)
        return decode_response(response, SettingsSnapshotValue)

    async def _update_field(self, request: ProcessControlRequest, _: UUID | None) -> bytes:
        assert self._settings_handler is not None
        change = decode_payload(request.payload or b"", SettingsFieldUpdateRequest)
        value = await self._settings_handler(request.unit_address, change.field_path, change.value)
        value.revision = (await self._report(request.unit_address, value, None)).revision
        return encode_payload(value)

    # --- inside -------------------------------------------------------------------------------------------

    def _tell_answers(self) -> None:
        if self._answers is None:
            return
        self._answers.handler = self._handler
        for operation in PROFILING_OPERATIONS:
            self._answers.operations.pop(operation, None)
        if self._profiling is not None:
            answers = ProfilingAnswers(self._process_id, self._profiling)
            self._answers.operations.update(answers.operations)
        if self._settings_handler is None:
            self._answers.operations.pop(ProcessControlOperation.UPDATE_SETTING_FIELD, None)
        else:
            self._answers.operations[ProcessControlOperation.UPDATE_SETTING_FIELD] = self._update_field

    async def _report(
        self, component_address: str, value: SettingsSnapshotValue, timestamp: float | None
    ) -> SettingsRecorded:
        update = ProcessSettingsUpdate(component_address, value, time.time() if timestamp is None else timestamp)
        connection = self._open("report_settings_update")
        report = ReportSettings(self._process_id, update)
        before = self._owned.forget(component_address)
        try:
            recorded: SettingsRecorded = await connection.request(report)
        except EzmsgError as error:
            is_refused = not isinstance(error, ConnectionLost | DeadlineExceeded)
            self._owned.reported(before if is_refused and before is not None else report)
            raise
        except BaseException:  # its caller gives up; it is true nevertheless
            self._owned.reported(report)
            raise
        self._owned.reported(changed(report, restored=recorded.revision))
        return recorded

    def _open(self, operation: str) -> ControlConnection:
        if self._connection is None:
            raise ProcessNotConnected(operation=operation)
        return self._connection
