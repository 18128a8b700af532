"""Settings: processes report them, clients look at them, follow their changes and ask for changes.

A change goes to the process that owns the component, which validates and applies it. What it answers is recorded
like any report, before whoever asked for it has its reply.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from ezmsg.graphserver.deciding.conversations.handlers import Request, handles
from ezmsg.graphserver.deciding.effects import Effect, Fail, Feed, Follow, Moment, Reply, Warn
from ezmsg.graphserver.deciding.graph_state import GraphState
from ezmsg.graphserver.deciding.state.changes import Change
from ezmsg.graphserver.deciding.state.operations import Answer, Operation, Outcome, Question, Silence, Unsent
from ezmsg.graphserver.deciding.state.processes import Process
from ezmsg.protocol.errors import DeadlineExceeded, EzmsgError, SettingsUnavailable, StaleRevision
from ezmsg.protocol.messages.sessions import Done
from ezmsg.protocol.messages.settings import (
    ApplySetting,
    FollowSettings,
    ReportSettings,
    SettingApplied,
    SettingsRecorded,
    SettingsTaken,
    TakeSettings,
    UpdateSetting,
)
from ezmsg.protocol.model.settings import SettingsSnapshotValue
from ezmsg.protocol.model.snapshot import ProcessState


@handles(TakeSettings)
def take_settings(state: GraphState, request: Request, _: TakeSettings) -> list[Effect]:
    """Show the settings of every component."""
    settings = state.settings
    return [request.reply(SettingsTaken(settings.values(), settings.log.last_seq, state.epoch))]


@handles(FollowSettings)
def follow_settings(state: GraphState, request: Request, body: FollowSettings) -> list[Effect]:
    """Open the stream of settings events."""
    cursor = state.cursor(state.settings.log, body.after_seq, body.epoch)
    return [request.reply(Done()), Follow(request.peer, request.id, cursor)]


@handles(ReportSettings)
def report_settings(state: GraphState, request: Request, body: ReportSettings) -> list[Effect]:
    """Take what a process says of one of its units."""
    update = body.update
    state.processes.require_ownership(body.process_id, request.peer, update.component_address)
    value = state.settings.report(
        body.process_id, update.component_address, update.value, update.timestamp, body.restored
    )
    return [Feed(), request.reply(SettingsRecorded(state.settings.log.last_seq, value.revision))]


@handles(UpdateSetting)
def update_setting(state: GraphState, request: Request, body: UpdateSetting) -> list[Effect]:
    """Have a setting changed, when those that wait already have had their turn."""
    deadline = request.deadline(body.TAG, body.timeout_s)
    _require_owner(state, body.component_address)
    state.changes.check_room(body.component_address)

    def too_late(_outcomes: list[Outcome], _now: Moment) -> list[Effect]:
        field = body.field_path or "settings"
        what = f"The change of {field} in {body.component_address}, which may still be applied,"
        return [Fail(request.peer, request.id, DeadlineExceeded(operation=what, seconds=body.timeout_s))]

    operation = state.operations.hold(request.peer, request.id, too_late, deadline)
    state.changes.add(Change(body, operation, state.peers[request.peer].author))
    return _go_on(state, body.component_address)


def give_up(state: GraphState, process: Process) -> list[Effect]:
    """Answer who waits for a process that gives no sign of life; it may still take what it was asked."""
    effects: list[Effect] = []
    for change in state.changes.pending(sorted(process.answers_for)):
        reason = "its process gives no sign of life, and may still apply the change when it moves again"
        effects += _answer(
            state, change.operation, SettingsUnavailable(component=change.body.component_address, reason=reason)
        )
    return effects


def _go_on(state: GraphState, address: str) -> list[Effect]:
    """Give the next change of a component its turn, and answer those that need none."""
    effects: list[Effect] = []
    while (change := state.changes.take_next(address)) is not None:
        try:
            effects += _apply(state, change)
        except EzmsgError as error:
            effects += _refuse(state, change, error)
    return effects


def _refuse(state: GraphState, change: Change, error: EzmsgError) -> list[Effect]:
    if change.operation.requester is None:
        return _not_made_again(state, change, error)
    return _answer(state, change.operation, error)


def _apply(state: GraphState, change: Change) -> list[Effect]:
    body = change.body
    process = _require_owner(state, body.component_address)
    if state.leases.state_of(process.peer) is ProcessState.UNRESPONSIVE:
        reason = "its process gives no sign of life, and was not asked"
        raise SettingsUnavailable(component=body.component_address, reason=reason)
    revision = state.settings.revision(body.component_address)
    if body.expect is not None and body.expect != revision:
        raise StaleRevision(component=body.component_address, expected=body.expect, actual=revision)

    def finish(outcomes: list[Outcome], now: Moment) -> list[Effect]:
        (outcome,) = outcomes
        return _applied(state, change, process_id, outcome.answer, now)

    process_id = process.id
    state.changes.start(change)
    next_revision = 0 if revision is None else revision + 1
    apply = ApplySetting(process_id, body.component_address, body.field_path, body.value, next_revision)
    # Whoever asked for it may stop waiting: what its process does with it has to be recorded nevertheless.
    return state.operations.errand(Question(process.peer, apply, refusable=True), finish)


def _applied(state: GraphState, change: Change, process: UUID, answer: Answer, now: Moment) -> list[Effect]:
    """Record what a process has applied, answer who asked for it, and let the next change have its turn."""
    address = change.body.component_address
    effects: list[Effect] = []
    try:
        applied = _value(state, address, process, answer)
        value = state.settings.report(process, address, applied, now.wall, by=change.by)
    except EzmsgError as error:
        effects += _refuse(state, change, error)
    else:
        if change.operation.requester is not None:  # else it stands already
            body, initial = change.body, state.settings.initial_fields(address)
            state.standing.made(address, body.field_path, body.value, change.by, process, initial)
            effects += state.settings_kept(address)
        effects += [Feed(), *_answer(state, change.operation, SettingApplied(value))]
    state.changes.finish(change)
    return effects + _go_on(state, address)


def make_again(state: GraphState, process: UUID, units: Iterable[str]) -> list[Effect]:
    """Have a process that has come to own units make the settings of theirs that operators made in another one."""
    effects: list[Effect] = []
    for address in state.standing.missing(units, process):
        standing = state.standing.of(address)
        state.standing.in_effect(address, process)
        _add_again(state, address, standing.values, standing.by)
        effects += state.settings_kept(address) + _go_on(state, address)
    return effects


def _add_again(state: GraphState, address: str, values: dict[str, Any], by: str) -> None:
    body = UpdateSetting(address, "", values, timeout_s=0.0)
    state.changes.add(Change(body, Operation(lambda _, __: []), by))


def _not_made_again(state: GraphState, change: Change, error: EzmsgError) -> list[Effect]:
    """Try each field alone, as the program may have fewer by now; of one that is refused, tell."""
    state.operations.close(change.operation)
    address, values = change.body.component_address, change.body.value
    if len(values) > 1 and not isinstance(error, SettingsUnavailable):
        for path, value in values.items():
            _add_again(state, address, {path: value}, change.by)
        return []
    what = f"{', '.join(values)} of {address}, as {change.by} had set it, could not be set again: {error}"
    return [Warn("settings again", what)]


def _value(state: GraphState, address: str, process: UUID, answer: Answer) -> SettingsSnapshotValue:
    """Return what a process has applied, or raise why it has not."""
    owner = state.processes.owner_of(address)
    match answer:
        case SettingApplied(value=value) if owner is not None and owner.id == process and address in owner.units:
            return value
        case SettingApplied() if owner is not None and owner.id == process:
            reason = f"process {process} has not set the component up yet"
        case SettingApplied():
            reason = f"process {process} gave the component up while it changed them"
        case EzmsgError():
            raise answer
        case Unsent(error=error):
            reason = f"process {process} could not be asked: {error}"
        case Silence.PEER_LEFT:
            reason = f"process {process} left before it answered"
        case _:
            reason = f"process {process} answered with a {type(answer).__name__}"
    raise SettingsUnavailable(component=address, reason=reason)


def _answer(state: GraphState, operation: Operation, answer: SettingApplied | EzmsgError) -> list[Effect]:
    """Answer a request, if it still waits."""
    if not operation.is_open or operation.requester is None:
        return []
    state.operations.close(operation)
    if isinstance(answer, EzmsgError):
        return [Fail(operation.requester, operation.request_id, answer)]
    return [Reply(operation.requester, operation.request_id, answer)]


def _require_owner(state: GraphState, address: str) -> Process:
    process = state.processes.owner_of(address)
    if process is None:
        raise SettingsUnavailable(component=address, reason="no process owns it")
    return process
