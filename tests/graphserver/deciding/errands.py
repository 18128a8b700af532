"""What must come of requests that a process answers: routed requests, and changes of settings, one at a time each.

Beside :class:`~tests.graphserver.deciding.model.Model`, and as plain: it predicts which process is asked and when,
and the one answer that each request gets, whatever happens in between.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from attrs import define, field
from tests.graphserver.deciding.model import Model

from ezmsg.graphserver.deciding import effects
from ezmsg.protocol import errors
from ezmsg.protocol.messages.requests import HandleRequest, Responded, RouteRequest
from ezmsg.protocol.messages.settings import ApplySetting, SettingApplied, UpdateSetting
from ezmsg.protocol.model.process_control import ProcessControlErrorCode, ProcessControlResponse

Key = tuple[int, int]
"""Who asked, and the request's id."""


@define(eq=False)
class Errand:
    """One request, and the process that is asked because of it; without a key, the server's own, to make again."""

    key: Key | None
    body: Any
    deadline: float
    process: UUID | None = None
    call: effects.Call | None = None
    waits: bool = True


@define
class Errands:
    """Every errand, the answers that are due now, and those whose process must be asked now."""

    model: Model
    routed: list[Errand] = field(factory=list)
    changes: dict[str, list[Errand]] = field(factory=dict)
    due: dict[Key, Any] = field(factory=dict)
    to_ask: list[Errand] = field(factory=list)
    standing: dict[str, UUID] = field(factory=dict)  # whose change by an operator is in effect in which process
    warned: int = 0

    # --- what happens -------------------------------------------------------------------------------------

    def route(self, key: Key, body: RouteRequest, deadline: float) -> None:
        """Somebody asks a unit."""
        process = self.model.owner_of(body.unit_address)
        if process is None:
            self.due[key] = failed(ProcessControlErrorCode.UNROUTABLE_UNIT, None)
            return
        errand = Errand(key, body, deadline, process)
        self.routed.append(errand)
        self.to_ask.append(errand)

    def change(self, key: Key, body: UpdateSetting, deadline: float) -> None:
        """Somebody wants to change a setting."""
        if self.model.owner_of(body.component_address) is None:
            self.due[key] = errors.SettingsUnavailable(component=body.component_address, reason="")
            return
        self.changes.setdefault(body.component_address, []).append(Errand(key, body, deadline))
        self._give_turns(body.component_address)

    def gained(self, process: UUID, units: list[str]) -> None:
        """A process has come to own units: what operators had changed in another one is changed again."""
        for unit in sorted(set(units)):
            if self.standing.get(unit, process) != process:
                self.standing[unit] = process
                again = UpdateSetting(unit, "", {"gain": 2.0}, 0.0)
                self.changes.setdefault(unit, []).append(Errand(None, again, math.inf))
                self._give_turns(unit)

    def forget(self, components: Iterable[str]) -> None:
        """What operators had changed there stands no more."""
        for component in components:
            self.standing.pop(component, None)

    def answered(self, errand: Errand, answer: object) -> None:
        """A process answers, or could not be asked (then the answer is ``None``)."""
        if errand in self.routed:
            self.routed.remove(errand)
            assert errand.key is not None
            self.due[errand.key] = self._response(errand, answer)
        else:
            self._changed(errand, answer)

    def left(self, who: int) -> None:
        """A client is gone; the model knows already."""
        for errand in [errand for errand in self.all() if errand.key is not None and errand.key[0] == who]:
            self.cancel(errand)
        for errand in [errand for errand in self.all() if errand.call is not None and errand.call.peer == who]:
            if errand in self.routed:
                self.routed.remove(errand)
                assert errand.key is not None
                self.due[errand.key] = failed(ProcessControlErrorCode.PROCESS_DISCONNECTED, errand.process)
            else:
                self._changed(errand, None)

    def cancel(self, errand: Errand) -> None:
        """An answer is no longer wanted. A change that is under way is, and holds up the next."""
        errand.waits = False
        if errand in self.routed:
            self.routed.remove(errand)

    def expire(self, clock: float) -> None:
        """Time has passed."""
        for errand in [errand for errand in self.waiting() if errand.deadline <= clock]:
            assert errand.key is not None
            if errand in self.routed:
                self.due[errand.key] = failed(ProcessControlErrorCode.TIMEOUT, errand.process)
            else:
                self.due[errand.key] = errors.DeadlineExceeded(operation="", seconds=errand.body.timeout_s)
            self.cancel(errand)

    # --- what there is ------------------------------------------------------------------------------------

    def all(self) -> Iterator[Errand]:
        """Return every errand that is not over."""
        yield from self.routed
        for waiting in self.changes.values():
            yield from waiting

    def waiting(self) -> list[Errand]:
        """Return those that have to be answered yet."""
        return [errand for errand in self.all() if errand.waits and errand.key is not None]

    def out(self) -> list[Errand]:
        """Return those whose process has been asked, and still has to answer."""
        return [errand for errand in self.all() if errand.call is not None]

    def check_call(self, call: effects.Call) -> None:
        """See that it is the turn of what a process is asked, and that it is asked rightly."""
        errand = self.to_ask.pop(0)
        errand.call = call
        assert errand.process is not None
        assert call.peer == self.model.processes[errand.process].who
        assert call.refusable
        asked, body = call.body, errand.body
        if isinstance(asked, HandleRequest):
            request = asked.request
            assert (request.unit_address, request.payload) == (body.unit_address, body.payload)
            assert (asked.timeout_s, asked.session_id) == (body.timeout_s, body.session_id)
            assert errand.key is not None
            assert asked.client_id == self.model.peers[errand.key[0]]
        else:
            shown = self.model.shown_settings().get(body.component_address)
            revision = 0 if shown is None else shown.revision + 1
            wanted = ApplySetting(errand.process, body.component_address, body.field_path, body.value, revision)
            assert asked == wanted

    # --- inside -------------------------------------------------------------------------------------------

    def _response(self, errand: Errand, answer: object) -> Responded:
        assert errand.call is not None
        match answer:
            case None:
                return failed(ProcessControlErrorCode.ROUTE_WRITE_FAILED, errand.process)
            case Responded(response) if response.request_id == errand.call.body.request.request_id:
                return Responded(ProcessControlResponse("", True, response.payload, process_id=errand.process))
            case _:
                return failed(ProcessControlErrorCode.INVALID_RESPONSE, errand.process)

    def _changed(self, errand: Errand, answer: object) -> None:
        address = errand.body.component_address
        outcome: object = errors.SettingsUnavailable(component=address, reason="")
        if isinstance(answer, errors.EzmsgError):
            outcome = answer
        elif isinstance(answer, SettingApplied) and self._has_set_up(errand.process, address):
            assert errand.process is not None
            self.model.report(errand.process, address, answer.value, None)
            outcome = SettingApplied(self.model.shown_settings()[address])
            self._stands(errand, errand.process)
        self._tell(errand, outcome)
        self.changes[address].remove(errand)
        self._give_turns(address)

    def _give_turns(self, address: str) -> None:
        waiting = self.changes[address]
        while waiting and waiting[0].process is None:
            errand = waiting[0]
            refusal = self._refusal(errand.body)
            if errand.waits and refusal is None:
                errand.process = self.model.owner_of(address)
                self.to_ask.append(errand)
                return
            self._tell(errand, refusal)
            waiting.pop(0)

    def _has_set_up(self, process: UUID | None, unit: str) -> bool:
        return process in self.model.processes and unit in self.model.processes[process].units

    def _tell(self, errand: Errand, outcome: object) -> None:
        if errand.key is None:
            self.warned += isinstance(outcome, errors.EzmsgError)
        elif errand.waits:
            self.due[errand.key] = outcome

    def _stands(self, errand: Errand, process: UUID) -> None:
        """What an operator has made stands, unless it is as the session has it at first."""
        address = errand.body.component_address
        if errand.key is None:
            return
        at_first = self.model.initial_fields(address)
        if at_first.get("gain") == errand.body.value:
            self.standing.pop(address, None)
        else:
            self.standing[address] = process

    def _refusal(self, body: UpdateSetting) -> errors.EzmsgError | None:
        address = body.component_address
        revision = self.model.revisions.get(address)
        if self.model.owner_of(address) is None:
            return errors.SettingsUnavailable(component=address, reason="")
        if body.expect is not None and body.expect != revision:
            return errors.StaleRevision(component=address, expected=body.expect, actual=revision)
        return None


def failed(code: ProcessControlErrorCode, process: UUID | None) -> Responded:
    """Return a failure; its sentence and the request's id are left free."""
    return Responded(ProcessControlResponse("", False, error_code=code, process_id=process))
